"""A command that asks to be run again: the hook has it done, and the state shows nothing of the first try."""

from __future__ import annotations

import pytest

from tests.conformance.cli import Stack
from tests.conformance.declare import remote
from tests.conformance.host import Host


def _asks_once(place: str, key: str) -> str:
    return f"mkdir {place}/{key} 2>/dev/null && exit 75; echo {key} >> {place}/log"


@pytest.mark.smoke
def test_a_second_try_that_ends_well_leaves_no_trace(machine: Host, stack: Stack, place: str) -> None:
    remove = f"echo remove >> {place}/log"
    first = remote(machine, "step", create=_asks_once(place, "create"), delete=remove, stdin="v1", again=True)
    stack.declare(first)
    stack.up()
    assert machine.read(f"{place}/log") == "create\n"
    assert not stack.state()["step"].get("initErrors")
    assert stack.expects_no_changes()

    changed = {**first["inputs"], "create": _asks_once(place, "update"), "stdin": "v2"}
    stack.declare({**first, "inputs": changed})
    stack.up()
    assert machine.read(f"{place}/log") == "create\nupdate\n"
    assert stack.expects_no_changes()
    stack.destroy()
    assert machine.read(f"{place}/log") == "create\nupdate\nremove\n"


def test_a_failure_is_not_tried_again(machine: Host, stack: Stack, place: str) -> None:
    stack.declare(remote(machine, "step", create=f"echo tried >> {place}/log; exit 1", again=True))
    stack.up(fails=True)
    assert machine.read(f"{place}/log") == "tried\n"


def test_destroy_has_no_hook_and_says_why_a_removal_fails(stack: Stack, machine: Host, place: str) -> None:
    remove = f"test -e {place}/may || {{ echo still in use >&2; exit 75; }}"
    stack.declare(remote(machine, "step", create="true", delete=remove, again=True))
    stack.up()
    said = stack.run("destroy", "--yes", "--skip-preview", fails=True).text
    assert "Process exited with status 75" in said
    assert "still in use" in said
    machine.shell(f"touch {place}/may")
    stack.destroy()
