"""With the real CLI: a host builds the image, then another one does, and then each builds its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from lab.files import LabFiles
from lab.image import ensure_image
from lab.progress import Reporter
from tests.conformance.cli import Engine
from tests.metal.hosts import NAME, MetalStack, settings
from tests.metal.test_hosts import FIRST, SECOND, docker_engine, engine, nodes
from tests.metal.test_image import repaired
from tests.nodes.node import Node
from tests.nodes.tiny_image import BASE, make_base

__all__ = ["docker_engine", "engine", "nodes"]  # the fixtures
ROOT = Path(__file__).parents[2]
PULLED = "caffe2_image.pull.image_id: found 'removed'"


@pytest.fixture(scope="module")
def base(docker_engine: docker.DockerClient) -> Iterator[None]:
    """Have the image's base on the operator's engine alone."""
    make_base(ensure_image(docker_engine, LabFiles(), Reporter("nodes"), sweep=False))
    yield
    subprocess.run(["docker", "rmi", BASE], capture_output=True, timeout=60, check=True)


def _sections(sections: dict[str, Any], **image: str) -> dict[str, Any]:
    rest = {name: value for name, value in sections.items() if name != "registry"}
    registry = {} if "distribution" in image else {"registry": {"server": "head-host"}}
    return {**rest, **registry, "image": {"repository": "rocestack/test-built", **image}}


def _image(stack: MetalStack) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(stack.run("stack", "output", "image", "--json").stdout)
    return told


def _ids(nodes: list[Node], tag: str) -> dict[str, set[str]]:
    """Return the ids of the images of this tag by host, whatever their names are."""
    label = f"label=org.opencontainers.image.version={tag}"
    command = f"docker images --no-trunc --quiet --filter {label}"
    return {node.hostname: set(node.run(command).split()) for node in nodes}


def _in_sync(stack: MetalStack) -> None:
    assert stack.run("preview", "--expect-no-changes").status == 0


@pytest.mark.usefixtures("base")
def test_a_host_builds_it_then_another_and_then_each(
    engine: Engine, nodes: list[Node], tmp_path: Path
) -> None:
    plain = settings([node.access() for node in nodes])
    (tmp_path / "templates").symlink_to(ROOT / "templates")
    stack = MetalStack(engine, tmp_path, "image_build_program.py", _sections(plain, builder=FIRST))
    said = stack.up().text
    assert "building rocestack/test-built:" in said and f"(flavour debian) on {FIRST}" in said
    _in_sync(stack)
    told = _image(stack)
    tag = told["reference"].rpartition(":")[2]
    assert told["checks"] == {"operator_test": "OK"}
    assert _ids(nodes, tag) == {FIRST: {told["id"]}, SECOND: {told["id"]}}
    # The registry has it, so the builder gets it back and builds nothing.
    nodes[0].run(f"docker rmi --force {told['id']}")
    repaired(stack, f"{FIRST} {PULLED}")
    assert _image(stack) == told

    # Another builder, and no registry: the image of that tag is there already, and is not built again.
    stack.set_sections(_sections(plain, builder=SECOND, distribution="stream"))
    assert "building" not in stack.up().text
    _in_sync(stack)
    assert _ids(nodes, tag) == {FIRST: {told["id"]}, SECOND: {told["id"]}}
    # Gone from its builder, it is built anew, and the other host is sent that one.
    nodes[1].run(f"docker rmi --force {told['id']}")
    repaired(stack, f"{SECOND} {PULLED}")
    again = _image(stack)
    assert again["id"] != told["id"]
    assert (again["reference"], again["alike"]) == (f"rocestack/test-built:{tag}", told["alike"])
    # What the name meant before is gone from both.
    assert _ids(nodes, tag) == {FIRST: {again["id"]}, SECOND: {again["id"]}}

    stack.set_sections(_sections(plain, distribution="build-everywhere"))
    for node in nodes:
        node.run("docker rmi --force $(docker images --quiet --filter label=image.rocestack.checks)")
    stack.up()
    _in_sync(stack)
    each = _image(stack)
    assert each["id"][FIRST] != each["id"][SECOND]
    assert _ids(nodes, tag) == {name: {one} for name, one in each["id"].items()}
    assert each["checks"] == {FIRST: {"operator_test": "OK"}, SECOND: {"operator_test": "OK"}}
    assert each["alike"].startswith("alike by the hash")
    nodes[1].run(f"docker rmi --force {each['id'][SECOND]}")
    repaired(stack, f"{SECOND} {PULLED}")
    assert _image(stack)["id"][FIRST] == each["id"][FIRST]

    stack.destroy()
    stack.run("stack", "rm", NAME, "--yes")
    for node in nodes:
        assert node.script("ls /var/lib/rocestack").stdout == ""
    listed = [
        "docker",
        "images",
        "--quiet",
        "--filter",
        "label=image.rocestack.checks",
        "rocestack/test-built",
    ]
    assert subprocess.run(listed, capture_output=True, check=True).stdout == b""
