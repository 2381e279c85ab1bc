"""DockerHost on a node: the engine, its packages, what it keeps; routes between containers of two nodes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nodes.node import INTERFACE, Node
from tests.waiting import wait_until

CA = base64.b64encode((Path(__file__).parents[1] / "fixtures/registry/ca.crt").read_bytes()).decode()
ENGINE = {
    "package": "docker.io",
    "version": "any",
    "hold": "no",
    "repository": "none",
    "repository_key": "none",
    "repository_key_url": "none",
    "storage_driver": "overlay2",
    "bip": "172.30.41.1/24",
    "registry": "registry:5000",
    "registry_ca": CA,
    "service": "active",
}
ADDRESS = {"interface": INTERFACE, "address": "31.31.31.41/24", "mtu": "9000", "link": "up"}
ROUTES = {
    "interface": INTERFACE,
    "subnet": "172.30.41.0/24",
    "ip_forward": "1",
    "routes": "172.30.42.0/24 via 31.31.31.42",
    "forward": "accept 172.30.42.0/24",
    "forward_policy": "rules",
}


# What dockerd and containerd themselves write when they first start.
_FIRST_START = ("file /etc/docker/key.json", "folder /etc/cni", "folder /etc/cni/net.d")


def seen(node: Node) -> dict[str, str]:
    return {thing: state for thing, state in node.photograph().items() if thing not in _FIRST_START}


@pytest.mark.smoke
def test_the_engine_is_set_once_and_can_be_taken_back(node: Node) -> None:
    before = seen(node)
    said = node.apply("docker_host.engine", ENGINE)
    assert "bridge 172.30.41.1/24, overlay2" in said
    assert node.differences("docker_host.engine", ENGINE) == {}
    once = seen(node)
    started = node.run("systemctl show -P ActiveEnterTimestampMonotonic docker.service")
    node.apply("docker_host.engine", ENGINE)
    assert seen(node) == once
    assert node.run("systemctl show -P ActiveEnterTimestampMonotonic docker.service") == started
    # The check's image does not stay.
    assert node.run("docker images --quiet") == ""
    node.remove("docker_host.engine", ENGINE)
    assert seen(node) == before


def test_without_its_record_an_engine_that_runs_goes_on_and_one_that_does_not_stays_so(node: Node) -> None:
    before = seen(node)
    node.apply("docker_host.engine", ENGINE)
    record = node.run("cat /var/lib/rocestack/docker_host.engine")
    for state, command in (("active", "true"), ("inactive", "systemctl stop docker.service docker.socket")):
        node.run(f"rm /var/lib/rocestack/docker_host.engine; {command}")
        node.remove("docker_host.engine", ENGINE)
        assert node.script("systemctl is-active docker.service").stdout.strip() == state
        node.apply("docker_host.engine", ENGINE)
    node.script("cat >/var/lib/rocestack/docker_host.engine", record)
    node.remove("docker_host.engine", ENGINE)
    assert seen(node) == before


def test_routes_are_set_once_survive_a_reboot_and_can_be_taken_back(node: Node) -> None:
    node.apply("ofed_stack.address", ADDRESS)
    node.apply("docker_host.engine", ENGINE)
    before = seen(node)
    node.apply("docker_host.routes", ROUTES)
    once = seen(node)
    assert node.differences("docker_host.routes", ROUTES) == {}
    node.apply("docker_host.routes", ROUTES)
    assert seen(node) == once
    # The engine makes its chains anew, and ours come after it.
    node.run("systemctl restart docker")
    wait_until(lambda: node.differences("docker_host.routes", ROUTES) == {}, 30, "our rules after a restart")
    node.reboot()
    assert node.differences("docker_host.routes", ROUTES) == {}
    assert node.differences("docker_host.engine", ENGINE) == {}
    node.remove("docker_host.routes", ROUTES)
    assert seen(node) == before


def test_the_guides_policy_is_set_and_given_back(node: Node) -> None:
    node.run("iptables -P FORWARD DROP")
    before, wanted = seen(node), {**ROUTES, "forward_policy": "accept"}
    node.apply("docker_host.routes", wanted)
    assert node.differences("docker_host.routes", wanted) == {}
    node.run("iptables -P FORWARD DROP")
    assert node.differences("docker_host.routes", wanted) == {"forward_policy": ("drop", "accept")}
    node.apply("docker_host.routes", wanted)
    assert node.differences("docker_host.routes", wanted) == {}
    # In-place, back to rules of our own: the policy is again what it was.
    node.apply("docker_host.routes", ROUTES)
    assert "-P FORWARD DROP" in node.run("iptables -S FORWARD")
    node.remove("docker_host.routes", ROUTES)
    assert seen(node) == before


# An image of the host's own perl: a container that tells who calls, and one that calls.
_IMAGE = r"""
{
  ldd /usr/bin/perl | grep -oE '/[^ ]+'
  dpkg -L perl-base | grep -E '^/usr/(bin/perl$|lib/.*\.(pm|pl|so)$)'
} |
  sed 's,^/,,' | tar -C / -ch -T - | docker import - perl:1 >/dev/null
"""
_TELL = (
    "$s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000, ReuseAddr => 1) or die; "
    "while ($c = $s->accept) { print $c $c->peerhost; close $c }"
)
_CALL = (
    "$s = IO::Socket::INET->new(PeerAddr => shift, PeerPort => 7000, Timeout => 3) or exit 1; "
    '$seen = <$s> or exit 1; print $s->sockhost, " is seen as ", $seen'
)


@dataclass
class Containers:
    """One container on the second node that tells who calls it, and how to call it from the first."""

    caller: Node
    called: Node
    address: str

    def answer(self) -> str:
        """Return the caller's own address and the one it is seen with; nothing when no call gets through."""
        return self.caller.script(
            f"docker run --rm perl:1 /usr/bin/perl -MIO::Socket::INET -e '{_CALL}' {self.address}"
        ).stdout


@pytest.fixture(scope="module")
def containers(pair: list[Node]) -> Containers:
    """Return two nodes with everything that containers need to reach each other."""
    for node, number, other in zip(pair, (41, 42), (42, 41), strict=True):
        node.apply("ofed_stack.address", {**ADDRESS, "address": f"31.31.31.{number}/24"})
        node.apply("docker_host.engine", {**ENGINE, "bip": f"172.30.{number}.1/24"})
        node.apply("docker_host.routes", _routes(number, other))
        node.run(_IMAGE)
    first, second = pair
    name = second.run(f"docker run -d perl:1 /usr/bin/perl -MIO::Socket::INET -e '{_TELL}'").strip()
    address = second.run(f"docker inspect -f '{{{{.NetworkSettings.IPAddress}}}}' {name}").strip()
    return Containers(first, second, address)


def _routes(number: int, other: int) -> dict[str, str]:
    return {
        **ROUTES,
        "subnet": f"172.30.{number}.0/24",
        "routes": f"172.30.{other}.0/24 via 31.31.31.{other}",
        "forward": f"accept 172.30.{other}.0/24",
    }


def test_containers_of_two_nodes_see_each_others_own_addresses(containers: Containers) -> None:
    answer = containers.answer()
    caller, _, seen_as = answer.partition(" is seen as ")
    assert caller.startswith("172.30.41."), answer
    assert seen_as == caller


def test_without_the_route_there_is_no_way(containers: Containers) -> None:
    assert containers.answer()
    containers.caller.run("ip route del 172.30.42.0/24")
    assert containers.answer() == ""
    containers.caller.apply("docker_host.routes", _routes(41, 42))
    assert containers.answer()


def test_a_drop_as_of_docker_28_does_not_hit_the_peers(containers: Containers) -> None:
    drop = f"PREROUTING -d {containers.address}/32 ! -i docker0 -j DROP"
    containers.called.run(f"iptables -t raw -A {drop}")
    assert containers.answer()
    assert containers.called.differences("docker_host.routes", _routes(42, 41)) == {}
    containers.called.run("iptables -t raw -D PREROUTING -j ROCESTACK")
    assert containers.answer() == ""
    found = containers.called.differences("docker_host.routes", _routes(42, 41))
    assert found["forward"][0].endswith("(but Docker drops them first)")
    containers.called.apply("docker_host.routes", _routes(42, 41))
    assert containers.answer()
    containers.called.run(f"iptables -t raw -D {drop}")
