"""The registry on the head host, and the image's way to other hosts: pushed over SSH, pulled, or sent."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from components.head_registry import fingerprint
from components.image_distribution import ssh_lines
from components.rendering import render
from settings import flat
from tests.nodes.node import Done, Node
from tests.nodes.test_docker_host import ADDRESS, ENGINE, seen
from tests.waiting import wait_until

CERTIFICATE_STEP, STEP, PULL = (f"caffe2_image.{one}" for one in ("certificate", "registry", "pull"))
WHERE = {"address": "31.31.31.41:5000"}
CERTIFICATE = {**WHERE, "certificate": "kept"}
REPOSITORY = "rocestack/test-image"
NO_TRUST = {**ENGINE, "registry": "none", "registry_ca": "none"}
FOLDER = "/var/lib/rocestack-registry"


def served(certificate: str) -> dict[str, str]:
    """Return the registry's settings, for a certificate in base64."""
    return {
        **WHERE,
        "interface": ADDRESS["interface"],
        "user": "root",
        "certificate": fingerprint(certificate),
        "package": "docker-registry",
        "data": "kept",
        "service": "active",
    }


def operator(step: str, kind: str, lines: dict[str, str]) -> Done:
    """Run a script of the operator's machine, as the engine does."""
    script = render(f"{step.replace('.', '/')}.{kind}.sh.j2")
    done = subprocess.run(
        ["bash", "-c", script],
        input=flat.render(lines),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Image:
    """A small image on the operator's engine."""

    image_id: str
    tag: str = "1"

    @property
    def lines(self) -> dict[str, str]:
        return {"image": REPOSITORY, "tag": self.tag, "image_id": self.image_id}


@dataclass(frozen=True)
class Site:
    """The head with its registry, another host, and how the operator logs in."""

    head: Node
    other: Node
    certificate: str
    image: Image

    def login(self, node: Node) -> dict[str, str]:
        return ssh_lines(node.access())

    def push(self) -> Done:
        lines = {
            **self.image.lines,
            **self.login(self.head),
            "registry": WHERE["address"],
            "socket": "/run/rocestack-registry-push/socket",
        }
        return operator("caffe2_image.push", "apply", lines)

    def pulled(self, digest: str, **changed: str) -> dict[str, str]:
        return {
            "digest": digest,
            "registry": WHERE["address"],
            "registry_ca": self.certificate,
            "repository": REPOSITORY,
            "tag": self.image.tag,
            "image_id": self.image.image_id,
            "size_mb": "10",
            **changed,
        }


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient, node_image: str) -> Iterator[Image]:
    """Return an image of two layers, made of a program of the lab's own image."""
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", f"{REPOSITORY}:1", "-"],
        input=f"FROM {node_image} AS from\nFROM scratch\nCOPY --from=from /sbin/ldconfig /sbin/ldconfig\n"
        "COPY --from=from /usr/bin/openssl /usr/bin/openssl\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield Image(engine.images.get(f"{REPOSITORY}:1").id)
    engine.images.remove(f"{REPOSITORY}:1")


@pytest.fixture(scope="module")
def machines(pair: list[Node]) -> list[Node]:
    for number, node in enumerate(pair, start=41):
        node.apply("ofed_stack.address", {**ADDRESS, "address": f"31.31.31.{number}/24"})
        node.apply("docker_host.engine", {**NO_TRUST, "bip": f"172.30.{number}.1/24"})
    return pair


@pytest.fixture(scope="module")
def site(machines: list[Node], image: Image) -> Site:
    head, other = machines
    certificate = head.apply(CERTIFICATE_STEP, CERTIFICATE).strip()
    head.apply(STEP, served(certificate))
    return Site(head, other, certificate, image)


def test_an_engine_without_a_registry_to_trust_has_no_drift(machines: list[Node]) -> None:
    wanted = {**NO_TRUST, "bip": "172.30.42.1/24"}
    assert machines[1].differences("docker_host.engine", wanted) == {}
    assert machines[1].script("ls /etc/docker/certs.d").stdout == ""


@pytest.mark.parametrize(
    ("by_hand", "left"),
    [
        ("true", ""),
        ("rm -r /etc/docker/certs.d/registry:5000", ""),
        ("rm -r /etc/docker/certs.d", ""),
        ("touch /etc/docker/certs.d/registry:5000/theirs", "/etc/docker/certs.d/registry:5000/theirs\n"),
    ],
)
def test_trust_in_a_former_registry_goes_whatever_a_person_did_to_its_folder(
    machines: list[Node], by_hand: str, left: str
) -> None:
    node, subnet = machines[1], {"bip": "172.30.42.1/24"}
    node.apply("docker_host.engine", {**ENGINE, **subnet})
    node.run(by_hand)
    node.apply("docker_host.engine", {**NO_TRUST, **subnet})
    assert node.script("find /etc/docker/certs.d -type f").stdout == left
    assert node.differences("docker_host.engine", {**NO_TRUST, **subnet}) == {}
    node.run("rm -rf /etc/docker/certs.d")


def test_the_registry_serves_is_set_once_and_survives_a_reboot(site: Site) -> None:
    node, wanted = site.head, served(site.certificate)
    assert node.differences(CERTIFICATE_STEP, CERTIFICATE) == node.differences(STEP, wanted) == {}
    assert node.unseen(CERTIFICATE_STEP, CERTIFICATE) == node.unseen(STEP, wanted) == set()
    once = seen(node)
    started = node.run("systemctl show -P ActiveEnterTimestampMonotonic rocestack-registry")
    assert node.apply(CERTIFICATE_STEP, CERTIFICATE).strip() == site.certificate
    node.apply(STEP, wanted)
    assert seen(node) == once
    assert node.run("systemctl show -P ActiveEnterTimestampMonotonic rocestack-registry") == started
    node.reboot()
    wait_until(lambda: node.differences(STEP, wanted) == {}, 60, "the registry after a reboot")


def test_it_is_on_the_data_network_alone_and_nobody_else_reads_its_key(site: Site) -> None:
    listening = site.head.run("ss -ltnH | awk '{ print $4 }' | grep -E ':5000$'")
    assert listening.split() == ["31.31.31.41:5000"]
    said = site.head.run(
        "stat -c '%a %U' /etc/rocestack/registry/tls.key; stat -c %a:%U:%G /run/rocestack-registry-push"
    )
    assert said.split("\n")[:2] == ["600 root", "750:docker-registry:root"]
    # Without TLS, and to write, it does not serve the network.
    other = site.other.run
    other("base64 -d >/tmp/ca.crt <<<" + site.certificate)
    ask = "python3 - <<'P'\nimport http.client, ssl\nc = http.client.HTTPSConnection('31.31.31.41', 5000, "
    ask += "context=ssl.create_default_context(cafile='/tmp/ca.crt'))\n"
    assert other(ask + "c.request('GET', '/v2/')\nprint(c.getresponse().status)\nP").strip() == "200"
    put = "c.request('POST', '/v2/x/blobs/uploads/')\nprint(c.getresponse().status)\nP"
    assert other(ask + put).strip() == "405"


def test_what_is_pushed_over_ssh_is_pulled_by_digest_and_taken_back(site: Site) -> None:
    before = seen(site.other)
    done = site.push()
    assert done.status == 0, done.stderr
    digest, size = done.stdout.split()[-2:]
    assert digest.startswith("sha256:") and int(size) > 0
    assert (
        "127.0.0.1"
        not in subprocess.run(
            ["docker", "images", "--format", "{{.Repository}}"], capture_output=True, text=True, check=True
        ).stdout
    )
    wanted = site.pulled(digest, size_mb=size)
    assert site.other.apply(PULL, wanted).strip() == site.image.image_id
    assert site.other.differences(PULL, wanted) == {}
    assert site.other.unseen(PULL, wanted) == set()
    site.other.run(
        f"docker rmi --force {site.image.image_id}; rm /etc/docker/certs.d/31.31.31.41:5000/ca.crt"
    )
    assert set(site.other.differences(PULL, wanted)) == {"image_id", "registry_ca"}
    site.other.apply(PULL, wanted)
    site.other.remove(PULL, wanted)
    assert seen(site.other) == before


def test_each_error_of_a_pull_is_its_own(site: Site) -> None:
    digest = site.push().stdout.split()[-2]
    other = {"digest": "sha256:" + "0" * 64}
    done = site.other.try_apply(PULL, {**site.pulled(digest), **other})
    assert done.status == 1
    assert "has no image of the digest sha256:000" in done.stderr and "docker pull" in done.stderr
    done = site.other.try_apply(PULL, site.pulled(digest, size_mb="99999999"))
    assert "MB free for images, and the image needs about 149999998 MB" in done.stderr
    done = site.other.try_apply(PULL, site.pulled(digest, image_id="sha256:" + "1" * 64))
    assert "the registry holds another image than the one that was pushed" in done.stderr
    # Other bytes under the same digest: the host notices.
    blob = site.head.run(f"find {FOLDER} -name data -size +100k").split()[0]
    site.other.remove(PULL, site.pulled(digest))
    site.head.run(f"cp -p {blob} /tmp/blob && dd if=/dev/zero of={blob} bs=1 seek=5000 count=64 conv=notrunc")
    done = site.other.try_apply(PULL, site.pulled(digest))
    site.head.run(f"cp -p /tmp/blob {blob}")
    assert done.status == 1, "a changed blob was taken"
    assert "gave clx-mld-42 other bytes than the digest" in done.stderr, done.stderr
    wrong = base64.b64encode(Path("tests/fixtures/registry/ca.crt").read_bytes()).decode()
    done = site.other.try_apply(PULL, site.pulled(digest, registry_ca=wrong))
    assert "clx-mld-42 does not trust the registry 31.31.31.41:5000" in done.stderr, done.stderr
    site.other.remove(PULL, site.pulled(digest))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("systemctl stop rocestack-registry", {"service": ("inactive", "active")}),
        ("systemctl stop rocestack-registry-push", {"service": ("inactive", "active")}),
        ("systemctl -q disable rocestack-registry", {"service": ("active (until reboot)", "active")}),
        ("echo '# x' >>/etc/rocestack/registry.yml", {"file_conf": ()}),
        (f"chmod 755 {FOLDER}", {"data": ("docker-registry 755", "kept")}),
        ("rm /var/lib/rocestack/caffe2_image.registry", {"record": ("absent", "kept")}),
    ],
)
def test_a_drift_of_the_registry_is_seen_and_repaired(
    site: Site, damage: str, found: dict[str, tuple[str, str]]
) -> None:
    wanted = served(site.certificate)
    for _ in range(2):
        site.head.run(damage)
        seen_now = site.head.differences(STEP, wanted)
        assert set(seen_now) == set(found)
        assert all(not found[key] or seen_now[key] == found[key] for key in found)
        site.head.apply(STEP, wanted)
        assert site.head.differences(STEP, wanted) == {}


def test_lost_content_is_seen_and_pushed_again(site: Site) -> None:
    digest = site.push().stdout.split()[-2]
    applied = {STEP: served(site.certificate), PULL: site.pulled(digest)}
    assert site.head.probe(applied).facts[STEP]["content"] == "kept"
    site.head.run(f"rm -r {FOLDER}")
    facts = site.head.probe(applied).facts[STEP]
    assert (facts["content"], facts["data"]) == ("absent", "absent")
    site.head.apply(STEP, served(site.certificate))
    assert site.push().stdout.split()[-2] == digest
    assert site.head.probe(applied).facts[STEP]["content"] == "kept"


def test_a_certificate_that_was_replaced_is_made_anew_and_served(site: Site) -> None:
    by_hand = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout tls.key -out tls.crt"
    site.head.run(f"cd /etc/rocestack/registry && {by_hand}")
    assert site.head.differences(CERTIFICATE_STEP, CERTIFICATE) == {"certificate": ("changed", "kept")}
    new = site.head.apply(CERTIFICATE_STEP, CERTIFICATE).strip()
    assert new != site.certificate
    assert set(site.head.differences(STEP, served(new))) == {"certificate", "record"}
    site.head.apply(STEP, served(new))
    assert site.head.differences(STEP, served(new)) == {}
    object.__setattr__(site, "certificate", new)


def test_an_image_is_sent_over_ssh_where_no_registry_is(site: Site) -> None:
    lines = {**site.image.lines, **site.login(site.other)}
    before = seen(site.other)
    done = operator("caffe2_image.stream", "apply", lines)
    assert done.status == 0, done.stderr
    assert done.stdout.strip() == site.image.image_id
    wanted = site.pulled("none", registry="none", registry_ca="none", size_mb="0")
    site.other.apply(PULL, wanted)
    assert site.other.differences(PULL, wanted) == {}
    again = operator("caffe2_image.stream", "apply", lines)
    assert "has rocestack/test-image:1" in again.stderr and "sending" not in again.stderr
    site.other.run(f"docker rmi {REPOSITORY}:1")
    assert site.other.differences(PULL, wanted) == {"image_id": ("removed", site.image.image_id)}
    assert "which was to be sent here" in site.other.try_apply(PULL, wanted).stderr
    assert operator("caffe2_image.stream", "apply", lines).status == 0
    site.other.apply(PULL, wanted)
    site.other.remove(PULL, wanted)
    assert site.other.run("docker images --quiet") == ""
    assert seen(site.other) == before


def test_a_host_that_cannot_be_reached_or_is_another_is_an_error(site: Site) -> None:
    lines = {**site.image.lines, **site.login(site.other)}
    done = operator("caffe2_image.stream", "apply", {**lines, "ssh_port": "1"})
    assert done.status == 1 and "clx-mld-42 does not answer over SSH" in done.stderr, done.stderr
    another = {"ssh_host_key": site.login(site.other)["ssh_host_key"].replace("AAAA", "AAAB")}
    done = operator("caffe2_image.stream", "apply", {**lines, **another})
    assert done.status == 1 and "does not answer over SSH" in done.stderr, done.stderr


def test_all_of_the_registry_goes_and_nothing_else(site: Site, engine: docker.DockerClient) -> None:
    node = site.head
    node.remove(PULL, site.pulled("none", registry="none", registry_ca="none"))
    node.remove(STEP, served(site.certificate))
    node.remove(CERTIFICATE_STEP, CERTIFICATE)
    # The package was here before us and stays.
    left = node.script(
        "ls -d /etc/rocestack/registry* /var/lib/rocestack-registry /etc/systemd/system/rocestack-registry*"
    )
    assert left.stdout == ""
    before = seen(node)
    certificate = node.apply(CERTIFICATE_STEP, CERTIFICATE).strip()
    node.apply(STEP, served(certificate))
    node.remove(STEP, served(certificate))
    node.remove(CERTIFICATE_STEP, CERTIFICATE)
    assert seen(node) == before


def test_the_package_comes_without_its_own_service_and_goes_with_its_user(site: Site) -> None:
    node = site.head
    node.run(
        "apt-get -q -y purge docker-registry && userdel docker-registry && rm -rf /var/lib/docker-registry"
    )
    before, units = seen(node), node.run("ls /etc/systemd/system")
    certificate = node.apply(CERTIFICATE_STEP, CERTIFICATE).strip()
    node.apply(STEP, served(certificate))
    assert node.differences(STEP, served(certificate)) == {}
    # The package's own service would serve everybody.
    assert node.script("systemctl is-active docker-registry").stdout.strip() == "inactive"
    listening = node.run("ss -ltnH | awk '{ print $4 }' | grep -E ':5000$'")
    assert listening.split() == ["31.31.31.41:5000"]
    node.apply(STEP, served(certificate))
    node.remove(STEP, served(certificate))
    node.remove(CERTIFICATE_STEP, CERTIFICATE)
    assert seen(node) == before
    assert node.run("ls /etc/systemd/system") == units
    assert node.script("id docker-registry").status != 0
    assert node.script("ls -d /var/lib/docker-registry").status != 0
