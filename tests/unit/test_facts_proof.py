"""The proof of a training, from hosts' answers before and after it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facts.evidence import END, EvidenceError, carries, moved, of_priority, parse, share_of_others
from facts.proof import NOT_THERE, Wanted, build, utc, verbs_fields
from facts.wire_proof import moved as moved_on_wire
from facts.wire_proof import problems

FIXTURES = Path(__file__).parents[1] / "fixtures/evidence"
HOST = "clx-mld-41"
WANTED = Wanted(
    run="1",
    transport="ibverbs",
    dscp=26,
    priority=3,
    addresses={HOST: "31.31.31.41"},
    image={"digest": "sha256:d"},
    dataset={"sha256": "e"},
)
FIGURES = {
    "final_top1": 0.71,
    "images_per_second": 43.0,
    "interface": "enp1f0",
    "run_id": "r1",
    "shards": [{"shard": 0, "host": HOST, "final_top1": 0.71, "images_per_second": 43.0}],
    "transport": "ibverbs",
}


def lines(name: str) -> list[str]:
    return (FIXTURES / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def proved(
    wanted: Wanted = WANTED, after: list[str] | None = None, before: list[str] | None = None, **verified: Any
) -> dict[str, Any]:
    told = {"bandwidth": [], "hosts": {HOST: before or lines("connectx")}, "run_id": "r1"} | verified
    figures = FIGURES | {"transport": wanted.transport}
    return build(wanted, figures, told, {HOST: after or lines("connectx-after")})


def test_a_proof_that_holds() -> None:
    found = proved()
    assert found["problems"] == []
    host = found["hosts"][HOST]
    assert host["gid"] == {"index": 3, "type": "RoCE v2"}
    assert host["priority_3"] == {
        "rx_bytes": 9_900_000,
        "rx_packets": 0,
        "rx_pause": 2,
        "tx_bytes": 9_900_000,
        "tx_packets": 0,
    }
    assert host["hardware"] == {"np_cnp_sent": 10, "out_of_sequence": 0}
    # 99 000 and 297 000 bytes of priority 0 beside twice 9 900 000.
    assert host["other_priorities_percent"] == 1.961
    assert host["versions"]["rdma_stack"] == "mlnx_ofed 4.2-1.2.0.0"
    assert found["shards"][0]["transport"] == "ibverbs"
    assert found["shards"][0]["gid_index"] == 3
    assert (found["started"], found["ended"]) == ("2026-11-26T09:00:01Z", "2026-11-26T09:09:58Z")
    assert found["dscp"]["test"] == "(tos & 0xfc) == 0x68"
    assert found["dscp"]["traffic_classes"] == [106]


def _without(name: str, *words: str) -> list[str]:
    return [line for line in lines(name) if not any(word in line for word in words)]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (_without("connectx-after", "rocestack-verbs"), "no line of the verbs library"),
        ([one.replace("class=106", "class=0") for one in lines("connectx-after")], "does not carry DSCP 26"),
        (
            [one.replace("transport=ibverbs", "transport=tcp") for one in lines("connectx-after")],
            "trained over tcp, not over ibverbs",
        ),
    ],
)
def test_a_proof_that_does_not_hold(after: list[str], words: str) -> None:
    problems = proved(after=after)["problems"]
    assert len(problems) == 1
    assert words in problems[0]


def test_two_hosts_must_move_bytes_on_the_lossless_priority() -> None:
    still = [line.replace("9950000", "50000").replace("9960000", "60000") for line in lines("connectx-after")]
    told = {"bandwidth": [], "hosts": {name: lines("connectx") for name in ("a", "b")}, "run_id": "r1"}
    shards = [{"shard": 0, "host": "a", "final_top1": 0.7, "images_per_second": 1.0}]
    figures = FIGURES | {"shards": shards}
    problems = build(WANTED, figures, told, {"a": still, "b": lines("connectx-after")})["problems"]
    assert len(problems) == 1
    assert problems[0].startswith("a moved no byte one way on priority 3")


def test_ecn_bits_do_not_matter() -> None:
    assert [carries(tos, 26) for tos in (0x68, 0x69, 0x6A, 0x6B)] == [True] * 4
    assert not any(carries(tos, 26) for tos in (0, 0x67, 0x6C, 48 << 2))


def test_what_is_not_there_is_never_zero() -> None:
    bare = ["time.epoch=1792900600", "version.kernel=6.1", "evidence.end="]
    found = proved(replace(WANTED, transport="tcp"), after=bare, before=bare)
    host = found["hosts"][HOST]
    assert {host[key] for key in ("gid", "hardware", "other_priorities_percent", "priority_3")} == {NOT_THERE}
    assert found["rdma"] == "tcp, not RDMA"
    assert found["dscp"] == found["started"] == found["ended"] == NOT_THERE
    assert found["shards"][0]["image_id"] == NOT_THERE
    assert found["problems"] == []


@pytest.mark.parametrize(
    "verified",
    [
        {"run_id": "another"},
        {"hosts": {}},
        # Asked again after the run, for another setting.
        {"hosts": {HOST: [one.replace("1792900000", "1792909999") for one in lines("connectx")]}},
    ],
)
def test_counters_of_another_time_prove_nothing(verified: dict[str, Any]) -> None:
    host = proved(**verified)["hosts"][HOST]
    assert host["priority_3"] == host["hardware"] == NOT_THERE
    assert host["gid"] != NOT_THERE


def test_counters() -> None:
    assert moved({"a": 5, "b": 5, "gone": 1}, {"a": 7, "b": 2, "new": 9}) == {"a": 2}
    assert of_priority({"rx_prio3_bytes": 1, "rx_prio4_bytes": 2, "rx_bytes": 3}, 3) == {"rx_bytes": 1}
    assert share_of_others({"rx_prio3_bytes": 3, "tx_prio0_bytes": 1, "tx_prio0_packets": 99}, 3) == 25.0
    assert share_of_others({}, 3) is None
    assert share_of_others({"rx_prio3_bytes": 0}, 3) is None


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-11-26T10:55:11.123456789Z", "2026-11-26T10:55:11Z"),
        ("2026-11-26T10:55:11.1+01:00", "2026-11-26T09:55:11Z"),
        ("0001-01-01T00:00:00Z", NOT_THERE),
        ("", NOT_THERE),
        ("yesterday", NOT_THERE),
    ],
)
def test_times(text: str, when: str) -> None:
    assert utc(text) == when


def test_the_data_is_what_the_shards_say() -> None:
    def told(*hashes: str) -> list[str]:
        lines_ = [
            f"log.s{at}=rocestack-shard: data train_records=9 manifest={one}" for at, one in enumerate(hashes)
        ]
        return [*lines("connectx")[:-1], *lines_, "evidence.end="]

    assert proved(after=told("e", "e"))["dataset"] == {
        "sha256": "e",
        "read_by_shards": {"train_records": "9", "manifest": "e"},
    }
    assert proved(after=told("e", "f"))["dataset"]["read_by_shards"] == "differs from shard to shard"
    assert proved()["dataset"]["read_by_shards"] == NOT_THERE
    assert not any("manifest" in one for one in proved(after=told("e", "e"))["problems"])
    assert "manifest is f, not e" in " ".join(proved(after=told("f", "f"))["problems"])


def test_gid_of_another_address() -> None:
    found = parse(lines("connectx"))
    gid = found.gid_of("31.31.31.41")
    assert gid is not None
    assert gid.index == 3
    assert found.gid_of("31.31.31.42") is None


def test_the_last_line_of_the_library_counts() -> None:
    first, last = "rocestack-verbs: set gid_index=1", "rocestack-verbs: set gid_index=3 type='RoCE v2'"
    assert verbs_fields([first, "x", last]) == {"gid_index": "3", "type": "RoCE v2"}
    assert verbs_fields(["rocestack-verbs: error: gid_index=1"]) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ([], "cut off"),
        (lines("connectx")[:-1], "cut off"),
        (["hello", "evidence.end="], "not a line"),
        (["counter.rx_prio3_bytes=many", "evidence.end="], "cannot be read"),
        (["container.x={", "evidence.end="], "cannot be read"),
    ],
)
def test_answers_that_are_not_the_scripts(text: list[str], words: str) -> None:
    with pytest.raises(EvidenceError, match=words):
        parse(text)


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ("sha256:IMAGE", []),
        ({HOST: "sha256:IMAGE", "clx-mld-42": "sha256:other"}, []),
        ("sha256:other", [f"Shard 0 on {HOST} ran the image sha256:IMAGE, not sha256:other."]),
        ({HOST: "sha256:other"}, [f"Shard 0 on {HOST} ran the image sha256:IMAGE, not sha256:other."]),
        ({"clx-mld-42": "sha256:other"}, []),
    ],
)
def test_a_shard_that_ran_another_image_than_its_host_was_given_proves_nothing(
    given: object, problems: list[str]
) -> None:
    ran = str(proved()["shards"][0]["image_id"])
    assert ran.startswith("sha256:")

    def named(value: object) -> object:
        if isinstance(value, dict):
            return {key: named(one) for key, one in value.items()}
        return ran if value == "sha256:IMAGE" else value

    found = proved(replace(WANTED, image={"id": named(given)}))
    assert found["problems"] == [one.replace("sha256:IMAGE", ran) for one in problems]


WIRE = FIXTURES.parent / "wire" / "rdma-cm"


def _wire(way: str, *, zeroed: bool = False) -> str:
    """Return the recorded counters of one way as a host tells them; `zeroed`: as they were made."""
    listed = json.loads((WIRE / f"{way}.json").read_text(encoding="utf-8"))
    for one in [one for one in listed if "options" in one and zeroed]:
        one["options"]["actions"][0]["stats"]["packets"] = 0
    return f"wire.{way}={json.dumps(listed)}"


def _soft(*, zeroed: bool = False, boot: str = "b1", sent: int = 62) -> list[str]:
    """Return what a guest tells, with 62 packets out and 63 in since its counters were made."""
    counted = (0, 0) if zeroed else (sent, 63)
    return [
        *(line for line in lines("connectx" if zeroed else "connectx-after") if line != END),
        f"time.boot={boot}",
        f"hardware.sent_pkts={counted[0]}",
        f"hardware.rcvd_pkts={counted[1]}",
        *(_wire(way, zeroed=zeroed) for way in ("egress", "ingress")),
        END,
    ]


def _counted(after: list[str]) -> dict[str, Any]:
    return proved(replace(WANTED, wire=True), after=after, before=_soft(zeroed=True))


def test_every_packet_that_was_counted_is_part_of_the_proof() -> None:
    found = _counted(_soft())
    assert found["problems"] == []
    assert found["wire"] == {"packets": 62, "marked": 62}
    wire = found["hosts"][HOST]["wire"]
    assert (wire["egress"]["device"], wire["ingress"]["total"], wire["ingress"]["ipv6"]) == (62, 63, 0)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (_soft(sent=70), "its RDMA device sent 70 packets, and 62 were seen to leave"),
        (lines("connectx-after"), "has no count of the RoCE packets on its wire"),
        # Counters of another boot began anew.
        (_soft(boot="b2"), "has no count of the RoCE packets on its wire"),
    ],
)
def test_a_wire_that_does_not_prove_it(after: list[str], said: str) -> None:
    problems = _counted(after)["problems"]
    assert len(problems) == 1
    assert said in problems[0]


def test_a_host_that_should_not_count_need_not() -> None:
    assert proved()["wire"] == NOT_THERE
    assert (
        proved(replace(WANTED, transport="tcp", wire=True), after=[*lines("connectx-after")])["wire"]
        == NOT_THERE
    )


GUEST = "clx-vm-41"


def test_packets_of_a_training_as_a_guest_counted_them() -> None:
    shard = {"shard": 0, "host": GUEST, "final_top1": 0.5, "images_per_second": 1.0}
    wanted = replace(WANTED, wire=True, addresses={GUEST: "31.31.32.41"}, dataset={}, image={})
    told = {"bandwidth": [], "hosts": {GUEST: lines("soft-roce")}, "run_id": "r1"}
    found = build(wanted, FIGURES | {"shards": [shard]}, told, {GUEST: lines("soft-roce-after")})
    assert found["problems"] == []
    assert found["wire"] == {"packets": 61405, "marked": 61405}
    host = found["hosts"][GUEST]
    assert host["gid"] == {"index": 1, "type": "RoCE v2"}
    assert host["wire"]["egress"]["device"] == host["hardware"]["sent_pkts"] == 61405
    assert host["wire"]["ingress"] == {**host["wire"]["egress"], **dict.fromkeys(ALL_IN, 61390)}
    assert found["shards"][0]["verbs"]["device"] == "rxe0"


def test_a_training_without_the_library_is_refused_packet_by_packet() -> None:
    before, after = (parse(lines(f"soft-roce-unmarked{when}")) for when in ("", "-after"))
    assert problems("clx-vm-42", moved_on_wire(before, after), 26) == [
        "19955 of 19955 RoCE packets that left clx-vm-42 were not IPv4 with DSCP 26: 19955 had DSCP 0, "
        "19955 were IPv6.",
        "19788 of 19788 RoCE packets that reached clx-vm-42 were not IPv4 with DSCP 26: 19788 had DSCP 0, "
        "19788 were IPv6.",
    ]


# What came in, by the wire and by the device alike.
ALL_IN = ("ipv4", "marked", "total", "device")
