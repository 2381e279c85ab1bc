"""The operator's network, as far as a Docker engine of our own needs it: a bridge, and no traces later."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import EngineError

# The lab's own networks begin at 172.30; everything below is Docker's usual ground.
BRIDGE_CANDIDATES = tuple(ipaddress.IPv4Network(f"172.{number}.0.0/24") for number in range(17, 30))
# A network that Docker made (its id), or the first bridge of an engine of ours (its checkout's tag).
_ENGINES_BRIDGE = re.compile(r"br-[0-9a-f]{12}|rs[0-9a-f]{8}")
FORWARD_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")


def pick_subnet(used: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """Return the first candidate that overlaps no network in use; EngineError when all are taken."""
    taken = list(used)
    for candidate in BRIDGE_CANDIDATES:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise EngineError(
        "No subnet is free for the Docker engine's own bridge: 172.17.0.0/24 to 172.29.0.0/24 are in use.",
        "Free one of them (ip route), or set DOCKER_HOST to an engine that runs already.",
    )


def networks_of(routes: str, own: str) -> list[ipaddress.IPv4Network]:
    """Return the networks in the JSON of `ip -j -4 route`, without the default and those of device `own`."""
    networks = []
    for route in json.loads(routes or "[]"):
        if route.get("dev") == own or route.get("dst") in (None, "default"):
            continue
        networks.append(ipaddress.IPv4Network(route["dst"], strict=False))
    return networks


def ensure_bridge(name: str) -> None:
    """Make the bridge `name` with an address of a free subnet; one that has an address is left as it is."""
    links = _links()
    if not links.get(name):
        subnet = pick_subnet(networks_of(_ip("-j", "-4", "route", "show", "table", "all"), name))
        if name not in links:
            _ip("link", "add", "name", name, "type", "bridge")
        _ip("address", "add", f"{subnet.network_address + 1}/{subnet.prefixlen}", "dev", name)
    _ip("link", "set", "dev", name, "address", bridge_mac(name), "up")


def bridge_mac(name: str) -> str:
    """Return the MAC address of the bridge `name`: always the same one, locally administered.

    A bridge without one of its own takes the lowest of its ports', so it would have another as containers
    come and go, and those that stay would send to the old one until they ask again.
    """
    return "02:" + hashlib.sha256(name.encode()).digest()[:5].hex(":")


def remove_bridge(name: str) -> None:
    """Remove the bridge `name` and all packet filter rules that name it."""
    for table in ("nat", "filter"):
        for rule in rules_naming(_iptables(table, "-S"), name):
            _iptables(table, "-D", *rule)
    if name in _links():
        _ip("link", "delete", "dev", name)


def remove_abandoned(own: str) -> list[str]:
    """Remove the bridges that a killed engine left behind, and return their names.

    To be called when no Docker engine runs. Such a bridge keeps its address, so the machine would send what
    is meant for a new network of the same subnet into it. An engine that comes back makes its own anew.
    """
    gone = abandoned(_ip("-j", "link", "show"), own)
    for name in gone:
        remove_bridge(name)
    return gone


def abandoned(links: str, own: str) -> list[str]:
    """Return the engines' bridges without a member in the JSON of `ip -j link`, but for `own`."""
    found = json.loads(links or "[]")
    masters = {link.get("master") for link in found}
    names = sorted(str(link.get("ifname")) for link in found)
    return [name for name in names if _ENGINES_BRIDGE.fullmatch(name) and name not in masters | {own}]


def _links() -> dict[str, list[str]]:
    """Return interface → its IPv4 addresses."""
    links = json.loads(_ip("-j", "address", "show") or "[]")
    return {
        link["ifname"]: [a["local"] for a in link.get("addr_info", []) if a.get("family") == "inet"]
        for link in links
        if "ifname" in link
    }


@contextmanager
def kept_rules(ours: Callable[[], set[str]]) -> Iterator[None]:
    """Put back what a starting dockerd takes from another one.

    All engines of a machine share Docker's chains, and each empties them when it starts: the others would
    lose their published ports and the walls between their networks. `ours` is asked afterwards for the
    bridges of the engine that started: it made their rules itself, and older ones would be wrong.
    """
    before = {table: docker_rules(_iptables(table, "-S")) for table in ("nat", "filter")}
    try:
        yield
    finally:
        own = ours()
        for table, rules in before.items():
            now = docker_rules(_iptables(table, "-S"))
            # Each goes to the top of its chain, the last one first, so they keep their order.
            lost = [rule for rule in rules if rule not in now and own.isdisjoint(rule)]
            for chain, *words in reversed(lost):
                _iptables(table, "-I", chain, *words)


def docker_rules(listing: str) -> list[list[str]]:
    """Return chain and words of each rule in Docker's chains of an `iptables -S` listing."""
    lines = (line for line in listing.splitlines() if line.startswith("-A DOCKER"))
    return [shlex.split(line)[1:] for line in lines]


def rules_naming(listing: str, name: str) -> list[list[str]]:
    """Return chain and words of each rule in an `iptables -S` listing that names an interface."""
    rules = (shlex.split(line)[1:] for line in listing.splitlines() if line.startswith("-A "))
    return [rule for rule in rules if name in rule]


def snapshot() -> dict[str, object]:
    """Return what a Docker engine changes for the whole machine: forwarding, and chains of its own."""
    listing = _iptables("filter", "-S")
    policies = [line.split()[2] for line in listing.splitlines() if line.startswith("-P FORWARD ")]
    return {
        "forward": policies[0] if policies else "",
        "chains": "-N DOCKER" in listing,
        "ip_forward": FORWARD_SWITCH.read_text().strip(),
    }


def restore(before: dict[str, object]) -> None:
    """Bring forwarding and chains back to a snapshot. To be called when no Docker engine runs any more."""
    if not before or before.get("chains"):
        return
    for table in ("nat", "filter"):
        listing = _iptables(table, "-S")
        for rule in docker_jumps(listing):
            _iptables(table, "-D", *rule)
        chains = docker_chains(listing)
        for verb in ("-F", "-X"):
            for chain in chains:
                _iptables(table, verb, chain)
    if before.get("forward") in ("ACCEPT", "DROP"):
        _iptables("filter", "-P", "FORWARD", str(before["forward"]))
    if before.get("ip_forward") == "0":
        FORWARD_SWITCH.write_text("0\n")


def docker_chains(listing: str) -> list[str]:
    """Return Docker's chains in an `iptables -S` listing; not DOCKER-USER when a person put rules in it."""
    lines = listing.splitlines()
    chains = [line.split()[1] for line in lines if line.startswith("-N DOCKER")]
    by_hand = any(line.startswith("-A DOCKER-USER ") and not line.endswith("-j RETURN") for line in lines)
    return [chain for chain in chains if chain != "DOCKER-USER" or not by_hand]


def docker_jumps(listing: str) -> list[list[str]]:
    """Return chain and words of each rule that jumps into a chain which `docker_chains` names."""
    chains = set(docker_chains(listing))
    rules = (shlex.split(line)[1:] for line in listing.splitlines() if line.startswith("-A "))
    return [rule for rule in rules if "-j" in rule and rule[rule.index("-j") + 1] in chains]


def _ip(*words: str) -> str:
    return _run("ip", *words)


def _iptables(table: str, *words: str) -> str:
    return _run("iptables", "-w", "10", "-t", table, *words)


def _run(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EngineError(f"The program {argv[0]} is missing.", "Install iproute2 and iptables.") from None
    if done.returncode != 0:
        raise EngineError(
            f"`{shlex.join(argv)}` failed: {done.stderr.strip()}",
            "The Docker engine needs it; run as root on a kernel with bridges and netfilter.",
        )
    return done.stdout
