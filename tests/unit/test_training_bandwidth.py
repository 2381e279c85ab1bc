"""Bandwidth between hosts: the rounds, what the containers may do, and what the tools' outputs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from facts.evidence import Gid
from training.bandwidth import (
    NO_VERDICT,
    End,
    OutputError,
    Plan,
    came_too_early,
    client,
    judge,
    read_iperf3,
    read_write_bw,
    rounds,
    server,
)

FIXTURES = Path(__file__).parents[1] / "fixtures/bandwidth"
TCP = Plan(image="sha256:a", rdma=False, seconds=2, port=18515, tos=106)
RDMA = Plan(image="sha256:a", rdma=True, seconds=2, port=18515, tos=106)
END = End("31.31.31.41", "mlx5_0", 1, "uverbs0", Gid(3, "::ffff:1f1f:1f29", "RoCE v2"))


def recorded(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("pairs", ["ring", "all"])
@pytest.mark.parametrize("count", [2, 3, 8, 9])
def test_every_pair_once_and_no_host_twice_a_round(pairs: str, count: int) -> None:
    hosts = [f"h{number}" for number in range(count)]
    planned = rounds(hosts, pairs)
    for one in planned:
        assert len({host for pair in one for host in pair}) == 2 * len(one)
    done = [pair for one in planned for pair in one]
    assert len(set(done)) == len(done) == (count if pairs == "ring" else count * (count - 1))
    assert {sender for sender, _ in done} == {receiver for _, receiver in done} == set(hosts)


def test_a_ring_takes_few_rounds() -> None:
    assert len(rounds([f"h{number}" for number in range(256)], "ring")) == 2


@pytest.mark.parametrize(("hosts", "pairs"), [(["a"], "ring"), (["a"], "all"), (["a", "b"], "none")])
def test_nothing_to_measure(hosts: list[str], pairs: str) -> None:
    assert rounds(hosts, pairs) == []


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="ring, all or none"):
        rounds(["a", "b"], "star")


@pytest.mark.parametrize("plan", [TCP, RDMA])
def test_containers_have_no_right_too_many(plan: Plan) -> None:
    for words in (server(plan, END), client(plan, END, "31.31.31.42")):
        text = " ".join(words)
        assert "--rm" in words
        assert "--cap-drop ALL" in text
        assert "--privileged" not in text
        assert ("IPC_LOCK" in text) is plan.rdma
        assert ("--device /dev/infiniband/uverbs0" in text) is plan.rdma


def test_rdma_is_measured_at_the_resolved_gid_and_in_the_roce_class() -> None:
    text = " ".join(client(RDMA, END, "31.31.31.42"))
    assert "ib_write_bw --ib-dev mlx5_0 --ib-port 1 --gid-index 3 --tclass 106" in text
    assert text.endswith(" 31.31.31.42")
    assert not " ".join(server(RDMA, END)).endswith(" 31.31.31.42")


def test_outputs() -> None:
    assert read_write_bw(recorded("ib_write_bw.txt")) == 92.4
    assert round(read_iperf3(recorded("iperf3.json")), 2) == 19.87
    # Docker's own warning may stand before the tool's answer.
    assert round(read_iperf3("WARNING: no swap limit\n" + recorded("iperf3.json")), 2) == 19.87


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (read_write_bw, recorded("ib_write_bw-refused.txt"), "Unable to init the socket"),
        (read_write_bw, recorded("ib_write_bw.txt").replace("92.40", "0.00"), "no byte arrived"),
        (read_write_bw, "", "nothing"),
        (read_iperf3, recorded("iperf3-refused.json"), "Connection refused"),
        (read_iperf3, "docker: executable file not found in $PATH", "executable file not found"),
        (read_iperf3, "{}", r"\{\}"),
    ],
)
def test_an_output_without_a_figure(read: object, text: str, words: str) -> None:
    assert callable(read)
    with pytest.raises(OutputError, match=words):
        read(text)


@pytest.mark.parametrize(
    ("name", "early"),
    [
        ("ib_write_bw-refused.txt", True),
        ("iperf3-refused.json", True),
        ("ib_write_bw.txt", False),
        ("iperf3.json", False),
    ],
)
def test_who_came_too_early_is_asked_again(name: str, early: bool) -> None:
    assert came_too_early(recorded(name)) is early


@pytest.mark.parametrize(
    ("plan", "gbits", "link", "percent", "verdict"),
    [
        (RDMA, 92.4, 100_000, 92.4, "passed"),
        (RDMA, 90.0, 100_000, 90.0, "passed"),
        (RDMA, 89.9, 100_000, 89.9, "failed"),
        (RDMA, 92.4, None, None, "none: the link's speed cannot be read"),
        (TCP, 3.2, 100_000, None, NO_VERDICT),
    ],
)
def test_verdict(plan: Plan, gbits: float, link: int | None, percent: float | None, verdict: str) -> None:
    one = judge(("a", "b"), plan, gbits, link, 90.0)
    assert (one.percent, one.verdict, one.failed) == (percent, verdict, verdict == "failed")
