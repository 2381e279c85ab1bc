"""The fabric's rule: the profile as the program declares it closes, and each single change of it does not."""

from __future__ import annotations

from typing import Any

import pytest

from policy import fabric
from policy.resource import UNKNOWN, Resource, Secret
from policy.server import Analyzer
from settings import flat
from settings.roce import RoceProfile

SWITCH, HOST = "swx/switch_qos.roce", "clx/ofed_stack.qos"
PROFILE = RoceProfile()
SWITCH_LINES = {
    "trust": "L3",
    "pool_type": "lossless",
    "pool_switch_priority": str(PROFILE.switch_priority),
    "pfc_priority": str(PROFILE.switch_priority),
    "ecn_traffic_class": str(PROFILE.traffic_class),
    "strict_traffic_class": str(PROFILE.cnp_traffic_class),
}
HOST_LINES = {
    "trust": "dscp",
    "pause": "off",
    "pfc": PROFILE.pfc_bits,
    "prio_tc": PROFILE.prio_tc,
    "tsa": PROFILE.tsa,
    "traffic_class": str(PROFILE.tos),
    "cma_roce_tos": str(PROFILE.tos),
    "cnp_dscp": str(PROFILE.cnp_dscp),
    "ecn_priority": str(PROFILE.switch_priority),
}


def switch(name: str = SWITCH, **changes: str) -> Resource:
    lines = flat.render({**SWITCH_LINES, **changes})
    return Resource("command:local:Command", name, {"stdin": lines})


def host(name: str = HOST, **changes: str) -> Resource:
    lines = flat.render({**HOST_LINES, **changes})
    return Resource("command:remote:Command", name, {"stdin": lines})


# Another profile that closes too: priority 4, DSCP 34, notifications in class 6.
OTHER_SWITCH = {"pool_switch_priority": "4", "pfc_priority": "4", "ecn_traffic_class": "4"}
OTHER_HOST = {
    "pfc": "0,0,0,0,1,0,0,0",
    "traffic_class": "138",
    "cma_roce_tos": "138",
    "ecn_priority": "4",
}


@pytest.mark.parametrize(
    "resources",
    [
        [switch(), host()],
        [switch(), host(), host("clx-2/ofed_stack.qos")],
        [switch(), switch("swx-2/switch_qos.roce"), host(), host("clx-2/ofed_stack.qos")],
        [switch(**OTHER_SWITCH), host(**OTHER_HOST)],
        [switch()],
        [host()],
        [switch(), Resource("command:remote:Command", HOST, {"stdin": UNKNOWN})],
        [switch(), Resource("command:remote:Command", HOST, {"stdin": Secret(UNKNOWN)})],
        [switch(), Resource("command:remote:Command", "clx/ofed_stack.address", {"stdin": "no lines"})],
    ],
)
def test_what_closes(resources: list[Resource]) -> None:
    assert list(fabric.lossless(resources)) == []


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ([switch(trust="L2")], f"{SWITCH}: trust is 'L2'; allowed is 'L3'"),
        ([switch(pool_type="lossy")], f"{SWITCH}: pool_type is 'lossy'; allowed is 'lossless'"),
        ([switch(pool_switch_priority="4")], f"{SWITCH}: pool_switch_priority is '4'; allowed is '3'"),
        ([switch(ecn_traffic_class="4")], f"{SWITCH}: ecn_traffic_class is '4'; allowed is '3'"),
        ([switch(strict_traffic_class="3")], f"{SWITCH}: strict_traffic_class is '3', the lossless class"),
        ([switch(pfc_priority="three")], f"{SWITCH}: pfc_priority is 'three'; allowed is a whole number"),
        ([host(trust="pcp")], f"{HOST}: trust is 'pcp'; allowed is 'dscp'"),
        ([host(pfc="0,0,0,1")], f"{HOST}: pfc is '0,0,0,1'; allowed are eight 0 or 1"),
        ([host(pfc="0,0,0,on,0,0,0,0")], f"{HOST}: pfc is '0,0,0,on,0,0,0,0'; allowed are eight 0 or 1"),
        (
            [host(pfc="0,0,0,1,1,0,0,0")],
            f"{HOST}: pfc is '0,0,0,1,1,0,0,0', 2 priorities; allowed is exactly one",
        ),
        ([host(pfc="0,0,0,0,0,0,0,0")], "0 priorities; allowed is exactly one"),
        # ToS without ECT(0), then with a DSCP of another priority.
        (
            [host(traffic_class="104", cma_roce_tos="104")],
            "traffic_class is 104 (DSCP 26, priority 3, ECN bits 0)",
        ),
        (
            [host(traffic_class="138", cma_roce_tos="138")],
            "allowed is DSCP << 2 | 2 with a DSCP of 24 to 31: 98 to 126",
        ),
        ([host(pause="rx")], f"{HOST}: pause is 'rx'; allowed is 'off'"),
        ([host(tsa="ets")], f"{HOST}: prio_tc is '0,1,2,3,4,5,6,7', tsa is 'ets'; allowed are eight"),
        (
            [host(tsa=",".join(["strict"] * 8))],
            f"{HOST}: priority 3 is in a class scheduled 'strict'; allowed is 'ets'",
        ),
        (
            [host(prio_tc="0,1,2,3,4,5,5,7")],
            f"{HOST}: priority 6 is in a class scheduled 'ets'; allowed is 'strict'",
        ),
        ([host(cma_roce_tos="105")], f"{HOST}: cma_roce_tos is 105, traffic_class is 106; allowed are equal"),
        ([host(ecn_priority="4")], f"{HOST}: ecn_priority is 4, but pfc protects priority 3"),
        (
            [switch(**OTHER_SWITCH), host()],
            f"{HOST}: pfc protects priority 3, but {SWITCH} has pfc_priority 4; allowed are equal ones",
        ),
        # The other rack's switch too: a packet meets the pool and the pauses of both.
        (
            [switch(), switch("swx-2/switch_qos.roce", **OTHER_SWITCH), host()],
            f"{HOST}: pfc protects priority 3, but swx-2/switch_qos.roce has pfc_priority 4",
        ),
        (
            [switch(), switch("swx-2/switch_qos.roce", pool_type="lossy"), host()],
            "swx-2/switch_qos.roce: pool_type is 'lossy'; allowed is 'lossless'",
        ),
        (
            [switch(), host(cnp_dscp="40", tsa="ets,ets,ets,ets,ets,strict,ets,ets")],
            f"{HOST}: cnp_dscp is 40 (priority 5), but {SWITCH} has strict_traffic_class 6; allowed is a "
            "cnp_dscp of 48 to 55",
        ),
        (
            [Resource("command:remote:Command", HOST, {"stdin": "pfc 0,0,0,1"})],
            f"{HOST}: its stdin cannot be read, so the fabric cannot be proven lossless; allowed are lines",
        ),
    ],
)
def test_what_does_not_close(resources: list[Resource], said: str) -> None:
    found = list(fabric.lossless(resources))
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize("missing", [*SWITCH_LINES, *HOST_LINES])
def test_a_line_that_is_not_there(missing: str) -> None:
    def without(lines: dict[str, str]) -> dict[str, Any]:
        return {"stdin": flat.render({key: value for key, value in lines.items() if key != missing})}

    found = list(
        fabric.lossless(
            [Resource("", SWITCH, without(SWITCH_LINES)), Resource("", HOST, without(HOST_LINES))]
        )
    )
    assert found
    assert all(f"has no line {missing!r}" in sentence for sentence in found)


def judged(*resources: Resource) -> list[list[str]]:
    (policy,) = (one for one in Analyzer().policies if one.name == "lossless-fabric")
    return [list(policy.judge(one)) for one in resources]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_half_that_comes_second_is_told_once_whatever_the_order(order: tuple[int, int]) -> None:
    halves = [switch(**OTHER_SWITCH), host()]
    first, second, again = judged(*(halves[index] for index in order), host("clx/gpu_host.nouveau"))
    assert first == []
    assert len(second) == 1
    assert again == []


def test_halves_that_agree_are_told_nothing() -> None:
    assert judged(switch(), host(), host("clx-2/ofed_stack.qos")) == [[], [], []]
