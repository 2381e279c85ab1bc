"""The image is built on a host: its engine is driven over SSH, and the image goes on from there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from components.image_distribution import ssh_lines
from tests.nodes.node import Done, Node
from tests.nodes.test_docker_host import ADDRESS
from tests.nodes.test_registry import (
    CERTIFICATE,
    CERTIFICATE_STEP,
    NO_TRUST,
    PULL,
    STEP,
    WHERE,
    operator,
    served,
)
from tests.nodes.tiny_image import BASE as BASE_IMAGE
from tests.nodes.tiny_image import base_settings, build_settings, make_base, write_context
from tests.waiting import wait_until

BASE, BUILD, PUSH, STREAM = (f"caffe2_image.{one}" for one in ("base", "build", "push", "stream"))
REPOSITORY, TAG = "rocestack/test-built", "0123456789abcdef"
NAME = f"{REPOSITORY}:{TAG}"
LISTENING = "ss -ltnH | awk '{ print $4 }' | sort"
ALL = "docker images --all --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'"


@dataclass
class Site:
    """Two hosts with an engine each, the first with our registry, and a context on the operator's machine."""

    head: Node
    other: Node
    certificate: str
    context: Path

    def login(self, node: Node) -> dict[str, str]:
        """Return how the operator reaches a node."""
        return ssh_lines(node.access())

    def base(self, node: Node) -> dict[str, str]:
        return {**base_settings(), **self.login(node)}

    def build(self, node: Node, tag: str = TAG) -> dict[str, str]:
        return {
            **self.login(node),
            **build_settings(),
            "context": f".={self.context}",
            "tag": tag,
        }

    def built_on(self, node: Node) -> str:
        """Have base and image on a node, and return the image's id."""
        for step, lines in ((BASE, self.base(node)), (BUILD, self.build(node))):
            done = operator(step, "apply", lines)
            assert done.status == 0, done.stderr
        return done.stdout.split()[-1]

    def from_builder(self, node: Node, image_id: str) -> dict[str, str]:
        builder = {f"builder_{key}": value for key, value in self.login(node).items()}
        return {"image": REPOSITORY, "tag": TAG, "image_id": image_id, **builder}

    def push_from(self, node: Node, image_id: str) -> Done:
        where = {"registry": WHERE["address"], "socket": "/run/rocestack-registry-push/socket"}
        lines = {**self.from_builder(node, image_id), **self.login(self.head), **where}
        return operator(PUSH, "apply", lines)

    def pulled(self, digest: str, image_id: str) -> dict[str, str]:
        image = {"repository": REPOSITORY, "tag": TAG, "image_id": image_id, "size_mb": "3"}
        if digest == "none":
            return {**image, "digest": "none", "registry": "none", "registry_ca": "none"}
        registry = {"registry": WHERE["address"], "registry_ca": self.certificate}
        return {**image, "digest": digest, **registry}


def names(node: Node) -> set[str]:
    """Return all images of a node's engine by name, the nameless too."""
    return {line.split()[0] for line in node.run(ALL).splitlines()}


@pytest.fixture(scope="module")
def base(engine: docker.DockerClient, node_image: str) -> Iterator[str]:
    """Return a base that the operator's engine alone has: a shell of the lab's own image."""
    make_base(node_image)
    yield BASE_IMAGE
    engine.images.remove(BASE_IMAGE)


@pytest.fixture(scope="module")
def site(pair: list[Node], base: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    context = tmp_path_factory.mktemp("context")
    write_context(context)
    for number, node in enumerate(pair, start=41):
        node.apply("ofed_stack.address", {**ADDRESS, "address": f"31.31.31.{number}/24"})
        node.apply("docker_host.engine", {**NO_TRUST, "bip": f"172.30.{number}.1/24"})
    head, other = pair
    certificate = head.apply(CERTIFICATE_STEP, CERTIFICATE).strip()
    head.apply(STEP, served(certificate))
    return Site(head, other, certificate, context)


def test_it_is_built_there_from_the_operators_base_and_checked(site: Site) -> None:
    done = operator(BASE, "apply", site.base(site.head))
    assert done.status == 0, done.stderr
    assert f"sending {BASE_IMAGE} to clx-mld-41" in done.stderr
    done = operator(BUILD, "apply", site.build(site.head))
    assert done.status == 0, done.stderr
    checks, image_id = done.stdout.splitlines()[-2:]
    assert checks == '{"operator_test": "OK"}'
    assert "checked there" in done.stderr
    labels = "docker image inspect --format '{{json .Config.Labels}}' " + NAME
    assert f'"org.opencontainers.image.version":"{TAG}"' in site.head.run(labels)
    # The host has the image and the base, and nothing that the build left behind but the image's own layers.
    assert names(site.head) - {"<none>:<none>"} == {NAME, f"{BASE_IMAGE}:latest"}
    assert site.head.run("docker images --quiet --filter dangling=true") == ""
    assert site.head.run("docker ps --all --quiet") == ""
    assert image_id in site.head.run(ALL)
    # The operator's engine has nothing of it.
    listed = subprocess.run(["docker", "images", "--quiet", REPOSITORY], capture_output=True, check=True)
    assert listed.stdout == b""


def test_an_unchanged_image_is_not_built_again_even_without_its_name(site: Site) -> None:
    image_id = site.built_on(site.head)
    site.head.run(f"docker tag {image_id} other/name:1 && docker rmi {NAME}")
    done = operator(BUILD, "apply", site.build(site.head))
    assert (done.status, done.stdout.split()[-1]) == (0, image_id)
    assert "is there" in done.stderr and "building" not in done.stderr
    site.head.run("docker rmi other/name:1")


def test_another_image_takes_the_place_of_the_one_before(site: Site) -> None:
    site.built_on(site.head)
    done = operator(BUILD, "apply", site.build(site.head, "fedcba9876543210"))
    assert done.status == 0, done.stderr
    assert names(site.head) - {"<none>:<none>"} == {f"{REPOSITORY}:fedcba9876543210", f"{BASE_IMAGE}:latest"}
    site.built_on(site.head)


@pytest.mark.parametrize("builder", ["head", "other"])
def test_the_builder_pushes_to_the_heads_registry(site: Site, builder: str) -> None:
    node = site.head if builder == "head" else site.other
    image_id = site.built_on(node)
    before, listening = names(node), node.run(LISTENING)
    done = site.push_from(node, image_id)
    assert done.status == 0, done.stderr
    digest = done.stdout.split()[-2]
    assert names(node) == before
    # The port for the push went with it.
    wait_until(lambda: node.run(LISTENING) == listening, 10, "the end of the way to the registry")
    for host in (site.other, site.head):
        wanted = site.pulled(digest, image_id)
        assert host.apply(PULL, wanted).strip() == image_id
        assert host.differences(PULL, wanted) == {}


def test_the_builder_sends_it_where_no_registry_is(site: Site) -> None:
    image_id = site.built_on(site.head)
    site.other.remove(PULL, site.pulled("none", image_id))
    operator(BUILD, "remove", site.build(site.other))
    assert names(site.other) - {"<none>:<none>"} == {f"{BASE_IMAGE}:latest"}
    lines = {**site.from_builder(site.head, image_id), **site.login(site.other)}
    done = operator(STREAM, "apply", lines)
    assert (done.status, done.stdout.strip()) == (0, image_id), done.stderr
    for host in (site.head, site.other):
        host.apply(PULL, site.pulled("none", image_id))
        assert host.differences(PULL, site.pulled("none", image_id)) == {}
    # On its builder it is seen to be gone as anywhere.
    site.head.run(f"docker rmi --force {image_id}")
    found = site.head.differences(PULL, site.pulled("none", image_id))
    assert found == {"image_id": ("removed", image_id)}
    site.built_on(site.head)


def test_each_error_names_the_host(site: Site) -> None:
    done = operator(BUILD, "apply", {**site.build(site.head), "ssh_port": "1"})
    assert done.status == 1 and "no way to the Docker engine of clx-mld-41" in done.stderr
    lacking = {**site.base(site.head), "base_image": "nowhere.invalid/a:1", "source": "nowhere.invalid/a:1"}
    done = operator(BASE, "apply", lacking)
    assert done.status == 1 and "could not be pulled to clx-mld-41" in done.stderr, done.stderr
    done = site.push_from(site.head, "sha256:" + "1" * 64)
    assert done.status == 1 and "is not on the engine of clx-mld-41" in done.stderr, done.stderr


def test_all_of_it_goes_from_the_host_and_the_operators_base_stays(site: Site) -> None:
    site.built_on(site.head)
    for node in (site.head, site.other):
        node.remove(PULL, site.pulled("none", "sha256:0"))
        for step, lines in ((BUILD, site.build(node)), (BASE, site.base(node))):
            assert operator(step, "remove", lines).status == 0
            assert operator(step, "remove", lines).status == 0
        assert names(node) == set()
    subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True, check=True)
