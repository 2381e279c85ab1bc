"""The start of the shards: what was made and never started starts; where one cannot, none runs on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from training import launch as module
from training.launch import launch
from training.remote import Answer, HostLost, HostRefused
from training.request import Access, Shard, WaitRequest
from training.wait import JobFailed

ACCESS = Access("127.0.0.1", 22401, "root", "key", "file")
REQUEST = WaitRequest(
    "r", "tcp", "enp1f0", 60.0, (Shard(0, "a", "s0", ACCESS), Shard(1, "b", "s1", ACCESS)), waits=False
)


@dataclass
class FakeDocker:
    """A host with one container (`status`), and what its engine says to a start (nothing: it starts)."""

    status: str = "created"
    says: str = ""
    troubles: list[Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def run(self, *words: str) -> Answer:
        if self.troubles:
            raise self.troubles.pop(0)
        self.asked.append(words[0])
        if words[0] == "start" and self.says:
            return Answer(1, self.says)
        if words[0] in ("start", "stop"):
            self.status = {"start": "running", "stop": "exited"}[words[0]]
            return Answer(0, "")
        if self.status == "removed":
            return Answer(1, "Error: No such container: s0")
        return Answer(0, json.dumps({"Status": self.status, "ExitCode": 0, "OOMKilled": False}))

    async def follow(self, container: str) -> AsyncIterator[str]:
        yield ""


def start(**hosts: FakeDocker) -> list[str]:
    said: list[str] = []
    asyncio.run(launch(REQUEST, hosts, said.append))
    return said


def failure(**hosts: FakeDocker) -> str:
    with pytest.raises(JobFailed) as caught:
        start(**hosts)
    return str(caught.value)


def test_all_are_started() -> None:
    hosts = {"a": FakeDocker(), "b": FakeDocker()}
    assert start(**hosts) == []
    assert [one.status for one in hosts.values()] == ["running", "running"]


@pytest.mark.parametrize("status", ["running", "exited"])
def test_what_was_started_before_is_left_alone(status: str) -> None:
    hosts = {"a": FakeDocker(status), "b": FakeDocker(status)}
    start(**hosts)
    assert [one.asked for one in hosts.values()] == [["container"], ["container"]]


@pytest.mark.parametrize(
    ("says", "hint"),
    [
        (
            "Error response from daemon: error gathering device information while adding custom device "
            '"/dev/infiniband/uverbs0": no such file or directory',
            "see `ls /dev/infiniband` there",
        ),
        (
            'Error response from daemon: could not select device driver "" with capabilities: [[gpu]]',
            "see `nvidia-smi` there",
        ),
        ("Error response from daemon: mkdir /var/lib/docker/x: no space left on device", "free space there"),
        ("Error response from daemon: something new", "see `docker inspect`"),
    ],
)
def test_one_that_cannot_start_stops_the_others(says: str, hint: str) -> None:
    hosts = {"a": FakeDocker(), "b": FakeDocker(says=says)}
    text = failure(**hosts)
    assert text.startswith(f"Shard 1 on b could not be started; Docker says: {says}\n")
    assert f"To replay there: docker start s1\nHint: {hint}" in text
    assert hosts["a"].status == "exited"
    assert hosts["b"].status == "created"


def test_one_that_is_gone() -> None:
    assert "Hint: run `pulumi up` again; it makes the job anew." in failure(
        a=FakeDocker("removed", says="Error: No such container: s0"), b=FakeDocker()
    )


def test_a_host_that_is_lost_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)
    hosts = {"a": FakeDocker(troubles=[HostLost("a is lost: refused")]), "b": FakeDocker()}
    assert start(**hosts) == []
    assert hosts["a"].status == "running"


@pytest.mark.parametrize("error", [HostLost("a is lost: refused"), HostRefused("a does not let root in.")])
def test_a_host_that_stays_away(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "_START_S", 0.2)
    monkeypatch.setattr(module, "_STOP_S", 0.2)
    hosts = {"a": FakeDocker(troubles=[error] * 1000), "b": FakeDocker()}
    assert failure(**hosts).startswith(f"Shard 0 on a could not be started: {str(error).rstrip('.')}")
    assert hosts["b"].status == "exited"
