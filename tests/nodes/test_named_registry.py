"""A registry that the stack names: pushed to on this machine, pulled from by a host that trusts its CA."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.nodes.node import LABEL, Node
from tests.nodes.test_docker_host import ENGINE, seen
from tests.nodes.test_registry import PULL, Image, image, operator
from tests.waiting import wait_until

__all__ = ["image"]  # the fixture
ADDRESS = "registry:5000"
_SETTINGS = """version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: ":5000", tls: {certificate: /tls/tls.crt, key: /tls/tls.key}}
"""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Peer:
    """Somebody's registry: where this machine pushes, and its CA's certificate in base64."""

    container: str
    push_address: str
    authority: str


def _certificates(folder: Path) -> None:
    """Make a CA and, signed by it, the certificate of the host name `registry`."""
    request = ("openssl", "req", "-x509", *_KEY)
    for words in (
        (*request, "-subj", "/CN=a CA", "-keyout", "ca.key", "-out", "ca.crt"),
        (
            *(*request, "-subj", "/CN=registry", "-keyout", "tls.key", "-out", "tls.crt"),
            *("-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:registry"),
        ),
    ):
        subprocess.run(words, cwd=folder, capture_output=True, timeout=60, check=True)


@pytest.fixture(scope="module")
def peer(node: Node, node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Return a registry on the node's management network, run as its owner would."""
    folder = tmp_path_factory.mktemp("registry")
    _certificates(folder)
    (folder / "registry.yml").write_text(_SETTINGS)
    site = node.container.removesuffix(f"-{node.hostname}")
    container = f"{site}-registry"
    words = ["docker", "run", "--detach", "--name", container, "--label", f"{LABEL}={site}"]
    words += ["--network", f"{site}-management", "--network-alias", "registry"]
    words += ["--publish", "127.0.0.1::5000", "--volume", f"{folder}:/tls:ro"]
    words += [node_image, "docker-registry", "serve", "/tls/registry.yml"]
    subprocess.run(words, capture_output=True, timeout=60, check=True)
    try:
        port = ["docker", "port", container, "5000/tcp"]
        said = subprocess.run(port, capture_output=True, text=True, timeout=60, check=True).stdout
        authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        wait_until(
            lambda: node.script("exec 3<>/dev/tcp/registry/5000").status == 0, 30, "an answer of the registry"
        )
        yield Peer(container, said.split()[0], authority)
    finally:
        removed = ["docker", "rm", "--force", "--volumes", container]
        subprocess.run(removed, capture_output=True, timeout=60, check=True)


def test_what_is_pushed_to_it_is_pulled_by_its_name_and_taken_back(
    node: Node, peer: Peer, image: Image, engine: docker.DockerClient
) -> None:
    trusted = {**ENGINE, "registry": ADDRESS, "registry_ca": peer.authority}
    node.apply("docker_host.engine", trusted)
    assert node.differences("docker_host.engine", trusted) == {}
    before = seen(node)

    push = {**image.lines, "registry": peer.push_address, "socket": "none"}
    done = operator("caffe2_image.push", "apply", push)
    assert done.status == 0, done.stderr
    digest, size = done.stdout.split()[-2:]
    wanted = {
        "digest": digest,
        "registry": ADDRESS,
        "registry_ca": "none",
        "repository": push["image"],
        "tag": image.tag,
        "image_id": image.image_id,
        "size_mb": size,
    }
    assert node.apply(PULL, wanted).strip() == image.image_id
    assert node.differences(PULL, wanted) == {}
    assert node.unseen(PULL, wanted) == set()

    # Without its CA the host pulls nothing from it.
    node.remove(PULL, wanted)
    node.run(f"rm /etc/docker/certs.d/{ADDRESS}/ca.crt")
    done = node.try_apply(PULL, wanted)
    assert done.status == 1 and f"does not trust the registry {ADDRESS}" in done.stderr, done.stderr
    assert set(node.differences("docker_host.engine", trusted)) == {"registry", "registry_ca"}
    node.apply("docker_host.engine", trusted)
    node.apply(PULL, wanted)
    node.remove(PULL, wanted)
    assert seen(node) == before
    assert operator("caffe2_image.push", "remove", push).status == 0
    assert _names(engine, peer) == []


def _names(engine: docker.DockerClient, peer: Peer) -> list[str]:
    """Return the names by which this machine's engine knows an image of that registry."""
    return [tag for one in engine.images.list() for tag in one.tags if peer.push_address in tag]


def test_a_registry_that_is_gone_is_told(
    node: Node, peer: Peer, image: Image, engine: docker.DockerClient
) -> None:
    subprocess.run(["docker", "stop", "--time", "1", peer.container], capture_output=True, check=True)
    push = {**image.lines, "registry": peer.push_address, "socket": "none"}
    done = operator("caffe2_image.push", "apply", push)
    assert done.status == 1
    assert f"the registry {peer.push_address} did not take {push['image']}:1" in done.stderr, done.stderr
    # The name that the push gave goes with it.
    assert operator("caffe2_image.push", "remove", push).status == 0
    assert _names(engine, peer) == []
