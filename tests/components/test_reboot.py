"""A step that may need a reboot: one resource with a hook that waits for it, by the stack's policy."""

from __future__ import annotations

import asyncio

import pytest

from components.reboot import HOOK, asks_for_reboot, rebooted
from components.rendering import TEMPLATES
from facts.boot import Wait
from facts.observe import HostObservation
from settings import flat
from settings.gpu import Reboot, RebootPolicy
from settings.models import HostAccess, Stack
from tests.components.harness import Program, World, lab_stack

STEP = "clx-mld-41/gpu_host.nouveau"
# Those of a lab without a driver.
REBOOTING = ("gpu_host.nouveau", "ofed_stack.packages", "ofed_stack.link_type")


def _stack(policy: RebootPolicy = RebootPolicy.AUTO) -> Stack:
    return lab_stack().model_copy(update={"reboot": Reboot(policy=policy, deadline_seconds=77)})


def _changed(before: Program, after: Program) -> set[str]:
    both = before.by_name.keys() & after.by_name.keys()
    return {name for name in both if before.by_name[name].inputs != after.by_name[name].inputs}


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(World(_stack()))


def test_a_step_that_may_reboot_is_one_resource_with_the_hook(program: Program) -> None:
    of_host = {name: one for name, one in program.by_name.items() if name.startswith("clx-mld-41/")}
    hooked = {name for name, one in of_host.items() if HOOK in one.error_hooks}
    assert hooked == {f"clx-mld-41/{step}" for step in REBOOTING}
    assert all(of_host[name].error_hooks == (HOOK,) for name in hooked)
    assert STEP in program.ancestors("clx-mld-41/ofed_stack.packages")


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.rglob("*.apply.sh.j2")))
def test_a_script_asks_for_a_reboot_where_the_hook_waits_for_it(name: str) -> None:
    (path,) = TEMPLATES.rglob(name)
    step = f"{path.parent.name}.{name.removesuffix('.apply.sh.j2')}"
    asks = '"common/reboot.sh"' in path.read_text()
    assert asks is (step in {*REBOOTING, "gpu_host.apt", "gpu_host.driver"})


def test_the_step_knows_the_stacks_policy(program: Program) -> None:
    assert flat.parse(program.stdin(STEP))["reboot"] == "auto"


def test_an_unreachable_host_keeps_what_is_recorded(program: Program) -> None:
    gone = HostObservation(host="clx-mld-41", state="unreachable", reason="no answer")
    again = Program(World(_stack(), checkpoint=program.checkpoint(), observations={"clx-mld-41": gone}))
    assert "stdin" in again.by_name[STEP].ignore_changes
    assert program.by_name[STEP].ignore_changes == ()


OFFICIAL = "Process exited with status {}: running \"bash -c 'exit 75 # Process exited with status 75'\""


@pytest.mark.parametrize(
    ("error", "asks"),
    [
        (OFFICIAL.format(75), True),
        (OFFICIAL.format(1), False),
        ("resource init failed", True),
        ("1 error occurred:\n\t* Process exited with status 1: running x on clx-mld-41", False),
        ("the connection to clx-mld-41 was lost", False),
    ],
    ids=["asks", "fails", "kept by our plugin", "fails, kept", "unreachable"],
)
def test_which_error_asks_for_a_reboot(error: str, asks: bool) -> None:
    assert asks_for_reboot(error) is asks


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[Wait]:
    """Return what the hook waited for; nobody is asked."""
    found: list[Wait] = []

    async def await_reboot(access: HostAccess, wanted: Wait, tell: object) -> None:
        assert access.name == wanted.machine
        found.append(wanted)

    monkeypatch.setattr("components.reboot.await_reboot", await_reboot)
    return found


def test_the_hook_waits_for_the_steps_host_and_has_it_run_again(program: Program, waited: list[Wait]) -> None:
    assert asyncio.run(rebooted(program.cluster, STEP, [OFFICIAL.format(75)]))
    assert waited == [Wait("clx-mld-41", "gpu_host.nouveau", "auto", 77.0)]


@pytest.mark.parametrize(
    "errors",
    [[OFFICIAL.format(1)], [OFFICIAL.format(1), OFFICIAL.format(75)], [OFFICIAL.format(75)] * 2],
    ids=["fails", "fails after the reboot", "asks twice"],
)
def test_the_hook_lets_other_failures_stand(program: Program, waited: list[Wait], errors: list[str]) -> None:
    assert not asyncio.run(rebooted(program.cluster, STEP, errors))
    assert waited == []


@pytest.mark.parametrize(
    ("policy", "drifts"),
    [(RebootPolicy.AUTO, True), (RebootPolicy.ASK, True), (RebootPolicy.NEVER, False)],
)
def test_a_pending_reboot_is_repaired_unless_the_stack_never_reboots(
    policy: RebootPolicy, drifts: bool
) -> None:
    before = Program(World(_stack(policy)))
    facts = {"nouveau": "blacklisted (after reboot)", "driver": "none"}
    seen = HostObservation(host="clx-mld-41", state="reachable", facts={"gpu_host.nouveau": facts})
    after = Program(World(_stack(policy), checkpoint=before.checkpoint(), observations={"clx-mld-41": seen}))
    changed = {name for name in _changed(before, after) if "gpu_host" in name}
    assert changed == ({STEP} if drifts else set())
    assert [one.key for one in after.cluster.drift if one.step == "gpu_host.nouveau"] == ["nouveau"] * drifts
    assert bool(after.cluster.unsettled) is not drifts


def test_another_policy_changes_the_steps_with_a_reboot_alone(program: Program) -> None:
    after = Program(World(_stack(RebootPolicy.NEVER), checkpoint=program.checkpoint()))
    changed = {name for name in _changed(program, after) if name.startswith("clx-mld-41/")}
    assert changed == {f"clx-mld-41/{step}" for step in REBOOTING}
