"""Host-to-host bandwidth: who sends to whom and when, the tools' commands, and what their output says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from facts.evidence import Gid

SERVER, CLIENT = "rocestack-bandwidth-server", "rocestack-bandwidth-client"
NO_VERDICT = "none: tcp, not RDMA"
# The client came before the server listened; it is to be asked again.
_TOO_EARLY = re.compile(r"Couldn't connect to|Connection refused|unable to connect to server", re.IGNORECASE)

Pair = tuple[str, str]


class OutputError(ValueError):
    """A tool's output has no figure; the message says what it says instead."""


@dataclass(frozen=True)
class End:
    """One end of a measurement: its data address and, with RDMA, device, port, file and GID."""

    address: str
    device: str = ""
    port: int = 1
    verbs: str = ""
    gid: Gid | None = None


@dataclass(frozen=True)
class Plan:
    """What is measured: `tos` is the IPv4 ToS byte of RoCE packets, `port` the TCP port of the tools."""

    image: str
    rdma: bool
    seconds: int
    port: int
    tos: int


def rounds(hosts: Sequence[str], pairs: str) -> list[list[Pair]]:
    """Return the pairs (sender, receiver) of ``ring`` or ``all``, those of a round without a common host.

    One host alone has no pair. Raises ValueError for other words.
    """
    if pairs == "none" or len(hosts) < 2:
        return []
    if pairs == "ring":
        wanted = [(one, hosts[(place + 1) % len(hosts)]) for place, one in enumerate(hosts)]
    elif pairs == "all":
        wanted = [(one, other) for one in hosts for other in hosts if one != other]
    else:
        raise ValueError(f"pairs must be ring, all or none, not {pairs!r}")
    planned: list[list[Pair]] = []
    for pair in wanted:
        free = (one for one in planned if not any(set(pair) & set(other) for other in one))
        place = next(free, None)
        if place is None:
            planned.append([pair])
        else:
            place.append(pair)
    return planned


def server(plan: Plan, end: End) -> list[str]:
    """Return docker's words for the receiving end; the container goes when it ends."""
    words = ["run", "--detach", "--rm", "--name", SERVER, *_confined(plan, end), plan.image]
    if plan.rdma:
        return [*words, *_write_bw(plan, end)]
    return [*words, "iperf3", "--server", "--one-off", "--bind", end.address, "--port", str(plan.port)]


def client(plan: Plan, end: End, peer: str) -> list[str]:
    """Return docker's words for the sending end, which prints the figure; `peer` is the other's address."""
    words = ["run", "--rm", "--name", CLIENT, *_confined(plan, end), plan.image]
    if plan.rdma:
        return [*words, *_write_bw(plan, end), peer]
    seconds = ("--time", str(plan.seconds))
    return [
        *words,
        *("iperf3", "--client", peer, "--bind", end.address, "--port", str(plan.port), *seconds, "--json"),
    ]


def _confined(plan: Plan, end: End) -> list[str]:
    """Return what a container may do: the host's network and, for RDMA, one device and locked memory."""
    words = ["--network", "host", "--cap-drop", "ALL"]
    if plan.rdma:
        words += ["--cap-add", "IPC_LOCK", "--ulimit", "memlock=-1:-1"]
        words += ["--device", f"/dev/infiniband/{end.verbs}"]
    return words


def _write_bw(plan: Plan, end: End) -> list[str]:
    """Return perftest's command; both ends are given the same (`man ib_write_bw`)."""
    assert end.gid is not None  # the caller has looked
    return [
        *("ib_write_bw", "--ib-dev", end.device, "--ib-port", str(end.port)),
        *("--gid-index", str(end.gid.index), "--tclass", str(plan.tos), "--port", str(plan.port)),
        *("--duration", str(plan.seconds), "--report_gbits", "--CPU-freq"),
    ]


def came_too_early(text: str) -> bool:
    """Return whether a client's output says that nobody listened yet."""
    return _TOO_EARLY.search(text) is not None


def read_write_bw(text: str) -> float:
    """Return the average in Gb/s of `ib_write_bw --report_gbits`. Raises OutputError."""
    lines = text.splitlines()
    for place, line in enumerate(lines):
        if "BW average[Gb/sec]" not in line:
            continue
        for row in lines[place + 1 :]:
            words = row.split()
            # A warning about the processor's speed may stand between the head and its row.
            if len(words) >= 4 and words[0].isdigit() and words[1].isdigit():
                return _positive(words[3], text)
    raise OutputError(_last(text))


def read_iperf3(text: str) -> float:
    """Return what the receiver of `iperf3 --json` got, in Gb/s. Raises OutputError."""
    try:
        answer = json.loads(text[text.index("{") : text.rindex("}") + 1])
        if "error" in answer:
            raise OutputError(str(answer["error"]))
        return _positive(answer["end"]["sum_received"]["bits_per_second"] / 1e9, text)
    except OutputError:
        raise
    except (ValueError, KeyError, TypeError):
        raise OutputError(_last(text)) from None


def _positive(value: str | float, text: str) -> float:
    number = float(value)
    if not 0 < number < float("inf"):
        raise OutputError(f"no byte arrived: {_last(text)}")
    return number


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


@dataclass(frozen=True)
class Measured:
    """One pair's figure. `percent` is of the slower end's link, and is judged with RDMA alone."""

    sender: str
    receiver: str
    tool: str
    gbits: float
    percent: float | None
    verdict: str

    @property
    def failed(self) -> bool:
        """Whether the run must not start."""
        return self.verdict == "failed"


def judge(pair: Pair, plan: Plan, gbits: float, link_mbps: int | None, minimum_percent: float) -> Measured:
    """Return the figure with its verdict; without RDMA or a link speed there is none."""
    tool = "ib_write_bw" if plan.rdma else "iperf3"
    gbits = round(gbits, 2)
    if not plan.rdma:
        return Measured(*pair, tool, gbits, None, NO_VERDICT)
    if not link_mbps:
        return Measured(*pair, tool, gbits, None, "none: the link's speed cannot be read")
    percent = round(100 * gbits * 1000 / link_mbps, 1)
    return Measured(*pair, tool, gbits, percent, "passed" if percent >= minimum_percent else "failed")


def replay(words: Sequence[str]) -> str:
    """Return docker's words as a command for a person."""
    return shlex.join(["docker", *words])
