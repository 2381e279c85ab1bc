"""Several switches in a stack file: which host is on which, their ports, and what cannot be meant."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.loader import SettingsError, parse
from settings.models import Stack

LAB_FILE = Path(__file__).parents[2] / "Pulumi.lab.yaml"
Sections = dict[str, Any]
LEFT, RIGHT = "swx-rack-1", "swx-rack-2"


@pytest.fixture
def sections() -> Sections:
    """Return the lab's sections with two switches and four hosts, two on each, on the same two ports."""
    config = yaml.safe_load(LAB_FILE.read_text())["config"]
    made = copy.deepcopy({key.partition(":")[2]: value for key, value in config.items()})
    del made["switch"]
    made["switches"] = [{"name": LEFT, "uplinks": ["1/31"]}, {"name": RIGHT, "uplinks": ["1/31-1/32"]}]
    made["hosts"] = [
        {
            "name": f"clx-{number}",
            "data_address": f"31.31.31.{number}",
            "container_subnet": f"172.30.{number}.0/24",
            "switch": (LEFT, RIGHT)[number // 3],
            "switch_port": f"1/{2 - number % 2}",
        }
        for number in range(1, 5)
    ]
    return made


@pytest.fixture
def metal(sections: Sections) -> Sections:
    """Return the same two racks without a lab."""
    for name in ("lab", "gpu", "ofed", "docker"):
        del sections[name]
    sections["access"] = {"private_key_file": "/k"}
    sections["dataset"] = {
        name: {"source": f"/archives/{name}.tar", "md5": "1" * 32} for name in ("train", "val", "lists")
    }
    for host in sections["hosts"]:
        host |= {"address": "192.0.2.1", "host_key": "ssh-ed25519 AAAA"}
    for number, switch in enumerate(sections["switches"]):
        switch |= {"address": f"192.0.2.{90 + number}", "host_key": "ssh-rsa AAAA", "password": "hunter2"}
    return sections


def load(sections: Sections) -> Stack:
    return parse(sections, "Pulumi.x.yaml")


def problems(sections: Sections) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(sections)
    return [str(problem) for problem in caught.value.problems]


def test_each_switch_has_the_ports_of_its_own_hosts_and_its_uplinks(sections: Sections) -> None:
    stack = load(sections)
    assert [one.name for one in stack.all_switches] == [LEFT, RIGHT]
    assert [stack.switch_of(host).name for host in stack.hosts] == [LEFT, LEFT, RIGHT, RIGHT]
    ports = [stack.ports_of(one) for one in stack.all_switches]
    assert ports == [("1/1", "1/2", "1/31"), ("1/1", "1/2", "1/31", "1/32")]


def test_qos_ports_are_the_complete_list_of_the_switch_that_gives_them(sections: Sections) -> None:
    sections["switches"][1]["qos_ports"] = ["1/1-1/2", "1/31-1/32", "1/9"]
    left, right = load(sections).all_switches
    assert load(sections).ports_of(left) == ("1/1", "1/2", "1/31")
    assert load(sections).ports_of(right) == ("1/1", "1/2", "1/9", "1/31", "1/32")


def test_one_switch_by_either_key_is_the_same_stack(sections: Sections) -> None:
    only = sections.pop("switches")[0]
    for number, host in enumerate(sections["hosts"], start=1):
        host["switch_port"] = f"1/{number}"
        del host["switch"]
    by_one, by_list = load({**sections, "switch": only}), load({**sections, "switches": [only]})
    assert by_one.all_switches == by_list.all_switches
    assert {stack.switch_of(host).name for stack in (by_one, by_list) for host in stack.hosts} == {LEFT}
    assert by_one.switch_sections[0][0] == "switch"
    assert by_list.switch_sections[0][0] == "switches[0]"
    # Naming the only one is allowed, and the ports still have to differ.
    sections["hosts"][0] |= {"switch": LEFT, "switch_port": "1/2"}
    assert problems({**sections, "switch": only}) == [
        f"hosts[1].switch_port = '1/2': is also that of clx-1 on {LEFT}; each host needs its own"
    ]


def test_a_switch_without_hosts_joins_the_others_and_needs_uplinks(metal: Sections) -> None:
    spine = {"name": "spine", "address": "192.0.2.99", "host_key": "ssh-rsa AAAA", "password": "x"}
    metal["switches"].append({**spine, "uplinks": ["1/1-1/2"]})
    stack = load(metal)
    assert stack.ports_of(stack.all_switches[2]) == ("1/1", "1/2")
    metal["switches"][2] = spine
    assert problems(metal) == [
        "switches[2].uplinks = None: is required in a stack of several switches: the ports that lead to the "
        "others"
    ]


def test_exactly_one_of_the_two_keys(sections: Sections) -> None:
    both = {**sections, "switch": {"name": LEFT, "password": "hunter2"}}
    assert problems(both) == [
        "switches = [{name, uplinks}, {name, uplinks}]: is given beside rocestack:switch; exactly one is "
        "allowed: switch (one section) or switches (a list of such sections)"
    ]
    del sections["switches"]
    for host in sections["hosts"]:
        host.pop("switch")
    (said,) = problems(sections)
    assert said == (
        "switch = None: is missing, and so is rocestack:switches; exactly one is allowed: switch (one "
        "section) or switches (a list of such sections)"
    )
    (said,) = problems({**sections, "switches": []})
    assert said.startswith("switches = []: ")


def test_a_section_in_the_wrong_form_shows_no_password(sections: Sections) -> None:
    secret = {"name": LEFT, "password": "hunter2"}
    assert "hunter2" not in str(problems({**sections, "switches": secret}))
    del sections["switches"]
    assert "hunter2" not in str(problems({**sections, "switch": [secret]}))
    assert "hunter2" not in str(problems({**sections, "swiches": [secret]}))


def _host(index: int, **values: Any) -> Callable[[Sections], None]:
    return lambda sections: sections["hosts"][index].update(values)


def _switch(index: int, **values: Any) -> Callable[[Sections], None]:
    return lambda sections: sections["switches"][index].update(values)


def _lab(**values: Any) -> Callable[[Sections], None]:
    return lambda sections: sections["lab"].update(values)


def _third(**values: Any) -> Callable[[Sections], None]:
    third = {"name": "swx-rack-3", "uplinks": ["1/31"], **values}
    return lambda sections: sections["switches"].append(third)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            _host(0, switch=None),
            f"hosts[0].switch = None: is required in a stack of several switches; allowed: {LEFT}, {RIGHT}",
        ),
        (
            _host(3, switch="swx"),
            f"hosts[3].switch = 'swx': is no switch of this stack; allowed: {LEFT}, {RIGHT}",
        ),
        (
            _host(3, switch_port="1/1"),
            f"hosts[3].switch_port = '1/1': is also that of clx-3 on {RIGHT}; each host needs its own",
        ),
        (
            _host(2, switch=LEFT),
            f"hosts[2].switch_port = '1/1': is also that of clx-1 on {LEFT}; each host needs its own",
        ),
        (
            _host(3, switch_port="1/32"),
            "hosts[3].switch_port = '1/32': is among switches[1].uplinks, which lead to other switches; "
            "allowed is any other port",
        ),
        (
            _host(0, name=RIGHT),
            f"switches[1].name = '{RIGHT}': is also a host's name; each machine needs its own",
        ),
        (
            _switch(1, qos_ports=["1/1-1/31"]),
            "switches[1].uplinks = '1/32': is not among switches[1].qos_ports, so traffic between switches "
            "would not be lossless",
        ),
        (
            _switch(1, qos_ports=["1/1", "1/31-1/32"]),
            "hosts[3].switch_port = '1/2': is not among switches[1].qos_ports, so the host's traffic would "
            "not be lossless",
        ),
        (
            _switch(0, uplinks=["1/31", "1/9-1/3"]),
            "switches[0].uplinks[1] = '1/9-1/3': is no range; allowed is first-last, such as 1/1-1/32",
        ),
        (_switch(0, uplinks=["Eth1/31"]), "switches[0].uplinks[0] = 'Eth1/31': string should match"),
        (_switch(0, uplinks=[]), "switches[0].uplinks = None: is required in a stack of several switches"),
        (_switch(1, address="192.0.2.9"), "switches[1].address = '192.0.2.9': is made by the lab"),
        (
            _switch(1, transport="json-api"),
            "switches[1].transport = 'json-api': is not what the lab's switch speaks: ssh",
        ),
        (
            _host(0, switch_port="2/1"),
            "hosts[0].switch_port = '2/1': is no port of the lab's switch; allowed",
        ),
        (_switch(0, uplinks=["1/33"]), "switches[0].uplinks = '1/33': is no port of the lab's switch"),
        (_lab(vendor_port=22399), "lab.vendor_port = 22399: is one of the SSH ports 22399 to 22404"),
        (_lab(ssh_port_base=1024), "lab.ssh_port_base = 1024: leaves no port above 1023 for each switch"),
    ],
)
def test_one_wrong_value_is_one_clear_error(
    sections: Sections, change: Callable[[Sections], None], says: str
) -> None:
    load(sections)
    change(sections)
    (said,) = problems(sections)
    assert said.startswith(says)


def test_the_lab_joins_its_switches_in_a_row(sections: Sections) -> None:
    _third()(sections)
    assert len(load(sections).all_switches) == 3
    sections["switches"][1]["uplinks"] = ["1/31"]
    assert problems(sections) == [
        "switches[1].uplinks = '1/31': is one port, and the lab joins its switches in a row: this one needs "
        "a port to the one before and a port to the one after"
    ]


def test_all_errors_come_at_once(sections: Sections) -> None:
    for change in (
        _switch(1, name=LEFT),
        _host(0, switch="swx"),
        _host(3, switch=None),
        _switch(0, uplinks=["1/1", "1/33"], qos_ports=["1/1-1/2"]),
    ):
        change(sections)
    assert [said.partition(" = ")[0] for said in problems(sections)] == [
        "switches[1].name",
        "hosts[0].switch",
        "hosts[2].switch",
        "hosts[3].switch",
        "switches[0].uplinks",
        "switches[0].uplinks",
    ]


def test_metal_is_told_what_each_switch_lacks(metal: Sections) -> None:
    load(metal)
    del metal["switches"][0]["host_key"]
    del metal["switches"][1]["password"]
    assert [said.partition(":")[0] for said in problems(metal)] == [
        "switches[0].host_key = None",
        "switches[1].password = None",
    ]


def test_two_switches_at_one_address_are_one_machine(metal: Sections) -> None:
    metal["switches"][1]["address"] = metal["switches"][0]["address"]
    assert problems(metal) == [
        "switches[1].address = '192.0.2.90': port 22 is also that of switches[0]; each switch needs its own"
    ]
    # Another port may be another machine behind the same address; and so may the other side of a jump host.
    load({**metal, "switches": [metal["switches"][0], {**metal["switches"][1], "port": 2222}]})
    jump = {"address": "gate", "host_key": "ssh-ed25519 AAAA"}
    load({**metal, "switches": [metal["switches"][0], {**metal["switches"][1], "jump": jump}]})
