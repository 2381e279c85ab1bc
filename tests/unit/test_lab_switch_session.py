"""The simulated switch's command line: modes, refusals, forms of a command, and what it shows."""

from __future__ import annotations

import json

import pytest

from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.names import collapsed
from lab.switch.onyx_cli.session import Session
from lab.switch.onyx_cli.store import MemoryStore
from tests.fabric import MemoryFabric

UNSAVED = "Unsaved changes     : yes"
SAVED = "Unsaved changes     : no"
HELP = 'Type "?" for help.\n'


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(Switch.factory("swx-mld-1-2"))


@pytest.fixture
def cli(store: MemoryStore) -> Session:
    return Session(store, MemoryFabric(up=("1/1",)))


def accepted(cli: Session, *lines: str) -> None:
    for line in lines:
        assert cli.handle(line) == "", line


@pytest.fixture
def config(cli: Session) -> Session:
    accepted(cli, "enable", "configure terminal")
    return cli


def test_modes_and_prompts(cli: Session) -> None:
    assert cli.prompt() == "swx-mld-1-2 [standalone: master] > "
    accepted(cli, "enable")
    assert cli.prompt() == "swx-mld-1-2 [standalone: master] # "
    accepted(cli, "config term")
    assert cli.prompt() == "swx-mld-1-2 [standalone: master] (config) # "
    accepted(cli, "interface ethernet 1/1-1/4")
    assert cli.prompt() == "swx-mld-1-2 [standalone: master] (config interface ethernet 1/1-1/4) # "
    accepted(cli, "exit", "exit", "disable")
    assert cli.prompt() == "swx-mld-1-2 [standalone: master] > "
    accepted(cli, "exit")
    assert cli.ended


def test_pools_and_vlans_have_modes_of_their_own(config: Session, store: MemoryStore) -> None:
    accepted(config, "traffic pool roce")
    assert config.prompt() == "swx-mld-1-2 [standalone: master] (config pool roce) # "
    accepted(config, "type lossless", "memory percent 50", "map switch-priority 3 4", "vlan 20")
    assert config.prompt() == "swx-mld-1-2 [standalone: master] (config vlan 20) # "
    accepted(config, "name storage", "exit")
    assert config.prompt() == "swx-mld-1-2 [standalone: master] (config) # "
    assert store.switch.running.pools["roce"].priorities == [3, 4]
    assert store.switch.running.vlans == {20: "storage"}


def test_without_prefix_modes_a_name_alone_enters_nothing(config: Session) -> None:
    accepted(config, "no cli default prefix-modes enable", "traffic pool roce", "vlan 20")
    assert config.prompt() == "swx-mld-1-2 [standalone: master] (config) # "
    assert config.handle("interface ethernet 1/1").startswith("% Incomplete command.")
    accepted(config, "interface ethernet 1/1 qos trust L3")


def test_a_change_of_pfc_asks_unless_it_is_forced(config: Session, store: MemoryStore) -> None:
    for answer, enabled in (("no", False), ("yes", True)):
        accepted(config, "dcb priority-flow-control enable")
        assert config.prompt().endswith("Type 'yes' to confirm enable pfc globally: ")
        accepted(config, answer)
        assert config.prompt().endswith("(config) # ")
        assert store.switch.running.pfc is enabled


def test_the_prompt_follows_the_host_name(config: Session) -> None:
    accepted(config, "hostname sw-new")
    assert config.prompt() == "sw-new [standalone: master] (config) # "


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("configure terminal", f'% Unrecognized command "configure".\n{HELP}'),
        ("show running-config", '% Unrecognized command "running-config".\nType "show ?" for help.\n'),
        ("frobnicate", f'% Unrecognized command "frobnicate".\n{HELP}'),
        ("show", '% Incomplete command.\nType "show ?" for help.\n'),
    ],
)
def test_what_the_first_mode_refuses(cli: Session, line: str, answer: str) -> None:
    assert cli.handle(line) == answer


def test_configuration_is_refused_outside_its_mode(cli: Session) -> None:
    accepted(cli, "enable")
    for line in ("hostname x", "interface ethernet 1/1 qos trust L3", "configuration write"):
        assert cli.handle(line).startswith("% Unrecognized command "), line


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("dcb", '% Incomplete command.\nType "dcb ?" for help.'),
        ("traffic pool roce memory percent 50", "% Traffic pool roce does not exist."),
        ("no traffic pool roce", "% Traffic pool roce does not exist."),
        ("interface ethernet 1/33 qos trust L3", "% Invalid interface: 1/33. Ports are 1/1 to 1/32."),
        ("interface ethernet 1/4-1/2 shutdown", "% Invalid interface range: 1/4-1/2"),
        (
            "dcb priority-flow-control priority 8 enable",
            '% Value "8" is out of range: allowed is 0-7.\n'
            'Type "dcb priority-flow-control priority ?" for help.',
        ),
        (
            "interface ethernet 1/1 qos trust L4",
            '% Unrecognized command "L4".\nType "qos trust ?" for help.',
        ),
        (
            "interface ethernet 1/1 traffic-class 3 congestion-control ecn "
            "minimum-absolute 9 maximum-absolute 8",
            "% Minimum threshold 9 must not exceed maximum threshold 8.",
        ),
        ("configuration switch-to nowhere", "% No such configuration file: nowhere"),
        ("configuration delete initial", "% Cannot delete configuration file initial."),
        ("show version | frob x", f'% Unrecognized command "frob".\n{HELP}'.rstrip()),
    ],
)
def test_refusals(config: Session, store: MemoryStore, line: str, answer: str) -> None:
    before = repr(store.switch)
    assert config.handle(line) == f"{answer}\n"
    assert repr(store.switch) == before


def test_pools_share_the_memory(config: Session) -> None:
    accepted(
        config,
        "traffic pool a type lossy",
        "traffic pool a memory percent 60",
        "traffic pool b type lossless",
    )
    refused = config.handle("traffic pool b memory percent 40.5")
    assert refused == "% Not enough memory: the other traffic pools hold 60.00 percent.\n"
    accepted(config, "traffic pool b memory percent 40", "traffic pool a memory percent 10")


@pytest.mark.parametrize(
    "lines",
    [
        ("interface ethernet 1/2 qos trust L3",),
        ("interface ethernet 1/2", "qos trust L3", "exit"),
        ("int eth 1/2", "qos tr L3"),
        ("interface ethernet 1/2 qos trust both", "interface ethernet 1/2 qos trust L3"),
    ],
)
def test_forms_of_one_setting(config: Session, store: MemoryStore, lines: tuple[str, ...]) -> None:
    accepted(config, *lines)
    assert store.switch.running.ports["1/2"].trust == "L3"


@pytest.mark.parametrize(
    ("line", "undo"),
    [
        ("interface ethernet 1/1-1/2 qos trust L3", "interface ethernet 1/1-1/2 no qos trust"),
        ("interface ethernet 1/3 shutdown", "no interface ethernet 1/3 shutdown"),
        ("interface ethernet 1/3 shutdown", "interface ethernet 1/3 no shutdown"),
        (
            "interface ethernet 1/1 traffic-class 3 congestion-control ecn "
            "minimum-absolute 150 maximum-absolute 1500",
            "interface ethernet 1/1 no traffic-class 3 congestion-control",
        ),
        (
            "interface ethernet 1/1 traffic-class 6 dcb ets strict",
            "interface ethernet 1/1 no traffic-class 6 dcb ets",
        ),
        (
            "interface ethernet 1/1 traffic-class 5 dcb ets wrr 20",
            "interface ethernet 1/1 no traffic-class 5 dcb ets",
        ),
        ("traffic pool roce type lossless", "no traffic pool roce"),
        ("dcb priority-flow-control enable force", "no dcb priority-flow-control enable force"),
        ("dcb priority-flow-control priority 3 enable", "no dcb priority-flow-control priority 3 enable"),
        (
            "interface ethernet 1/1 dcb priority-flow-control mode on force",
            "interface ethernet 1/1 no dcb priority-flow-control mode force",
        ),
        ("interface ethernet 1/1 no lldp transmit", "interface ethernet 1/1 lldp transmit"),
        ("lldp", "no lldp"),
    ],
)
def test_each_setting_is_printed_as_its_own_command_and_undone(config: Session, line: str, undo: str) -> None:
    fresh = config.handle("show running-config")
    accepted(config, line)
    printed = config.handle("show running-config").splitlines()
    before = fresh.splitlines()
    added = [each.strip() for each in printed if each not in before and each[:1] != "#"]
    assert added[0] == line
    accepted(config, undo)
    assert config.handle("show running-config") == fresh


def test_what_is_printed_configures_another_switch_alike(config: Session, store: MemoryStore) -> None:
    accepted(
        config,
        "traffic pool roce type lossless",
        "traffic pool roce memory percent 50",
        "traffic pool roce map switch-priority 3",
        "interface ethernet 1/1-1/3 qos trust L3",
        "interface ethernet 1/2 traffic-class 2 congestion-control red minimum-relative 9 maximum-relative 9",
        "interface ethernet 1/1-1/3 dcb priority-flow-control mode on force",
        "interface ethernet 1/9 mtu 9216 force",
        "interface ethernet 1/9 flowcontrol receive on force",
        "dcb priority-flow-control enable force",
        "dcb priority-flow-control priority 3 enable",
    )
    for form in ("show running-config", "show running-config expanded"):
        other = MemoryStore(Switch.factory("swx-mld-1-2"))
        copy = Session(other)
        accepted(copy, "enable", "configure terminal", *config.handle(form).splitlines())
        assert other.switch.running == store.switch.running


def test_expanded_has_a_line_per_port(config: Session) -> None:
    accepted(config, "interface ethernet 1/1-1/3 qos trust L3")
    assert "   interface ethernet 1/1-1/3 qos trust L3\n" in config.handle("show running-config")
    expanded = config.handle("show running-config expanded")
    assert [line.strip() for line in expanded.splitlines() if "trust" in line] == [
        f"interface ethernet 1/{number} qos trust L3" for number in (1, 2, 3)
    ]


def files(cli: Session) -> list[str]:
    return cli.handle("show configuration files").splitlines()


def test_running_and_saved_are_apart(config: Session, store: MemoryStore) -> None:
    accepted(config, "hostname sw-a", "configuration write to before no-switch", "hostname sw-b")
    assert "hostname swx-mld-1-2" in config.handle("show configuration")
    assert "hostname sw-b" in config.handle("show running-config")
    assert files(config) == ["before", "initial (active)", "", "Active configuration: initial", UNSAVED]
    accepted(config, "configuration write")
    assert "hostname sw-b" in config.handle("show configuration")
    accepted(config, "configuration switch-to before")
    assert store.switch.running.hostname == "sw-a"
    assert files(config) == ["before (active)", "initial", "", "Active configuration: before", SAVED]
    accepted(config, "configuration switch-to initial", "configuration delete before")
    assert files(config) == ["initial (active)", "", "Active configuration: initial", SAVED]


def test_a_configuration_file_is_copied_and_brought_back(config: Session, store: MemoryStore) -> None:
    accepted(
        config, "hostname sw-a", "configuration write", "configuration copy initial spare", "hostname sw-b"
    )
    accepted(config, "configuration revert saved")
    assert store.switch.running.hostname == "sw-a"
    assert "hostname sw-a" in config.handle("show configuration files spare")
    assert config.handle("configuration copy spare initial").startswith("% Cannot overwrite the active")
    assert config.handle("configuration copy nowhere x").startswith("% No such configuration file")
    assert config.handle("configuration write to a/b").startswith("% Invalid configuration file name")


def test_filters(config: Session) -> None:
    assert config.handle("show hosts | include Hostname") == "Hostname: swx-mld-1-2\n"
    assert "Hostname" not in config.handle("show hosts | exclude Hostname")
    assert json.loads(config.handle("show version | json-print"))["Product release"] == "3.6.8012"
    assert config.handle("show hosts | include (").startswith("% Invalid regular expression")


def test_pfc_works_on_a_port_with_a_link_only(config: Session) -> None:
    accepted(config, "interface ethernet 1/1-1/2 dcb priority-flow-control mode on force")
    accepted(config, "dcb priority-flow-control enable force", "dcb priority-flow-control priority 3 enable")
    head, _classes, table = json.loads(config.handle("show dcb priority-flow-control | json-print"))
    assert head == {
        "PFC": "enabled",
        "Priority Enabled List": "3",
        "Priority Disabled List": "0 1 2 4 5 6 7",
    }
    assert table["Eth1/1"] == [{"PFC admin": "on", "PFC oper": "Enabled"}]
    assert table["Eth1/2"] == [{"PFC admin": "on", "PFC oper": "Disabled"}]
    assert table["Eth1/3"] == [{"PFC admin": "Auto", "PFC oper": "Disabled"}]
    assert len(table) == 32


def test_pfc_and_global_flow_control_exclude_each_other(config: Session) -> None:
    accepted(config, "interface ethernet 1/1 flowcontrol send on force")
    assert config.handle("interface ethernet 1/1 dcb priority-flow-control mode on force").startswith("% PFC")
    accepted(config, "interface ethernet 1/1 flowcontrol send off force")
    accepted(config, "interface ethernet 1/1 dcb priority-flow-control mode on force")


def test_a_port_is_up_when_its_link_is_and_nobody_shut_it(config: Session) -> None:
    def state(port: str) -> str:
        data = json.loads(config.handle("show interfaces ethernet status | json-print"))
        return str(data[f"Eth{port}"][0]["Operational state"])

    assert (state("1/1"), state("1/2")) == ("Up", "Down")
    accepted(config, "interface ethernet 1/1 shutdown")
    assert state("1/1") == "Down"


def test_shares_of_the_weighted_classes(config: Session) -> None:
    accepted(config, "interface ethernet 1/1 traffic-class 6 dcb ets strict")
    data = json.loads(config.handle("show dcb ets interface ethernet 1/1 | json-print"))
    classes = data[0]["Eth1/1"][2]["ETS per TC"][0]
    assert (classes["6"][0]["S.Mode"], classes["6"][0]["W"]) == ("Strict", "0")
    assert (classes["3"][0]["S.Mode"], classes["3"][0]["W"]) == ("WRR", "13")
    assert sum(int(facts["W"]) for (facts,) in classes.values()) == 88


def test_two_sessions_share_the_switch(config: Session, store: MemoryStore) -> None:
    other = Session(store)
    accepted(config, "hostname sw-shared")
    assert other.prompt() == "sw-shared [standalone: master] > "


def test_collapsed_ports() -> None:
    assert collapsed(["1/10", "1/2", "1/1", "1/9"]) == ["1/1-1/2", "1/9-1/10"]
