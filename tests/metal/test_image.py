"""The image comes to the hosts with the real CLI: from the head host, then over SSH without a registry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cli import Engine
from tests.metal.hosts import NAME, MetalStack, settings
from tests.metal.test_hosts import FIRST, SECOND, docker_engine, engine, nodes
from tests.nodes.node import Node

__all__ = ["docker_engine", "engine", "nodes"]  # the fixtures
IMAGE = "rocestack/test-image:metal"


@pytest.fixture(scope="module")
def image_id() -> Iterator[str]:
    """Return the id of a small image on the operator's engine."""
    tar = subprocess.run(
        ["tar", "-C", str(Path(__file__).parent), "-c", "test_image.py"], capture_output=True, check=True
    )
    done = subprocess.run(
        ["docker", "import", "-", IMAGE], input=tar.stdout, capture_output=True, timeout=60, check=True
    )
    yield done.stdout.decode().strip()
    subprocess.run(["docker", "rmi", IMAGE], capture_output=True, timeout=60, check=True)


def _sections(sections: dict[str, Any], way: str) -> dict[str, Any]:
    rest = {name: value for name, value in sections.items() if name != "registry"}
    if way == "stream":
        return {**rest, "image": {"distribution": "stream"}}
    return {**rest, "registry": {"server": "head-host"}}


def _ids(nodes: list[Node]) -> list[str]:
    return [node.run("docker images --no-trunc --quiet | sort -u").strip() for node in nodes]


def repaired(stack: MetalStack, *told: str) -> None:
    said = stack.run("preview", "--diff", "--expect-no-changes", fails=True).text
    for one in told:
        assert said.count(f"drift: {one}") == 1, said
    stack.up()
    assert stack.run("preview", "--expect-no-changes").status == 0


def test_the_image_comes_each_way_is_repaired_and_goes(
    engine: Engine, nodes: list[Node], image_id: str, tmp_path: Path
) -> None:
    plain = settings([node.access() for node in nodes])
    (tmp_path / "image_id").write_text(image_id)
    stack = MetalStack(engine, tmp_path, "image_program.py", _sections(plain, "head"))
    stack.up()
    assert _ids(nodes) == [image_id] * 2
    assert stack.run("preview", "--expect-no-changes").status == 0

    nodes[0].run("systemctl stop rocestack-registry")
    repaired(stack, f"{FIRST} caffe2_image.registry.service: found 'inactive', wanted 'active'")
    nodes[0].run("rm -r /var/lib/rocestack-registry/docker")
    repaired(stack, "operator caffe2_image.push.content: found 'absent', wanted 'kept'")
    nodes[1].run(f"docker rmi --force {image_id}")
    repaired(stack, f"{SECOND} caffe2_image.pull.image_id: found 'removed'")

    # Another way: what the first one needed goes, and nothing is pulled any more.
    stack.set_sections(_sections(plain, "stream"))
    stack.up()
    assert stack.run("preview", "--expect-no-changes").status == 0
    assert _ids(nodes) == [image_id] * 2
    assert nodes[0].script("ls -d /var/lib/rocestack-registry /etc/rocestack/registry").stdout == ""
    nodes[1].run(f"docker rmi --force {image_id}")
    repaired(stack, f"{SECOND} caffe2_image.pull.image_id: found 'removed'")
    assert _ids(nodes) == [image_id] * 2

    stack.destroy()
    stack.run("stack", "rm", NAME, "--yes")
    for node in nodes:
        assert node.script("ls /var/lib/rocestack /etc/docker/certs.d").stdout == ""
