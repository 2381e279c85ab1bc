"""Throw-away nodes for the host steps: each test file gets its own, and what it started goes with it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest

from lab.files import LabFiles
from lab.image import connect, ensure_image
from lab.progress import Reporter
from tests.nodes.node import Node, site


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """Return a client of the operator's engine; these tests cannot do without one."""
    assert os.environ.get("DOCKER_HOST"), "no DOCKER_HOST: run `. ./activate lab` first"
    client = connect(timeout_s=300)
    yield client
    client.close()


@pytest.fixture(scope="session")
def node_image(engine: docker.DockerClient) -> str:
    """Return the image that the present files of lab/ make."""
    return ensure_image(engine, LabFiles(), Reporter("nodes"), sweep=False)


@pytest.fixture(scope="module")
def node(engine: docker.DockerClient, node_image: str) -> Iterator[Node]:
    """Return one fresh node for the tests of a file, which build on each other."""
    with site(engine, node_image, ["clx-mld-41"]) as nodes:
        yield nodes[0]


@pytest.fixture(scope="module")
def pair(engine: docker.DockerClient, node_image: str) -> Iterator[list[Node]]:
    """Return two fresh nodes on one cable."""
    with site(engine, node_image, ["clx-mld-41", "clx-mld-42"]) as nodes:
        yield nodes
