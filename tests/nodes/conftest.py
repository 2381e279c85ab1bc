"""Throw-away nodes for the host steps: each test file gets its own, and what it started goes with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from lab.files import LabFiles
from lab.image import connect, ensure_image
from lab.progress import Reporter
from lab.vendor import artifacts
from lab.vendor.completion import complete
from settings.loader import load_file
from settings.models import Stack
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
    """Return the image that the present files of lab/ make; the vendors' artifacts are there with it."""
    files, reporter = LabFiles(), Reporter("nodes")
    files.folder.mkdir(mode=0o700, exist_ok=True)
    image = ensure_image(engine, files, reporter, sweep=False)
    artifacts.ensure(engine, image, files, reporter)
    return image


@pytest.fixture(scope="session")
def vendors(node_image: str) -> Mapping[str, Any]:
    """Return what http://vendor/ has: URLs, sums, versions and fingerprints."""
    return artifacts.manifest(LabFiles())


@pytest.fixture(scope="session")
def stack(vendors: Mapping[str, Any]) -> Stack:
    """Return the lab's stack as the components see it."""
    return complete(load_file(Path(__file__).parents[2] / "Pulumi.lab.yaml"), vendors)


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
