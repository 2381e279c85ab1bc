"""Waiting for a new boot: what a host says each time it is asked, and what comes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from facts.boot import SETTLE_S, Boot, BootError, Clock, NoAnswer, Wait, parse, wait

STEP = "gpu_host.nouveau"
OLD = Boot(awaited=STEP, starting=False)
STARTING = Boot(awaited=None, starting=True)
UP = Boot(awaited=None, starting=False)
GONE = NoAnswer("connection refused")


@dataclass
class Host:
    """A host that gives these answers, one each time it is asked; the last one it gives for ever."""

    answers: list[Boot | NoAnswer]
    told: list[str] = field(default_factory=list)
    time: float = 0.0
    pauses: list[float] = field(default_factory=list)

    async def look(self) -> Boot:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    def wait(self, policy: str = "auto", deadline_s: float = 900) -> bool:
        wanted = Wait("clx-mld-41", STEP, policy, deadline_s)
        clock = Clock(now=lambda: self.time, sleep=self._sleep)
        return asyncio.run(wait(wanted, self.look, self.told.append, clock))


@pytest.mark.parametrize(
    ("answers", "rebooted"),
    [
        ([UP], False),
        ([STARTING], False),
        ([GONE, UP], False),
        ([OLD, OLD, GONE, GONE, STARTING, UP], True),
        ([OLD, UP], True),
    ],
    ids=["nothing asked for", "somebody's reboot", "over before the first look", "usual", "very fast"],
)
def test_a_host_that_comes_back(answers: list[Boot | NoAnswer], rebooted: bool) -> None:
    host = Host(list(answers))
    assert host.wait() is rebooted
    assert len(host.pauses) == len(answers) - 1


def test_pauses_grow_to_a_bound() -> None:
    host = Host([*([GONE] * 12), UP])
    host.wait()
    assert host.pauses[:3] == [0.5, 0.75, 1.125]
    assert max(host.pauses) == 5.0
    assert host.pauses == sorted(host.pauses)


def test_a_unit_that_starts_for_ever_holds_up_nothing() -> None:
    host = Host([OLD, GONE, STARTING])
    assert host.wait() is True
    assert SETTLE_S <= host.time < SETTLE_S + 10


@pytest.mark.parametrize(
    ("policy", "answers", "says"),
    [
        ("auto", [OLD], "still runs the boot that its reboot for gpu_host.nouveau should have ended"),
        (
            "auto",
            [OLD, GONE],
            "has not come back from its reboot for gpu_host.nouveau .*: connection",
        ),
        ("ask", [OLD], "needs a reboot for gpu_host.nouveau, and nobody rebooted it"),
        ("ask", [OLD, GONE], "has not come back"),
    ],
)
def test_a_host_that_does_not_come_back(policy: str, answers: list[Boot | NoAnswer], says: str) -> None:
    host = Host(list(answers))
    with pytest.raises(BootError, match=f"^clx-mld-41 {says}.*Hint: "):
        host.wait(policy, deadline_s=60)
    assert 50 < host.time <= 60


def test_ask_says_once_which_host_to_reboot_and_goes_on_when_it_was() -> None:
    host = Host([OLD, OLD, OLD, GONE, UP])
    assert host.wait("ask") is True
    assert len(host.told) == 1
    assert host.told[0].startswith("clx-mld-41 needs a reboot for gpu_host.nouveau")


def test_auto_asks_nobody() -> None:
    host = Host([OLD, UP])
    host.wait("auto")
    assert host.told == []


def test_never_asks_the_host_nothing() -> None:
    host = Host([OLD])
    assert host.wait("never") is False
    assert host.pauses == []


@pytest.mark.parametrize(
    ("text", "boot"),
    [
        ("token=8d7e:12\nawaited=\nstate=running\n", UP),
        ("token=8d7e:12\nawaited=\nstate=starting\n", STARTING),
        ("token=8d7e:12\nawaited=gpu_host.nouveau\nstate=degraded\n", OLD),
        ("token=8d7e:12\nawaited=gpu_host.nouveau\nstate=stopping\n", Boot(STEP, True)),
    ],
)
def test_what_a_host_says(text: str, boot: Boot) -> None:
    assert parse(text) == boot


@pytest.mark.parametrize("text", ["", "token=\nawaited=\nstate=running\n", "token=8d7e:12\n", "Last login\n"])
def test_half_an_answer_is_none(text: str) -> None:
    with pytest.raises(NoAnswer):
        parse(text)
