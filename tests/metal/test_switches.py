"""A stack of two switches, each simulated behind real SSH: the real CLI tells and repairs each by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.conformance.cli import Engine, find_engine
from tests.metal.hosts import MetalStack
from tests.switch.conftest import SwitchOnLoopback, make_switch

__all__ = ["make_switch"]  # the fixture

LEFT, RIGHT = "swx-rack-1", "swx-rack-2"
STEP = "switch_qos.roce"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return the CLI with the plugins that set-up installed."""
    return find_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def switches(make_switch: Callable[..., SwitchOnLoopback], tmp_path: Path) -> dict[str, SwitchOnLoopback]:
    """Return two fresh switches; the second one lets in the owner of the file `switch-key` too."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "switch-key").write_bytes(key.export_private_key())
    (tmp_path / "switch-key.pub").write_bytes(key.export_public_key())
    return {
        LEFT: make_switch(up="1/1,1/31", name=LEFT),
        RIGHT: make_switch(up="1/1,1/31", name=RIGHT, authorized_keys=tmp_path / "switch-key.pub"),
    }


@pytest.fixture
def stack(engine: Engine, tmp_path: Path, switches: dict[str, SwitchOnLoopback]) -> Iterator[MetalStack]:
    """Return a new stack with a host on port 1/1 of each switch, and a link between their ports 1/31."""
    (tmp_path / "host-key").touch()
    (tmp_path / "project").mkdir()
    logins: dict[str, dict[str, str]] = {
        LEFT: {"password": switches[LEFT].password},
        RIGHT: {"private_key_file": str(tmp_path / "switch-key")},
    }
    sections: dict[str, Any] = {
        "hosts": [
            {
                "name": f"clx-mld-{number}",
                "address": "127.0.0.1",
                "host_key": "ssh-ed25519 AAAA",
                "data_address": f"31.31.31.{number}",
                "container_subnet": f"172.30.{number}.0/24",
                "switch": name,
                "switch_port": "1/1",
            }
            for number, name in ((41, LEFT), (42, RIGHT))
        ],
        "switches": [
            {
                "name": name,
                "address": "127.0.0.1",
                "port": one.port,
                "host_key": one.host_key,
                "uplinks": ["1/31"],
                **logins[name],
            }
            for name, one in switches.items()
        ],
        "access": {"private_key_file": str(tmp_path / "host-key")},
        "network": {"data_subnet": "31.31.31.0/24"},
        "dataset": {
            name: {"source": f"/archives/{name}.tar", "md5": f"{number:032x}"}
            for number, name in enumerate(("train", "val", "lists"), start=1)
        },
        "registry": {
            "address": "127.0.0.1:5000",
            "push_address": "127.0.0.1:5000",
            "ca_file": "registry.crt",
        },
    }
    made = MetalStack(engine, tmp_path / "project", "switches.py", sections)
    yield made
    made.run("stack", "rm", "hosts", "--yes", "--force")


def report(stack: MetalStack) -> dict[str, Any]:
    """Return what the last run found, by machine."""
    machines = json.loads((stack.folder / "drift.json").read_text())["machines"]
    return {one["name"]: one for one in machines}


def planned(stack: MetalStack) -> dict[str, str]:
    """Return which steps a preview would change, and how."""
    done = stack.run("preview", "--json")
    steps = json.loads(done.text[done.text.index("{") :])["steps"]
    return {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["urn"].endswith(STEP)}


def test_drift_of_one_is_one_update_and_no_business_of_the_other(
    stack: MetalStack, switches: dict[str, SwitchOnLoopback]
) -> None:
    left, right = switches[LEFT], switches[RIGHT]
    right.by_hand("vlan 20", "configuration write")
    fresh = right.state()
    stack.up()
    for name, one in switches.items():
        assert one.running["hostname"] == name
        assert {port for port, has in one.running["ports"].items() if has["trust"] == "L3"} == {"1/1", "1/31"}
        assert one.running == one.saved
    assert stack.run("preview", "--expect-no-changes").status == 0
    before = {name: one.state() for name, one in switches.items()}
    touched = (left.folder / "state.json").stat().st_mtime_ns

    right.by_hand("interface ethernet 1/31 qos trust L2")
    assert planned(stack) == {f"{RIGHT}/{STEP}": "update"}
    drift = {name: one["drift"] for name, one in report(stack).items() if one["kind"] == "switch"}
    assert drift == {
        LEFT: {},
        RIGHT: {f"{STEP}.trust": {"found": "1/1=L3 1/31=L2", "wanted": "L3"}},
    }
    said = stack.up().text
    assert "~ 1 updated" in said
    assert f"{RIGHT}/{STEP} updated" in said
    assert {name: one.state() for name, one in switches.items()} == before
    assert (left.folder / "state.json").stat().st_mtime_ns == touched
    assert stack.run("preview", "--expect-no-changes").status == 0

    stack.destroy()
    assert right.state() == fresh
    assert left.running["ports"] == {}


def test_a_dead_switch_keeps_the_other_from_nothing(
    stack: MetalStack, switches: dict[str, SwitchOnLoopback]
) -> None:
    right = switches[RIGHT]
    stack.up()
    before = right.state()
    switches[LEFT].stop()
    right.by_hand("interface ethernet 1/1 no qos trust")
    assert planned(stack) == {f"{RIGHT}/{STEP}": "update"}
    found = report(stack)
    assert (found[LEFT]["state"], found[RIGHT]["state"]) == ("unreachable", "reachable")
    assert "nothing answers at 127.0.0.1:" in found[LEFT]["reason"]
    assert found[RIGHT]["drift"][f"{STEP}.trust"] == {"found": "1/1=L2 1/31=L3", "wanted": "L3"}
    assert "~ 1 updated" in stack.up().text
    assert right.state() == before
