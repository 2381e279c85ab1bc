"""RoCE packets counted on an interface, as tc lists its filters, and what they prove of a training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facts.evidence import Evidence
from facts.wire import Packets, WireError, parse
from facts.wire_proof import moved, problems, summary

FIXTURES = Path(__file__).parents[1] / "fixtures/wire"
MARKED = Packets(dscp=26, ipv4=100, ipv6=0, marked=100, marked_ipv6=0, zero=0)
NOTHING = Packets(dscp=26, ipv4=0, ipv6=0, marked=0, marked_ipv6=0, zero=0)


def recorded(case: str, way: str) -> str:
    return (FIXTURES / case / f"{way}.json").read_text(encoding="utf-8")


# case, way, packets: of the guests' own counters (tests/fixtures/wire/README.md)
RECORDED = [
    ("rdma-cm", "egress", Packets(dscp=26, ipv4=62, ipv6=0, marked=62, marked_ipv6=0, zero=0)),
    ("rdma-cm", "ingress", Packets(dscp=26, ipv4=63, ipv6=0, marked=63, marked_ipv6=0, zero=0)),
]


@pytest.mark.parametrize(("case", "way", "packets"), RECORDED)
def test_recorded_counters(case: str, way: str, packets: Packets) -> None:
    assert parse(recorded(case, way)) == packets


def _changed(number: int, change: Any) -> str:
    """Return a recorded list in which the filter of that number is changed, or left out."""
    listed = [one for one in json.loads(recorded("rdma-cm", "egress"))]
    for one in [one for one in listed if one["pref"] == number and "options" in one]:
        if change is None:
            listed.remove(one)
        else:
            change(one["options"])
    return json.dumps(listed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("{}", "is no list"),
        ("[]", "there is no counter 47911, 47912, 47913, 47914, 47915, 47916"),
        (_changed(47914, None), "there is no counter 47914"),
        (_changed(47911, lambda one: one["keys"].update(dst_port=53)), "is for UDP port 53, not 4791"),
        (_changed(47911, lambda one: one.pop("actions")), "has no figure"),
        (_changed(47911, lambda one: one["keys"].pop("ip_tos")), "are for the DSCPs"),
        (_changed(47914, lambda one: one["keys"].update(ip_tos=96)), "are for the DSCPs"),
        (_changed(47914, lambda one: one["keys"].update(ip_tos_mask="ff")), "looks at other bits"),
        (_changed(47914, lambda one: one["keys"].update(ip_tos="x")), "a ToS that cannot be read"),
    ],
)
def test_a_list_without_all_counters_is_an_error(text: str, said: str) -> None:
    with pytest.raises(WireError, match=said):
        parse(text)


def test_a_later_tc_prints_a_tos_with_its_mask() -> None:
    def change(options: Any) -> None:
        options["keys"]["ip_tos"] = "0x68/0xfc"
        del options["keys"]["ip_tos_mask"]

    assert parse(_changed(47911, change)) == parse(recorded("rdma-cm", "egress"))


def test_other_filters_of_the_interface_do_not_count() -> None:
    listed = json.loads(recorded("rdma-cm", "egress"))
    other = {"protocol": "ip", "pref": 1, "kind": "u32", "chain": 0, "options": {"fh": "800:"}}
    assert parse(json.dumps([other, *listed])) == parse(recorded("rdma-cm", "egress"))


def test_what_was_counted_since() -> None:
    later = Packets(dscp=26, ipv4=130, ipv6=2, marked=120, marked_ipv6=1, zero=5)
    grown = later.since(MARKED)
    assert grown == Packets(dscp=26, ipv4=30, ipv6=2, marked=20, marked_ipv6=1, zero=5)
    assert grown is not None
    assert (grown.total, grown.unmarked) == (32, 12)
    assert MARKED.since(later) is None


def _evidence(egress: Packets, ingress: Packets, sent: int, received: int) -> Evidence:
    return Evidence(
        wire={"egress": egress, "ingress": ingress}, hardware={"sent_pkts": sent, "rcvd_pkts": received}
    )


BEFORE = _evidence(NOTHING, NOTHING, 7, 7)


def _problems(after: Evidence) -> list[str]:
    return problems("h", moved(BEFORE, after), 26)


def test_all_packets_with_the_dscp_are_a_proof() -> None:
    assert _problems(_evidence(MARKED, MARKED, 107, 107)) == []


# What comes for a queue pair that is gone is on the wire alone.
def test_a_packet_that_arrives_too_late_is_no_problem() -> None:
    assert _problems(_evidence(MARKED, MARKED, 107, 105)) == []


ZERO = replace(MARKED, marked=0, zero=100)
SIXTH = Packets(dscp=26, ipv4=0, ipv6=100, marked=0, marked_ipv6=100, zero=0)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (
            _evidence(ZERO, MARKED, 107, 107),
            "100 of 100 RoCE packets that left h were not IPv4 with DSCP 26: 100 had DSCP 0, 0 were IPv6.",
        ),
        (
            _evidence(MARKED, SIXTH, 107, 107),
            "100 of 100 RoCE packets that reached h were not IPv4 with DSCP 26: 0 had DSCP 0, 100 were IPv6.",
        ),
        (_evidence(MARKED, NOTHING, 107, 7), "No RoCE packet reached h."),
        (
            _evidence(MARKED, MARKED, 108, 107),
            "h: its RDMA device sent 101 packets, and 100 were seen to leave.",
        ),
        (
            _evidence(MARKED, MARKED, 107, 109),
            "h: its RDMA device received 102 packets, and 100 were seen to arrive.",
        ),
        (Evidence(), "h has no count of the RoCE packets on its wire, so nobody saw their DSCP."),
    ],
)
def test_what_does_not_prove_it(after: Evidence, said: str) -> None:
    assert _problems(after) == [said]


def test_counters_that_were_set_back_are_no_count() -> None:
    assert moved(_evidence(MARKED, MARKED, 7, 7), _evidence(NOTHING, MARKED, 8, 8)) is None


def test_another_dscp_than_the_wanted_one_was_counted() -> None:
    after = _evidence(MARKED, MARKED, 107, 107)
    assert problems("h", moved(BEFORE, after), 24)[0] == "h counts DSCP 26 apart, not 24."
    assert moved(_evidence(replace(NOTHING, dscp=24), NOTHING, 7, 7), after) is None


def test_all_hosts_together() -> None:
    counted = moved(BEFORE, _evidence(MARKED, MARKED, 107, 107))
    assert summary({"a": {"wire": counted}, "b": {"wire": counted}}, "wire") == {
        "packets": 200,
        "marked": 200,
    }
    assert summary({"a": {"wire": counted}, "b": {"wire": "not there"}}, "wire") is None
    assert summary({}, "wire") is None
