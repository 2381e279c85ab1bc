"""A step that may need a reboot: apply, wait, verify, in this order, with the stack's policy."""

from __future__ import annotations

import pytest
from pulumi.runtime import rpc

from facts.observe import HostObservation
from settings import flat
from settings.gpu import Reboot, RebootPolicy
from settings.models import Stack
from tests.components.harness import Program, World, lab_stack

STEP = "clx-mld-41/gpu_host.nouveau"


def _stack(policy: RebootPolicy = RebootPolicy.AUTO) -> Stack:
    return lab_stack().model_copy(update={"reboot": Reboot(policy=policy, deadline_seconds=77)})


def _changed(before: Program, after: Program) -> set[str]:
    both = before.by_name.keys() & after.by_name.keys()
    return {name for name in both if before.by_name[name].inputs != after.by_name[name].inputs}


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(World(_stack()))


def test_wait_comes_after_apply_and_verify_after_wait(program: Program) -> None:
    assert STEP in program.ancestors(f"{STEP}.wait")
    assert f"{STEP}.wait" in program.ancestors(f"{STEP}.verify")
    assert f"{STEP}.verify" in program.ancestors("clx-mld-41/ofed_stack.packages")
    assert not [name for name in program.ancestors(f"{STEP}.verify") if name.startswith("clx-mld-42/")]


def test_each_part_knows_what_it_needs(program: Program) -> None:
    assert flat.parse(program.stdin(STEP))["reboot"] == "auto"
    wait = flat.parse(program.stdin(f"{STEP}.wait"))
    assert (wait["machine"], wait["policy"], wait["deadline_s"]) == ("clx-mld-41", "auto", "77")
    assert wait["host_key"].startswith("ssh-ed25519 ")
    verify = flat.parse(program.stdin(f"{STEP}.verify"))
    assert (verify["step"], verify["want_nouveau"]) == ("gpu_host.nouveau", "blacklisted")


def test_the_key_is_a_secret_and_in_no_command_line(program: Program) -> None:
    for kind in ("wait", "verify"):
        one = program.by_name[f"{STEP}.{kind}"]
        assert one.inputs["create"] == one.inputs["update"] == f"python -m facts {kind}"
        assert rpc.is_rpc_secret(one.inputs["environment"])
        assert "a private key" not in one.inputs["stdin"]


def test_an_unreachable_host_is_not_waited_for(program: Program) -> None:
    gone = HostObservation(host="clx-mld-41", state="unreachable", reason="no answer")
    again = Program(World(_stack(), checkpoint=program.checkpoint(), observations={"clx-mld-41": gone}))
    for name in (STEP, f"{STEP}.wait", f"{STEP}.verify"):
        assert "stdin" in again.by_name[name].ignore_changes
        assert program.by_name[name].ignore_changes == ()


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
    assert changed == ({STEP, f"{STEP}.wait", f"{STEP}.verify"} if drifts else set())
    assert [one.key for one in after.cluster.drift if one.step == "gpu_host.nouveau"] == ["nouveau"] * drifts
    assert bool(after.cluster.unsettled) is not drifts


def test_another_policy_changes_the_steps_with_a_reboot_alone(program: Program) -> None:
    after = Program(World(_stack(RebootPolicy.NEVER), checkpoint=program.checkpoint()))
    changed = {name for name in _changed(program, after) if name.startswith("clx-mld-41/")}
    rebooting = (STEP, "clx-mld-41/ofed_stack.packages", "clx-mld-41/ofed_stack.link_type")
    assert changed == {f"{step}{part}" for step in rebooting for part in ("", ".wait", ".verify")}
