"""The wait for the shards, against hosts that answer from recorded outputs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from training.remote import Answer, HostLost, HostRefused
from training.request import Access, Shard, WaitRequest
from training.wait import JobFailed, wait_for_job

FIXTURES = Path(__file__).parents[1] / "fixtures/trainer"
ACCESS = Access("127.0.0.1", 22401, "root", "key", "file")


def recorded(case: str) -> list[str]:
    """The lines of a recorded output."""
    return (FIXTURES / case / "output.txt").read_text(encoding="utf-8").splitlines()


def run_id() -> str:
    """The recorded job's run id."""
    return recorded("finished-0")[0].split("run_id=")[1].split()[0]


def request(deadline_s: float = 5.0) -> WaitRequest:
    """The recorded job as a request."""
    return WaitRequest(
        run_id=run_id(),
        transport="tcp",
        interface="eth0",
        deadline_s=deadline_s,
        shards=(Shard(0, "a", "s0", ACCESS), Shard(1, "b", "s1", ACCESS)),
    )


@dataclass
class FakeDocker:
    """A host with one container: its output, its end (None: it runs on until stopped), and troubles."""

    lines: list[str]
    ends: int | None
    troubles: list[Exception] = field(default_factory=list)
    gone: bool = False
    stopped: bool = False
    lost: bool = False

    async def run(self, *words: str) -> Answer:
        if self.lost:
            raise HostLost("b is lost: no route to host")
        if words[0] == "stop":
            self.stopped = True
            self.ends = 143
            return Answer(0, "")
        if words[0] == "logs":
            return Answer(0, "\n".join(self.lines))
        if self.gone:
            return Answer(1, "Error: No such container: s")
        state = {
            "Status": "running" if self.ends is None else "exited",
            "ExitCode": self.ends or 0,
            "OOMKilled": False,
        }
        return Answer(0, json.dumps(state))

    async def follow(self, container: str) -> AsyncIterator[str]:
        if self.lost:
            raise HostLost("b is lost: no route to host")
        if self.troubles:
            raise self.troubles.pop(0)
        for line in self.lines:
            yield line
        while self.ends is None:
            await asyncio.sleep(0.01)


def finished(shard: int) -> FakeDocker:
    """A host whose shard has ended well."""
    return FakeDocker(recorded(f"finished-{shard}"), 0)


def wait(hosts: dict[str, FakeDocker], deadline_s: float = 5.0) -> tuple[str, list[str]]:
    """The figures, and what was said."""
    said: list[str] = []
    return asyncio.run(wait_for_job(request(deadline_s), hosts, said.append)), said


def failure(hosts: dict[str, FakeDocker], deadline_s: float = 5.0) -> str:
    """The message of a job that fails."""
    with pytest.raises(JobFailed) as caught:
        wait(hosts, deadline_s)
    return str(caught.value)


def test_a_finished_job_gives_figures() -> None:
    hosts = {"a": finished(0), "b": finished(1)}
    text, said = wait(hosts)
    figures = json.loads(text)
    assert figures["run_id"] == run_id()
    assert [shard["host"] for shard in figures["shards"]] == ["a", "b"]
    assert not hosts["a"].stopped
    assert len([line for line in said if line.startswith("shard 0 on a: epoch")]) == 8
    assert said[-1].endswith("ended with exit status 0")


def test_asking_again_gives_the_same_figures() -> None:
    assert wait({"a": finished(0), "b": finished(1)})[0] == wait({"a": finished(0), "b": finished(1)})[0]


def test_a_failed_shard_stops_the_others() -> None:
    hosts = {"a": FakeDocker(recorded("finished-0")[:9], None), "b": FakeDocker(recorded("lmdb-missing"), 1)}
    text = failure(hosts)
    assert text.startswith(
        "Shard 1 on b failed with exit status 1: "
        "The training data cannot be opened: No such file or directory.\nHint: Is the data set on this host"
    )
    assert "\nThe last lines of its log (s1):\n  " in text
    assert hosts["a"].stopped
    assert not hosts["b"].stopped
    # How the others ended is told too, with their own last lines.
    assert "\nShard 0 on a was stopped (exit status 143).\n  " in text


def test_the_cause_stands_before_its_consequence() -> None:
    text = failure(
        {"a": FakeDocker(recorded("peer-killed-survivor"), 1), "b": FakeDocker(recorded("killed"), 137)}
    )
    told = [line for line in text.splitlines() if line.startswith("Shard ")]
    assert text.startswith(told[0])
    assert told == [
        "Shard 1 on b failed with exit status 137: It was killed from outside.",
        "Shard 0 on a failed with exit status 1: Another shard broke the connection.",
    ]
    assert text.splitlines()[-1] == "  rocestack-shard: end exit=1"
    assert "rocestack-csv" not in text


TIMED_OUT = ["ERROR:timeout_guard:Call did not finish in time. Timeout:45s PID: 7"]


def test_where_all_fell_because_of_another_it_was_the_network() -> None:
    text = failure({"a": FakeDocker(TIMED_OUT, 134), "b": FakeDocker(TIMED_OUT, 134)})
    assert text.startswith("No shard failed by itself: the data network between their hosts stopped, or a")
    assert text.count("Another shard stopped answering.") == 2


def test_where_one_fell_by_itself_it_was_not_the_network() -> None:
    text = failure({"a": FakeDocker(TIMED_OUT, 134), "b": FakeDocker(recorded("killed"), 137)})
    assert "No shard failed by itself" not in text


def test_a_host_that_started_anew_is_the_cause() -> None:
    away = FakeDocker(recorded("finished-1")[:9], 143, troubles=[HostLost("b is lost: connection reset")])
    text = failure({"a": FakeDocker(TIMED_OUT, 134), "b": away})
    assert text.startswith("Shard 1 on b failed with exit status 143: Its host went away in the middle of")
    assert "Shard 0 on a failed with exit status 134: Another shard stopped answering." in text


def test_the_deadline_stops_all() -> None:
    hosts = {"a": FakeDocker([], None), "b": FakeDocker([], None)}
    assert failure(hosts, deadline_s=0.05).startswith("The job did not end within its 0.05 s.")
    assert hosts["a"].stopped
    assert hosts["b"].stopped


def test_a_lost_host_is_asked_again() -> None:
    hosts = {"a": finished(0), "b": finished(1)}
    hosts["b"].troubles = [HostLost("b is lost: no answer"), HostLost("b is lost: no answer")]
    text, said = wait(hosts)
    assert json.loads(text)["final_top1"] > 0.5
    assert said.count("shard 1 on b: b is lost: no answer; trying again") == 1


def test_a_host_that_died_is_the_cause_of_what_its_peers_say() -> None:
    hosts = {"a": FakeDocker(recorded("peer-killed-survivor"), 1), "b": FakeDocker([], None, lost=True)}
    said: list[str] = []

    async def soon() -> str:
        return await wait_for_job(request(), hosts, said.append, grace_s=0.05)

    with pytest.raises(JobFailed) as caught:
        asyncio.run(soon())
    text = str(caught.value)
    assert text.startswith(
        "Shard 1 on b is on a host that does not answer: b is lost: no route to host.\nHint: "
    )
    assert "\nShard 0 on a failed with exit status 1: Another shard broke the connection." in text
    assert text.endswith("Shard 1 on b could not be looked after: b is lost: no route to host.")


def test_progress_tells_rate_loss_and_accuracy() -> None:
    said = wait({"a": finished(0), "b": finished(1)})[1]
    steps = [line for line in said if line.startswith("shard 1 on b: epoch 4, step ")]
    assert len(steps) == 2
    assert re.fullmatch(
        r"shard 1 on b: epoch 4, step 20/20, \d+\.\d images/s, loss \d\.\d{3}, accuracy [01]\.\d\d", steps[1]
    )


def _over_verbs(*, spoken: bool) -> list[str]:
    lines = [line.replace("transport=tcp", "transport=ibverbs") for line in recorded("finished-0")]
    return [lines[0], *(["rocestack-verbs: set gid_index=3"] if spoken else []), *lines[1:]]


def test_a_shard_over_verbs_that_does_not_mark_is_stopped_at_its_first_step() -> None:
    hosts = {
        "a": FakeDocker(_over_verbs(spoken=False), None),
        "b": FakeDocker(_over_verbs(spoken=True), None),
    }
    with pytest.raises(JobFailed) as caught:
        asyncio.run(wait_for_job(replace(request(), transport="ibverbs"), hosts, lambda _: None))
    assert str(caught.value).startswith("Shard 0 on a trains over ibverbs without a line of our library")
    assert hosts["a"].stopped
    assert hosts["b"].stopped


def test_a_host_that_lets_nobody_in_ends_the_wait() -> None:
    hosts = {"a": FakeDocker([], None), "b": finished(1)}
    hosts["b"].troubles = [HostRefused("b does not let root in with the key k.")]
    assert failure(hosts).startswith("b does not let root in with the key k.\nHint: ")
    assert hosts["a"].stopped


def test_a_container_that_is_gone_ends_the_wait() -> None:
    hosts = {"a": finished(0), "b": FakeDocker([], 0, gone=True)}
    assert failure(hosts).startswith("The container of shard 1 on b is not on its host any more.")


def test_an_end_without_figures_is_a_failure() -> None:
    hosts = {"a": finished(0), "b": FakeDocker(recorded("finished-1")[:40], 0)}
    assert failure(hosts) == "Shard 1 on b ended well, but its output has no row of the trainer's CSV file."


def test_another_run_is_a_failure() -> None:
    hosts = {"a": finished(0), "b": finished(1)}
    with pytest.raises(JobFailed, match="not 0 of another"):
        asyncio.run(wait_for_job(replace(request(), run_id="another"), hosts, lambda _: None))


def test_cancelled_it_leaves_the_shards_running() -> None:
    hosts = {"a": FakeDocker([], None), "b": FakeDocker([], None)}

    async def interrupted() -> None:
        task = asyncio.create_task(wait_for_job(request(), hosts, lambda _: None))
        await asyncio.sleep(0.02)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert not hosts["a"].stopped
    assert not hosts["b"].stopped
