"""The switch's container with two real cables: what it shows is what crosses it."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.nodes.node import LABEL, _site_networks
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
MACS = {"1/1": "02:52:01:01:01:00", "1/3/2": "02:52:01:01:03:02"}
SEND = """
import socket, sys
target, tos, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
for _ in range(count):
    sender.sendto(b"x" * 100, (target, 4791))
"""


@dataclass(frozen=True)
class Site:
    """A switch and two hosts, by the names of their containers; host n has 31.31.31.n."""

    switch: str
    hosts: tuple[str, str]

    def show(self, *lines: str) -> str:
        """Return what the switch answers to the last of these lines, in a session of its own."""
        said = _run(
            "docker", "exec", "--interactive", "--user=admin", self.switch, "/opt/onyx/cli", "-c",
            "cli " + " ".join(f'"{line}"' for line in ("enable", "configure terminal", *lines)),
        )  # fmt: skip
        assert "%" not in said, said
        return said

    def data(self, line: str) -> Any:
        """Return what the switch answers to a show command, as data."""
        return json.loads(self.show(f"{line} | json-print"))


def _agents(site: Site) -> list[str]:
    """Return the process ids of the switch's agent: one, or none while it starts again."""
    command = ["docker", "exec", site.switch, "pgrep", "-u", "admin", "-f", "/opt/onyx/agent"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.split()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def site(
    engine: docker.DockerClient, node_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    name = f"test-switch-{secrets.token_hex(4)}"
    first, second, _subnet = _site_networks(engine, name)
    keys = tmp_path_factory.mktemp("keys")
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "ssh_host_ed25519_key"))
    (keys / "password").write_text("not-a-secret\n")
    names = [f"{name}-switch", f"{name}-1", f"{name}-2"]
    ends = [_address(network, 3) for network in (first, second)]
    cables = f"swp1,{ends[0]},02:52:02:01:01:00;swp3s2,{ends[1]},02:52:02:01:03:02"
    common = ["docker", "run", "--detach", "--cap-add=NET_ADMIN", f"--label={LABEL}={name}"]
    try:
        for number, network in ((1, first), (2, second)):
            place = [f"--network={network.name}", f"--ip={_address(network, 2)}", f"--name={names[number]}"]
            _run(*common, *place, node_image, "sleep", "900")
            mac = list(MACS.values())[number - 1]
            _run("docker", "exec", names[number], "ip", "link", "set", "eth0", "address", mac)
            _run(
                "docker",
                "exec",
                names[number],
                "ip",
                "address",
                "add",
                f"31.31.31.{number}/24",
                "dev",
                "eth0",
            )
        _run(
            "docker", "create", *common[3:], f"--name={names[0]}", "--hostname=swx",
            f"--network={first.name}", f"--ip={ends[0]}",
            "--env=LAB_ROLE=switch", f"--env=LAB_CABLES={cables}",
            f"--volume={keys}:/etc/rocestack-lab/keys:ro",
            f"--volume={keys}/password:/etc/rocestack-lab/password:ro",
            f"--volume={ROOT}/lab/switch:/opt/onyx:ro", "--volume=/var/lib/onyx",
            node_image, "/usr/lib/rocestack-lab/switch-init",
        )  # fmt: skip
        _run("docker", "network", "connect", "--ip", ends[1], second.name, names[0])
        _run("docker", "start", names[0])
        made = Site(names[0], (names[1], names[2]))
        wait_until(lambda: _answers(made), 30, "the switch's agent")
        yield made
    finally:
        for each in names:
            subprocess.run(["docker", "rm", "--force", "--volumes", each], capture_output=True, check=False)
        for network in (first, second):
            network.remove()


def _address(network: Any, place: int) -> str:
    subnet = network.attrs.get("IPAM", {}) or network.client.networks.get(network.id).attrs["IPAM"]
    base = subnet["Config"][0]["Subnet"].split("/")[0].rsplit(".", 1)
    return f"{base[0]}.{int(base[1]) + place}"


def _answers(site: Site) -> bool:
    done = subprocess.run(
        ["docker", "exec", site.switch, "test", "-s", "/run/onyx/fabric.json"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _send(site: Site, tos: int, count: int) -> None:
    _run("docker", "exec", site.hosts[0], "python3", "-c", SEND, "31.31.31.2", str(tos), str(count))


def _counters(site: Site) -> dict[str, dict[str, dict[str, list[int]]]]:
    found: dict[str, dict[str, dict[str, list[int]]]] = json.loads(
        _run("docker", "exec", site.switch, "/opt/onyx/service", "counters")
    )
    return found


def test_a_socket_with_a_split_cable_is_split_and_its_link_is_up(site: Site) -> None:
    status = site.data("show interfaces ethernet status")
    states = {name: facts[0]["Operational state"] for name, facts in status.items()}
    assert [name for name, state in states.items() if state == "Up"] == ["Eth1/1", "Eth1/3/2"]
    assert "Eth1/3" not in states
    assert "Eth1/4" not in states


def test_the_mac_table_and_the_counters_are_of_the_frames_that_passed(site: Site) -> None:
    before = _counters(site)
    _send(site, 106, 20)
    _send(site, 0, 3)
    wait_until(lambda: "26" in _counters(site)["1/1"]["rx"], 15, "frames with DSCP 26 in the counters")
    after = _counters(site)
    assert "26" not in before["1/1"]["rx"]
    # 100 bytes of payload, 8 of UDP, 20 of IP.
    assert after["1/1"]["rx"]["26"] == [20, 20 * 128]
    assert after["1/3/2"]["tx"]["26"] == [20, 20 * 128]
    assert "26" not in after["1/3/2"]["rx"]
    table = site.data("show mac-address-table")["1"]
    found = {(row["Mac Address"].lower(), row["Port\\Next Hop"]) for row in table}
    assert {(mac, f"Eth{port}") for port, mac in MACS.items()} <= found


def test_a_trusted_dscp_counts_for_its_priority_and_pause_frames_are_unknown(site: Site) -> None:
    def packets(priority: int) -> str:
        answer = site.data(f"show interfaces ethernet 1/1 counters priority {priority}")
        facts = answer["Eth1/1"][0][f"Priority {priority}"][0]["Rx"][0]
        assert facts["pause packets"] == "N/A"
        return str(facts["packets"])

    assert packets(3) == "0"
    site.show("interface ethernet 1/1 qos trust L3")
    assert int(packets(3)) >= 20
    site.show("interface ethernet 1/1 no qos trust")


def test_a_pulled_cable_is_a_link_that_is_down(site: Site) -> None:
    site.show("dcb priority-flow-control enable force")
    site.show("interface ethernet 1/1 dcb priority-flow-control mode on force")

    def works() -> str:
        answer = site.data("show dcb priority-flow-control interface ethernet 1/1")
        return str(answer[-1]["Eth1/1"][0]["PFC oper"])

    assert works() == "Enabled"
    agent = _agents(site)
    _run("docker", "exec", site.switch, "ip", "link", "set", "swp1", "down")
    assert works() == "Disabled"
    _run("docker", "exec", site.switch, "ip", "link", "set", "swp1", "up")
    wait_until(lambda: works() == "Enabled", 10, "the link")
    assert _agents(site) == agent, "the agent goes on"


def test_faults_are_switched_on_by_root_and_strike_in_sessions(site: Site) -> None:
    _run("docker", "exec", site.switch, "/opt/onyx/service", "fault", "link-down", "port=1/3/2")
    status = site.data("show interfaces ethernet status")
    assert status["Eth1/3/2"][0]["Operational state"] == "Down"
    _run("docker", "exec", site.switch, "/opt/onyx/service", "clear")
    status = site.data("show interfaces ethernet status")
    assert status["Eth1/3/2"][0]["Operational state"] == "Up"


def test_the_agent_has_two_of_roots_powers_and_a_dead_one_is_replaced(site: Site) -> None:
    pids = _agents(site)
    assert len(pids) == 1
    status = _run("docker", "exec", site.switch, "cat", f"/proc/{pids[0]}/status")
    # CAP_NET_ADMIN is bit 12, CAP_NET_RAW bit 13.
    assert "CapEff:\t0000000000003000" in status
    _run("docker", "exec", site.switch, "kill", pids[0])

    def another() -> bool:
        return _agents(site) not in ([], pids)

    wait_until(another, 15, "another agent")
