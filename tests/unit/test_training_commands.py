"""`make logs` and `make train`: each line has its shard's name, and a run's name is looked at first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from training.curves import read
from training.logs import tell
from training.remote import Answer, HostLost
from training.report import courses
from training.request import Access, Shard, WaitRequest
from training.start import StartError, check, commands

ACCESS = Access("127.0.0.1", 22401, "root", "key", "file")
REQUEST = WaitRequest(
    "r",
    "tcp",
    "enp1f0",
    60.0,
    (Shard(0, "a", "caffe2-shard-0", ACCESS), Shard(1, "b", "caffe2-shard-1", ACCESS)),
)


@dataclass
class FakeDocker:
    """A host with one container's output."""

    lines: list[str]
    lost: bool = False
    status: int = 0
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, *words: str) -> Answer:
        self.asked.append(words)
        if self.lost:
            raise HostLost("b is lost: refused")
        return Answer(self.status, "\n".join(self.lines))

    async def follow(self, container: str) -> AsyncIterator[str]:
        if self.lost:
            raise HostLost("b is lost: refused")
        for line in self.lines:
            yield line


@pytest.mark.parametrize("follow", [False, True])
def test_each_line_has_its_shards_name(follow: bool) -> None:
    said: list[str] = []
    hosts = {"a": FakeDocker(["one", "two"]), "b": FakeDocker(["three"])}
    assert asyncio.run(tell(REQUEST, hosts, said.append, follow=follow)) == []
    assert sorted(said) == ["caffe2-shard-0 | one", "caffe2-shard-0 | two", "caffe2-shard-1 | three"]


@pytest.mark.parametrize("follow", [False, True])
def test_a_lost_host_hides_no_other(follow: bool) -> None:
    said: list[str] = []
    hosts = {"a": FakeDocker(["one"]), "b": FakeDocker([], lost=True)}
    missing = asyncio.run(tell(REQUEST, hosts, said.append, follow=follow))
    assert said == ["caffe2-shard-0 | one"]
    assert missing == ["shard 1 on b: b is lost: refused"]


def test_a_container_that_is_gone() -> None:
    hosts = {"a": FakeDocker(["one"]), "b": FakeDocker(["No such container"], status=1)}
    missing = asyncio.run(tell(REQUEST, hosts, lambda _: None, follow=False))
    assert missing == ["shard 1 on b: docker says: No such container"]


def test_the_report_asks_for_times_and_tells_what_is_missing() -> None:
    hosts = {"a": FakeDocker(["x"]), "b": FakeDocker([], lost=True)}
    found, missing = asyncio.run(courses(REQUEST, hosts))
    assert found == [read(0, [])]
    assert missing == ["shard 1 on b: b is lost: refused"]
    assert hosts["a"].asked == [("logs", "--timestamps", "caffe2-shard-0")]


@pytest.mark.parametrize("run", ["second", "2026-11-26", "a.b_c"])
def test_names_for_a_run(run: str) -> None:
    check(run, "1", "Pulumi.lab.yaml")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("", "no name for a run"),
        ("Two", "no name for a run"),
        ("-x", "no name for a run"),
        ("a b", "no name for a run"),
        ("a;b", "no name for a run"),
        ("x" * 33, "no name for a run"),
        ("1", r"the run that Pulumi.lab.yaml has already"),
    ],
)
def test_what_is_no_other_run(run: str, words: str) -> None:
    with pytest.raises(StartError, match=words):
        check(run, "1", "Pulumi.lab.yaml")


def test_the_name_is_stored_before_the_run_starts() -> None:
    store, start = commands("lab", "2")
    assert store[:3] == ["pulumi", "config", "set"]
    # As a text: YAML would take a name of digits for a number.
    assert store[-4:] == ["rocestack:training.run", "2", "--type", "string"]
    assert start[:2] == ["pulumi", "up"]
