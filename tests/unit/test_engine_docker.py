"""Our own Docker engine: its settings, its place in the operator's network, its mounts."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest

from engine import docker_api, host_network
from engine.dockerd import Dockerd, mounts_below
from engine.errors import EngineError
from engine.paths import Checkout

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
TWO_ENGINES = FIXTURES / "iptables" / "two-engines"
ROUTES = (FIXTURES / "iproute2" / "docker-in-use" / "route.json").read_text()
OURS = "rsfa067b02"
SOCKET_PATH_LIMIT = 107
INTERFACE_NAME_LIMIT = 15

Net = ipaddress.IPv4Network


def daemon(root: str = "/c") -> Dockerd:
    return Dockerd(Checkout(Path(root)))


def test_a_deep_checkout_still_has_short_sockets_and_names() -> None:
    deep = daemon("/" + "deep/" * 60)
    longest = deep.run / "libnetwork" / f"{'0' * 64}.sock"
    assert len(str(longest)) <= SOCKET_PATH_LIMIT
    assert len(deep.bridge) <= INTERFACE_NAME_LIMIT
    assert daemon("/other").host != daemon().host


def test_settings_put_everything_in_places_of_our_own() -> None:
    settings = daemon().settings("")
    assert settings["hosts"] == [daemon().host]
    assert settings["bridge"] == daemon().bridge
    assert settings["data-root"] == "/c/.engine/docker/data"
    assert settings["pidfile"] == "/c/.engine/docker/dockerd.pid"
    assert str(settings["exec-root"]).startswith("/run/rocestack-")


@pytest.mark.parametrize(
    ("operator", "mirrors"),
    [
        ('{"registry-mirrors": ["https://mirror.example"], "bip": "10.0.0.1/8"}', ["https://mirror.example"]),
        ('{"data-root": "/srv"}', None),
        ("not json", None),
        ("[]", None),
    ],
)
def test_the_operators_mirrors_are_kept_and_nothing_else(operator: str, mirrors: list[str] | None) -> None:
    settings = daemon().settings(operator)
    assert settings.get("registry-mirrors") == mirrors
    assert settings.keys() - {"registry-mirrors"} == daemon().settings("").keys()
    assert settings["data-root"] == "/c/.engine/docker/data"


@pytest.mark.parametrize(
    ("used", "picked"),
    [
        ([], "172.17.0.0/24"),
        (["192.0.2.0/24"], "172.17.0.0/24"),
        (["172.17.0.0/16", "172.18.0.5/32"], "172.19.0.0/24"),
        (["172.17.0.0/16", "172.18.1.0/24"], "172.18.0.0/24"),
        (["172.17.0.0/16", "172.18.0.0/24", "172.19.0.0/24"], "172.20.0.0/24"),
    ],
)
def test_the_bridge_takes_the_first_free_subnet(used: list[str], picked: str) -> None:
    assert host_network.pick_subnet([Net(network) for network in used]) == Net(picked)


def test_no_free_subnet_is_an_error_that_says_how_to_go_on() -> None:
    with pytest.raises(EngineError, match="No subnet is free") as caught:
        host_network.pick_subnet([Net("172.16.0.0/12")])
    assert "DOCKER_HOST" in caught.value.hint


def test_networks_in_use_leave_out_the_default_route_and_our_bridge() -> None:
    networks = {str(network) for network in host_network.networks_of(ROUTES, OURS)}
    assert networks == {"172.17.0.0/16", "172.18.0.0/16", "192.0.2.0/24"}
    assert Net("172.19.0.0/24") in host_network.networks_of(ROUTES, "another")
    assert host_network.networks_of("", OURS) == []


@pytest.mark.parametrize(("table", "count"), [("nat", 2), ("filter", 6)])
def test_our_rules_are_found_and_the_other_engines_are_not(table: str, count: int) -> None:
    listing = (TWO_ENGINES / f"{table}.txt").read_text()
    rules = host_network.rules_naming(listing, OURS)
    assert len(rules) == count
    assert not any("docker0" in rule for rule in rules)
    assert host_network.rules_naming(listing, "rs00000000") == []


def test_the_other_engines_rules_in_the_shared_chains_are_kept() -> None:
    listing = (TWO_ENGINES / "nat.txt").read_text()
    rules = host_network.docker_rules(listing)
    assert ["DOCKER", "-i", "docker0", "-j", "RETURN"] in rules
    assert any("DNAT" in rule and "127.0.0.1/32" in rule for rule in rules)
    assert not any(rule[0] in ("PREROUTING", "OUTPUT", "POSTROUTING") for rule in rules)


def test_chains_and_jumps_that_a_last_engine_leaves() -> None:
    listing = (TWO_ENGINES / "filter.txt").read_text()
    chains = ["DOCKER", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2", "DOCKER-USER"]
    assert host_network.docker_chains(listing) == chains
    assert ["FORWARD", "-j", "DOCKER-USER"] in host_network.docker_jumps(listing)
    by_hand = listing + "-A DOCKER-USER -s 198.51.100.0/24 -j DROP\n"
    assert host_network.docker_chains(by_hand) == chains[:-1]
    assert ["FORWARD", "-j", "DOCKER-USER"] not in host_network.docker_jumps(by_hand)


def test_bridges_of_an_engine() -> None:
    networks = [
        {
            "Id": "7839946a86c8" + "0" * 52,
            "Driver": "bridge",
            "Options": {"com.docker.network.bridge.name": OURS},
        },
        {"Id": "ee7606c139ad" + "0" * 52, "Driver": "bridge", "Options": {}},
        {"Id": "1701f8696a67" + "0" * 52, "Driver": "host", "Options": None},
    ]
    assert docker_api.bridges(json.dumps(networks).encode()) == {OURS, "br-ee7606c139ad"}


MOUNTINFO = """\
21 1 254:0 / / rw - ext4 /dev/vda rw
90 21 254:0 / /c/.engine/docker rw - ext4 /dev/vda rw
91 90 0:50 / /c/.engine/docker/data/overlay2/ab/merged rw - overlay overlay rw
92 21 0:51 / /c/.engine/docker-other rw - tmpfs tmpfs rw
93 21 0:52 / /c/.engine/docker/with\\040space rw - tmpfs tmpfs rw
"""


def test_mounts_below_a_folder_come_the_deepest_first() -> None:
    assert mounts_below(MOUNTINFO, Path("/c/.engine/docker")) == [
        "/c/.engine/docker/data/overlay2/ab/merged",
        "/c/.engine/docker/with space",
        "/c/.engine/docker",
    ]
    assert mounts_below(MOUNTINFO, Path("/elsewhere")) == []


def _link(name: str, master: str | None = None) -> dict[str, str]:
    return {"ifname": name, **({"master": master} if master else {})}


@pytest.mark.parametrize(
    ("links", "gone"),
    [
        ([_link("lo"), _link("eth0"), _link("docker0")], []),
        ([_link("br-0123456789ab")], ["br-0123456789ab"]),
        ([_link("br-0123456789ab"), _link("veth1", "br-0123456789ab")], []),
        ([_link(OURS), _link("rs00000001"), _link("br-lan"), _link("rsync")], ["rs00000001"]),
    ],
    ids=["none", "left behind", "in use", "ours and a person's"],
)
def test_bridges_of_an_engine_that_no_longer_runs(links: list[dict[str, str]], gone: list[str]) -> None:
    assert host_network.abandoned(json.dumps(links), OURS) == gone


def test_a_bridge_keeps_one_address_of_its_own() -> None:
    first = host_network.bridge_mac(OURS)
    assert first == host_network.bridge_mac(OURS) != host_network.bridge_mac("rs00000001")
    # Six bytes, the first one with the bit "locally administered" and without "multicast".
    assert [len(part) for part in first.split(":")] == [2] * 6
    assert int(first[:2], 16) & 3 == 2
