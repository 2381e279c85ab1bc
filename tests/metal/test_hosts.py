"""Hosts as on metal: however a run went wrong, they end as a run in which nothing did leaves them.

What each remove script brings back is tests/nodes' business; here the whole of them is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from lab.files import LabFiles
from lab.image import connect, ensure_image
from lab.progress import Reporter
from tests.conformance.cli import Engine, find_engine
from tests.metal.hosts import NAME, HostStack
from tests.nodes.node import Node, site

FIRST, SECOND = "clx-mld-41", "clx-mld-42"
Photographs = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return the CLI with the plugins that set-up installed."""
    return find_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def docker_engine() -> Iterator[docker.DockerClient]:
    """Return a client of the operator's engine."""
    assert os.environ.get("DOCKER_HOST"), "no DOCKER_HOST: run `. ./activate lab` first"
    client = connect(timeout_s=300)
    yield client
    client.close()


@pytest.fixture(scope="module")
def nodes(docker_engine: docker.DockerClient) -> Iterator[list[Node]]:
    """Return two fresh nodes."""
    image = ensure_image(docker_engine, LabFiles(), Reporter("nodes"), sweep=False)
    with site(docker_engine, image, [FIRST, SECOND]) as found:
        yield found


@pytest.fixture(scope="module")
def before(engine: Engine, nodes: list[Node], tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    """Return what the nodes are like after an `up` and a `destroy` in which nothing went wrong."""
    made = HostStack(engine, tmp_path_factory.mktemp("stack"), nodes)
    made.up()
    made.destroy()
    made.run("stack", "rm", NAME, "--yes")
    return {node.hostname: node.photograph() for node in nodes}


@pytest.fixture
def stack(engine: Engine, tmp_path: Path, nodes: list[Node], before: Photographs) -> Iterator[HostStack]:
    """Return a new stack of both nodes."""
    made = HostStack(engine, tmp_path, nodes)
    yield made
    made.destroy()
    made.run("stack", "rm", NAME, "--yes")


def assert_as_before(node: Node, before: Photographs) -> None:
    assert changes(before[node.hostname], node.photograph()) == {}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """Return what is not as it was: each thing with its state before and after."""
    return {
        name: (before.get(name), after.get(name))
        for name in sorted({*before, *after})
        # An initramfs holds the time at which it was made.
        if before.get(name) != after.get(name) and not name.startswith("file /boot/initrd")
    }


def test_destroy_with_a_dead_host_finishes_the_other(
    stack: HostStack, nodes: list[Node], before: Photographs
) -> None:
    first, second = nodes
    stack.up()
    assert changes(before[SECOND], second.photograph()) != {}
    assert stack.run("preview", "--expect-no-changes").status == 0
    second.run("systemctl stop ssh.service")
    said = stack.destroy(fails=True).text
    assert_as_before(first, before)
    told = said.partition(f"Left in stack {NAME}:\n")[2]
    assert f"{SECOND} (root@{stack.access[SECOND].address} port 22)" in told
    assert f"{SECOND}/docker_host.routes" in told
    assert f"{FIRST}/" not in told
    second.run("systemctl start ssh.service")
    stack.destroy()
    assert_as_before(second, before)


def test_destroy_after_a_killed_up(stack: HostStack, nodes: list[Node], before: Photographs) -> None:
    first = nodes[0]
    record = "test -e /var/lib/rocestack/docker_host.engine"
    stack.kill_up_when(lambda: first.script(record).status == 0, "the Docker engine's step has begun")
    said = stack.destroy().text
    assert re.search(r"taken back too: .*/docker_host\.engine", said), said
    stack.engine.end_orphans()
    for node in nodes:
        assert_as_before(node, before)


def test_a_host_taken_out_is_cleaned_by_the_next_up(
    stack: HostStack, nodes: list[Node], before: Photographs
) -> None:
    first, second = nodes
    stack.up()
    assert "172.30.42.0/24" in first.run("ip route")
    stack.declare([first])
    stack.up()
    assert_as_before(second, before)
    assert "172.30.42.0/24" not in first.run("ip route")
    assert stack.run("preview", "--expect-no-changes").status == 0
    stack.destroy()
    assert_as_before(first, before)


def test_a_host_that_fails_keeps_no_other_from_its_work(
    stack: HostStack, nodes: list[Node], before: Photographs
) -> None:
    first, second = nodes
    # Where its first step keeps its record.
    second.run("test ! -e /var/lib/rocestack && touch /var/lib/rocestack")
    said = stack.up(fails=True).text
    assert "/var/lib/rocestack" in said
    assert "172.30.42.0/24" in first.run("ip route")
    second.run("rm /var/lib/rocestack")
    stack.up()
    assert stack.run("preview", "--expect-no-changes").status == 0
    stack.destroy()
    for node in nodes:
        assert_as_before(node, before)
