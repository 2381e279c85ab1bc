"""The measurement before a run, against hosts that answer from recorded outputs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from facts.evidence import Evidence, parse
from settings import flat
from training import bandwidth, verify
from training.remote import Answer, HostLost
from training.request import RequestError
from training.verify import VerifyFailed, VerifyRequest, measure, render

FIXTURES = Path(__file__).parents[1] / "fixtures"
ADDRESSES = {"a": "31.31.31.41", "b": "31.31.31.42"}


def recorded(path: str) -> str:
    return (FIXTURES / path).read_text(encoding="utf-8")


def lines(**changed: str) -> dict[str, str]:
    values = {
        "run_id": "r1",
        "shards": "2",
        "transport": "tcp",
        "interface": "enp1f0",
        "deadline_seconds": "60",
        "image": "sha256:a",
        "minimum_percent": "90",
        "pairs": "ring",
        "port": "18515",
        "seconds": "2",
        "sysfs_root": "/sys",
        "tos": "106",
    }
    for index, (host, address) in enumerate(ADDRESSES.items()):
        values |= {
            f"shard_{index}_{key}": value
            for key, value in {
                "container": f"s{index}",
                "host": host,
                "address": "127.0.0.1",
                "port": "22401",
                "user": "root",
                "host_key": "key",
                "private_key_file": "file",
                "data_address": address,
            }.items()
        }
    return values | changed


def request(**changed: str) -> VerifyRequest:
    return verify.parse(flat.render(lines(**changed)))


@dataclass
class FakeDocker:
    """A host whose sending end says these texts, one after the other, and whose containers are counted."""

    says: list[str]
    starts: int = 0
    running: set[str] = field(default_factory=set)
    lost: bool = False

    async def run(self, *words: str) -> Answer:
        if self.lost:
            raise HostLost("a at 127.0.0.1:22401 is lost: refused")
        if words[0] == "rm":
            if words[-1] in self.running:
                self.running.discard(words[-1])
                return Answer(1, "removal of container is already in progress")
            return Answer(1, "Error: No such container: x")
        if "--detach" in words:
            self.running.add(bandwidth.SERVER)
            return Answer(self.starts, "docker: Error: no such image" if self.starts else "id")
        return Answer(0, self.says.pop(0) if len(self.says) > 1 else self.says[0])

    def follow(self, container: str) -> AsyncIterator[str]:
        raise AssertionError(f"nobody follows {container}")


def card(address: str) -> Evidence:
    text = recorded("evidence/connectx.txt").replace(
        "1f1f:1f29", "1f1f:1f29" if address.endswith("41") else "1f1f:1f2a"
    )
    return parse(text.splitlines())


CARDS = {name: card(address) for name, address in ADDRESSES.items()}
NO_CARDS = {name: Evidence() for name in ADDRESSES}


def run(asked: VerifyRequest, hosts: dict[str, FakeDocker], found: dict[str, Evidence]) -> list[str]:
    said: list[str] = []
    try:
        asyncio.run(measure(asked, hosts, found, said.append))
    finally:
        assert not any(one.running for one in hosts.values())
    return said


def two(text: str) -> dict[str, FakeDocker]:
    return {name: FakeDocker([text]) for name in ADDRESSES}


def test_tcp_has_a_figure_and_no_verdict() -> None:
    said = run(request(), two(recorded("bandwidth/iperf3.json")), NO_CARDS)
    assert said == [
        f"{one} to {other}: 19.87 Gb/s by iperf3 (none: tcp, not RDMA)"
        for one, other in (("a", "b"), ("b", "a"))
    ]


def test_who_comes_too_early_asks_again() -> None:
    hosts = two(recorded("bandwidth/iperf3.json"))
    hosts["a"].says.insert(0, recorded("bandwidth/iperf3-refused.json"))
    assert len(run(request(), hosts, NO_CARDS)) == 2


def test_rdma_passes() -> None:
    said = run(request(transport="ibverbs"), two(recorded("bandwidth/ib_write_bw.txt")), CARDS)
    assert said[0] == "a to b: 92.4 Gb/s by ib_write_bw, 92.4 % of the link (passed)"


def test_none_measures_nothing() -> None:
    assert run(request(pairs="none", transport="ibverbs"), {}, NO_CARDS) == []


SLOW = recorded("bandwidth/ib_write_bw.txt").replace("92.40", "41.20")


@pytest.mark.parametrize(
    ("changed", "text", "found", "words"),
    [
        (
            {"transport": "ibverbs"},
            SLOW,
            CARDS,
            "From a to b go 41.2 Gb/s, 41.2 % of the link's speed; wanted",
        ),
        ({"transport": "ibverbs"}, SLOW, NO_CARDS, "a has no RDMA device behind enp1f0"),
        ({"transport": "ibverbs"}, SLOW, {**CARDS, "b": CARDS["a"]}, "b has no RoCE v2 GID for 31.31.31.42"),
        ({}, "exec: iperf3: not found", NO_CARDS, "To replay, on b: docker run --detach"),
    ],
)
def test_what_stops_the_run(
    changed: dict[str, str], text: str, found: dict[str, Evidence], words: str
) -> None:
    with pytest.raises(VerifyFailed, match=words):
        run(request(**changed), two(text), found)


def test_a_server_that_does_not_start() -> None:
    hosts = two("")
    hosts["b"].starts = 125
    with pytest.raises(VerifyFailed, match="did not start on b: docker: Error: no such image"):
        run(request(), hosts, NO_CARDS)


def test_a_lost_host() -> None:
    hosts = two("")
    hosts["a"].lost = True
    with pytest.raises(VerifyFailed, match=r"from a to b: a at .* is lost"):
        run(request(), hosts, NO_CARDS)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"image": ""}, "image is missing"),
        ({"shard_1_data_address": "", "tos": ""}, "tos is missing; shard_1_data_address is missing"),
        ({"seconds": "two"}, "two"),
        ({"shards": "0"}, "shards must be"),
    ],
)
def test_wrong_requests(changed: dict[str, str], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        request(**changed)


def test_what_is_printed() -> None:
    text = render(request(), [], {"a": ["evidence.end="]})
    assert text.splitlines()[1:3] == ['  "bandwidth": [],', '  "hosts": {']
    assert '"run_id": "r1"' in text
