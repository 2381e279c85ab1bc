"""The policy pack under the real CLI: a violating program is a failing `up`, its twin is a passing one."""

from __future__ import annotations

from typing import Any

import pytest

from settings import flat
from tests.conformance.cli import ROOT, Stack
from tests.conformance.declare import local, raw, remote, secret
from tests.conformance.host import Host

PACK = str(ROOT / "policy" / "analyzer")
SWITCH = {
    "ecn_traffic_class": "3",
    "pfc_priority": "3",
    "pool_switch_priority": "3",
    "pool_type": "lossless",
    "strict_traffic_class": "6",
    "trust": "L3",
}
HOST = {
    "pause": "off",
    "prio_tc": "0,1,2,3,4,5,6,7",
    "tsa": "ets,ets,ets,ets,ets,ets,strict,ets",
    "cma_roce_tos": "106",
    "cnp_dscp": "48",
    "ecn_priority": "3",
    "pfc": "0,0,0,1,0,0,0,0",
    "traffic_class": "106",
    "trust": "dscp",
}


def _half(name: str, folder: str, lines: dict[str, str], after: list[str]) -> dict[str, Any]:
    step = name.rpartition(".")[2]
    return local(
        name,
        create=f"cat > {step}",
        delete=f"rm {step}",
        dir=folder,
        stdin=flat.render(lines),
        depends_on=after,
    )


def _fabric(folder: str, **changes: str) -> list[dict[str, Any]]:
    return [
        _half("swx-1/switch_qos.roce", folder, SWITCH, []),
        _half("clx-1/ofed_stack.qos", folder, {**HOST, **changes}, ["swx-1/switch_qos.roce"]),
    ]


@pytest.mark.smoke
def test_a_violating_program_is_a_failing_up(stack: Stack, machine: Host, place: str) -> None:
    mark = f"touch {place}/ran"
    gone = f"rm {place}/ran"
    password = "a-well-kept-thing"
    stack.declare(
        remote(machine, "unchecked", create=mark, delete=gone, connection={"host_key": None}),
        remote(machine, "no-remove", create=mark),
        remote(machine, "leaking", create=f"{mark}; echo {password}", delete=gone, stdin=secret(password)),
        raw("docker:index/container:Container", "mighty", image="sha256:0", privileged=True, version="5.2.0"),
        *_fabric(str(stack.folder), traffic_class="104", cma_roce_tos="104"),
    )
    shown = stack.run("preview", "--policy-pack", PACK, fails=True).text
    for said in (
        "unchecked: connection.hostKey is not set",
        "no-remove: it has a create but no delete",
        "leaking: its create holds the value of one of its secret inputs",
        "mighty: the container is privileged",
        "clx-1/ofed_stack.qos: traffic_class is 104 (DSCP 26, priority 3, ECN bits 0)",
    ):
        assert said in shown
    stack.declare(remote(machine, "no-remove", create=mark))
    done = stack.up("--policy-pack", PACK, fails=True)
    assert "no-remove: it has a create but no delete" in done.text
    assert machine.shell(f"ls {place}") == ""
    assert "no-remove" not in stack.state()


@pytest.mark.smoke
def test_its_twin_is_a_passing_up(stack: Stack, machine: Host, place: str) -> None:
    stack.declare(
        remote(
            machine, "step", create=f"cat > {place}/ran", delete=f"rm {place}/ran", stdin=secret("a-secret")
        ),
        *_fabric(str(stack.folder)),
    )
    # An activated shell gives the pack by this variable, so that a plain `pulumi up` is judged too.
    stack.up(PULUMI_OPTION_POLICY_PACK=PACK)
    assert machine.read(f"{place}/ran") == "a-secret"
    stack.run("preview", "--policy-pack", PACK, "--expect-no-changes")
    assert flat.parse((stack.folder / "qos").read_text()) == HOST


def test_without_a_preview_the_half_that_does_not_fit_is_not_applied(stack: Stack) -> None:
    wrong = {"pfc": "0,0,0,0,1,0,0,0", "ecn_priority": "4", "traffic_class": "138", "cma_roce_tos": "138"}
    stack.declare(*_fabric(str(stack.folder), **wrong))
    done = stack.up(fails=True, PULUMI_OPTION_POLICY_PACK=PACK)
    assert "pfc protects priority 4, but swx-1/switch_qos.roce has pfc_priority 3" in done.text
    assert not (stack.folder / "qos").exists()
