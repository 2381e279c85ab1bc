"""Faults of the simulated switch: each strikes when it should, and leaves what the original would leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.switch.onyx_cli import service
from lab.switch.onyx_cli.faults import Fault, FaultError, from_json, from_settings, to_json
from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.session import Session
from lab.switch.onyx_cli.store import FileStore, MemoryStore
from tests.fabric import MemoryFabric

TRUST = "interface ethernet 1/{} qos trust L3"


def switch(*faults: Fault) -> tuple[Session, MemoryStore]:
    store = MemoryStore(Switch.factory("sw"), list(faults))
    cli = Session(store, MemoryFabric(up=("1/1", "1/2")))
    for line in ("enable", "configure terminal"):
        assert cli.handle(line) == ""
    return cli, store


def trusted(store: MemoryStore) -> list[str]:
    return sorted(name for name, port in store.switch.running.ports.items() if port.trust == "L3")


@pytest.mark.parametrize(("command", "times", "refused"), [(1, 1, [1]), (3, 1, [3]), (2, 2, [2, 3])])
def test_a_command_is_rejected_by_its_number(command: int, times: int, refused: list[int]) -> None:
    cli, store = switch(Fault("reject", command=command, times=times))
    for number in range(1, 5):
        cli.handle("show version")
        answer = cli.handle(TRUST.format(number))
        assert answer.startswith("% ") == (number in refused), number
    assert trusted(store) == [f"1/{number}" for number in range(1, 5) if number not in refused]


def test_without_faults_nothing_is_rejected() -> None:
    cli, store = switch()
    assert [cli.handle(TRUST.format(number)) for number in (1, 2)] == ["", ""]
    assert trusted(store) == ["1/1", "1/2"]


def test_every_command_counts_when_the_fault_says_so() -> None:
    cli, _store = switch(Fault("reject", command=2, every=True))
    assert cli.handle("show hosts").startswith("Hostname")
    assert cli.handle("show hosts").startswith("% ")
    assert cli.handle("show hosts").startswith("Hostname")


@pytest.mark.parametrize(("when", "left"), [("before", ["1/1"]), ("after", ["1/1", "1/2"])])
def test_the_session_breaks_off(when: str, left: list[str]) -> None:
    cli, store = switch(Fault("drop", command=2, when=when))
    cli.handle(TRUST.format(1))
    assert not cli.ended
    assert cli.handle(TRUST.format(2)) == ""
    assert (cli.ended, cli.dropped) == (True, True)
    assert trusted(store) == left


def test_a_session_that_breaks_off_at_a_question_prints_nothing() -> None:
    cli, _store = switch(Fault("drop", command=1, every=True))
    assert cli.handle("show version") == ""
    assert cli.dropped


@pytest.mark.parametrize(
    "line",
    ["configuration write", "configuration write to x", "configuration write to x no-switch", "write memory"],
)
def test_a_full_flash_refuses_what_writes_a_file(line: str) -> None:
    cli, store = switch(Fault("full-flash"))
    cli.handle("hostname sw-new")
    before = repr(store.switch)
    assert cli.handle(line).startswith("% ")
    assert repr(store.switch) == before


def test_a_full_flash_does_not_refuse_other_changes() -> None:
    cli, store = switch(Fault("full-flash"))
    assert cli.handle("hostname sw-new") == ""
    assert store.switch.running.hostname == "sw-new"


@pytest.mark.parametrize(("when", "winner"), [("before", "L3"), ("after", "port")])
def test_someone_else_changes_the_switch_in_between(when: str, winner: str) -> None:
    line = "interface ethernet 1/1 qos trust port"
    cli, store = switch(Fault("other-admin", command=2, line=line, when=when))
    cli.handle("lldp")
    assert store.switch.running.ports == {}
    assert cli.handle(TRUST.format(1)) == ""
    assert store.switch.running.ports["1/1"].trust == winner


def test_pfc_is_off_on_a_port_whose_link_is_down() -> None:
    cli, _store = switch(Fault("link-down", port="1/1"))
    cli.handle("interface ethernet 1/1-1/2 dcb priority-flow-control mode on force")
    cli.handle("dcb priority-flow-control enable force")
    _head, _classes, ports = json.loads(cli.handle("show dcb priority-flow-control | json-print"))
    assert ports["Eth1/1"] == [{"PFC admin": "on", "PFC oper": "Disabled"}]
    assert ports["Eth1/2"] == [{"PFC admin": "on", "PFC oper": "Enabled"}]
    status = json.loads(cli.handle("show interfaces ethernet status | json-print"))
    assert [status[f"Eth1/{n}"][0]["Operational state"] for n in (1, 2)] == ["Down", "Up"]


def test_prompts_come_late() -> None:
    assert switch(Fault("slow", seconds=1.5), Fault("slow", seconds=0.5))[0].delay() == 1.5
    assert switch()[0].delay() == 0


def test_a_list_that_cannot_be_read_is_said_at_each_command(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"kind": "flood"}]')
    cli = Session(FileStore(tmp_path, "boot", lambda: Switch.factory("sw")), MemoryFabric())
    assert cli.handle("show version").startswith("% The list of faults cannot be read: kind is 'flood'")
    assert cli.delay() == 0


def test_the_count_lasts_over_sessions(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "boot", lambda: Switch.factory("sw"))
    with store.faults() as switched_on:
        switched_on.append(Fault("reject", command=2))
    answers = []
    for line in ("lldp", "hostname a", "hostname b"):
        cli = Session(store, MemoryFabric())
        cli.handle("enable")
        cli.handle("configure terminal")
        answers.append(cli.handle(line)[:1])
    assert answers == ["", "%", ""]


def test_json_keeps_a_fault() -> None:
    faults = [Fault("reject", command=4, times=2, seen=3), Fault("other-admin", line="lldp")]
    assert from_json(json.loads(json.dumps(to_json(faults)))) == faults


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("flood", {}, "kind is 'flood', but must be one of reject, drop"),
        ("reject", {"command": "x"}, "reject: command is 'x', but must be a number"),
        ("reject", {"command": "0"}, "command and times count from 1"),
        ("reject", {"seen": "1"}, "reject: seen is not a setting"),
        ("drop", {"when": "never"}, "when is 'never', but must be before or after"),
        ("other-admin", {}, "other-admin: line is not set"),
        ("link-down", {}, "link-down: port is not set"),
        ("slow", {}, "slow: seconds is not set"),
    ],
)
def test_a_wrong_fault_is_refused(kind: str, settings: dict[str, str], says: str) -> None:
    with pytest.raises(FaultError, match=says):
        from_settings(kind, settings)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONYX_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("ONYX_SYSFS", str(tmp_path / "sysfs"))
    monkeypatch.setenv("ONYX_AGENT_FILE", str(tmp_path / "fabric.json"))
    return tmp_path


def test_the_service_switches_faults_on_and_off(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert service.main(["fault", "reject", "command=3"]) == 0
    assert service.main(["fault", "other-admin", "line=no lldp", "when=after"]) == 0
    capsys.readouterr()
    assert service.main(["faults"]) == 0
    assert capsys.readouterr().out == (
        "reject command=3 times=1 every=no (0 commands so far)\n"
        "other-admin command=1 times=1 every=no when=after line=no lldp (0 commands so far)\n"
    )
    assert service.main(["clear"]) == 0
    assert service.main(["faults"]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads((state / "faults.json").read_text()) == []


def test_the_service_sets_the_release(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert service.main(["release"]) == 0
    assert service.main(["release", "3.8.2306"]) == 0
    assert service.main(["release"]) == 0
    assert capsys.readouterr().out == "3.6.8012\n3.8.2306\n"
    assert service.main(["release", "new"]) == 1
    assert "'new' is not a release such as 3.6.8012" in capsys.readouterr().err


def test_the_service_shows_what_was_counted(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert service.main(["counters"]) == 0
    assert json.loads(capsys.readouterr().out)["1/1"] == {"rx": None, "tx": None}
    data = {"traffic": {"rx": {"1/1": {"26": [3, 300]}}, "tx": {}}}
    (state / "fabric.json").write_text(json.dumps(data))
    assert service.main(["counters"]) == 0
    assert json.loads(capsys.readouterr().out)["1/1"] == {"rx": {"26": [3, 300]}, "tx": {}}


@pytest.mark.parametrize("arguments", [[], ["fault"], ["fault", "reject", "command"], ["reboot"]])
def test_the_service_says_how_it_is_used(
    state: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert service.main(arguments) == 64
    assert capsys.readouterr().err.startswith("usage: ")
    assert list(state.iterdir()) == []
