"""Two of the lab's switches, made and cabled as its plan says: frames cross both, and each knows its own."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from components import switch_qos
from facts.fabric import Cabling, HostSide, SwitchSide, cables
from lab.cables import Network
from lab.files import LabFiles
from lab.keys import ensure_keys
from lab.plan import Kind, Machine, make_plan, ssh_machines
from lab.program import access
from onyx.observe import Observation, read_switch
from onyx.wanted import read_access
from settings.loader import parse
from settings.models import Stack
from tests.nodes.node import LABEL
from tests.switch.answers import WANTED
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
MTU = "9000"
ADDRESSES = ("31.31.31.1", "31.31.31.2")
# The first cable of the second switch is number 1010 of 8 addresses each.
_CABLES = 18


@dataclass(frozen=True)
class Racks:
    """Two switches with a host each, by the names of their containers, as the stack says it."""

    stack: Stack
    files: LabFiles

    @property
    def switches(self) -> list[str]:
        """The switches, in the order of the stack."""
        return [one.name for one in self.stack.all_switches]

    @property
    def hosts(self) -> list[str]:
        """The hosts, the n-th one on port 1/n of the n-th switch."""
        return [one.name for one in self.stack.hosts]

    def read(self, switch: str) -> Observation:
        """Return what a switch says, asked as the program asks it."""
        login = access(self.stack, "lab", self.files)[1][switch]
        return read_switch(
            read_access(switch_qos.login(login), switch_qos.secrets(login)), replace(WANTED, ports=()), 30.0
        )

    def mac(self, host: str) -> str:
        """Return the address of a host's data interface."""
        return _run("docker", "exec", host, "cat", "/sys/class/net/enp1f0/address").strip()

    def ping(self, *options: str) -> None:
        """Let the first host ask the second one until it answers."""
        _run("docker", "exec", self.hosts[0], "ping", "-W", "5", *options, ADDRESSES[1])

    def sent(self, switch: str) -> int:
        """Return how many frames left a switch through its uplink."""
        counter = "/sys/class/net/swp31/statistics/tx_packets"
        return int(_run("docker", "exec", switch, "cat", counter))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _stack(token: str, subnets: Sequence[IPv4Network]) -> Stack:
    """Return the lab's stack with two switches, their first uplinks joined, and a host on each."""
    config = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]
    sections: dict[str, Any] = {key.partition(":")[2]: value for key, value in config.items()}
    del sections["switch"]
    names = [f"swx-{token}-{number}" for number in (1, 2)]
    sections["switches"] = [{"name": name, "uplinks": ["1/31", "1/32"]} for name in names]
    for number, (host, switch) in enumerate(zip(sections["hosts"], names, strict=True), start=1):
        host |= {"name": f"clx-{token}-{number}", "switch": switch, "switch_port": f"1/{number}"}
    sections["lab"] |= {
        "ssh_port_base": _free_port(),
        "management_subnet": str(subnets[0]),
        "cable_subnet": str(subnets[1]),
    }
    return parse(sections, "a test's stack")


def _free_subnets() -> tuple[IPv4Network, IPv4Network]:
    """Return a subnet for management and one for cables that nothing on this machine has."""
    said = _run("ip", "-o", "-4", "address").split()
    taken = [IPv4Address(word.partition("/")[0]) for word in said if word.count(".") == 3 and "/" in word]
    free = [
        site
        for site in IPv4Network("10.144.0.0/13").subnets(new_prefix=_CABLES - 1)
        if not any(one in site for one in taken)
    ]
    cables, rest = secrets.choice(free).subnets(new_prefix=_CABLES)
    return next(rest.subnets(new_prefix=24)), cables


def _network(client: docker.DockerClient, network: Network, token: str) -> Any:
    pool = docker.types.IPAMPool(subnet=str(network.subnet), gateway=network.gateway)
    options = {"com.docker.network.driver.mtu": str(network.mtu)} if network.mtu else None
    return client.networks.create(
        network.name,
        driver="bridge",
        ipam=docker.types.IPAMConfig(pool_configs=[pool]),
        labels={LABEL: token},
        options=options,
    )


def _start(machine: Machine, token: str, command: Sequence[str]) -> None:
    """Start a machine of the plan as the lab does; a host is only its end of the cable."""
    first, *others = [
        one for one in machine.attachments if machine.kind is Kind.SWITCH or "port" in one.network
    ]
    reached = machine.kind is Kind.SWITCH
    published = [f"--publish=127.0.0.1:{machine.port}:{machine.inner_port}"] if reached else []
    _run(
        *("docker", "create", f"--name={machine.container}", f"--hostname={machine.name}", "--init"),
        *("--cap-add=NET_ADMIN", f"--label={LABEL}={token}", *published),
        *(f"--env={key}={value}" for key, value in machine.environment.items()),
        *(f"--volume={one.source}:{one.target}:ro" for one in machine.binds),
        *(f"--volume={one.target}" for one in machine.volumes),
        *(f"--network={first.network}", f"--ip={first.address}", machine.image, *command),
    )
    for one in others:
        _run("docker", "network", "connect", "--ip", one.address, one.network, machine.container)
    _run("docker", "start", machine.container)


@pytest.fixture(scope="module")
def racks(
    engine: docker.DockerClient, node_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Racks]:
    token = secrets.token_hex(3)
    stack = _stack(token, _free_subnets())
    files = LabFiles(tmp_path_factory.mktemp("lab"))
    ensure_keys(files, ssh_machines(stack))
    files.vendor.mkdir(parents=True)
    files.vendor_manifest.write_text("{}")
    plan = make_plan(stack, f"test-{token}", node_image, files, {})
    made = Racks(stack, files)
    networks = []
    try:
        networks = [_network(engine, network, token) for network in plan.networks]
        for name in made.switches:
            machine = plan.machine(name)
            _start(machine, token, machine.command)
        for name, address in zip(made.hosts, ADDRESSES, strict=True):
            _start(plan.machine(name), token, ("sleep", "900"))
            _run("docker", "exec", name, "/usr/lib/rocestack-lab/cables")
            for change in (
                ("link", "set", "enp1f0", "mtu", MTU, "up"),
                ("address", "add", f"{address}/24", "dev", "enp1f0"),
            ):
                _run("docker", "exec", name, "ip", *change)
        for name in made.switches:
            wait_until(lambda name=name: _answers(made, name), 30, f"{name} answers")  # type: ignore[misc]
        yield made
    finally:
        for name in (*made.switches, *made.hosts):
            subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)
        for network in networks:
            network.remove()


def _answers(racks: Racks, switch: str) -> bool:
    command = ["docker", "exec", switch, "test", "-s", "/run/onyx/fabric.json"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_full_jumbo_frame_crosses_both_switches_and_none_runs_in_a_circle(racks: Racks) -> None:
    racks.ping("-c", "3", "-M", "do", "-s", "8972")
    before = {name: racks.sent(name) for name in racks.switches}
    assert all(count >= 3 for count in before.values())
    time.sleep(2)
    # What goes through a link by itself in two seconds is a handful; a frame in a circle is thousands.
    assert all(racks.sent(name) - count < 50 for name, count in before.items())


def test_each_host_is_seen_on_its_own_switch_and_behind_the_others_uplink(racks: Racks) -> None:
    racks.ping("-c", "1")
    macs = {host: racks.mac(host) for host in racks.hosts}
    sides = [
        SwitchSide(name, frozenset({"1/31", "1/32"}), macs=racks.read(name).neighbours.macs)
        for name in racks.switches
    ]
    first, second = (macs[host] for host in racks.hosts)
    assert [side.macs.get(first) for side in sides] == ["1/1", "1/31"]
    assert [side.macs.get(second) for side in sides] == ["1/31", "1/2"]
    wanted = [
        HostSide(host.name, str(host.switch), host.switch_port, macs[host.name]) for host in racks.stack.hosts
    ]
    assert [cable.state for cable in cables(sides, wanted)] == [Cabling.MAC, Cabling.MAC]
    (moved,) = cables(sides, [replace(wanted[1], switch=racks.switches[0], port="1/5")])
    assert moved.problem.startswith(
        f"cabling: {racks.hosts[1]} belongs on port 1/5 of {racks.switches[0]}, but it is on port 1/2 of "
        f"{racks.switches[1]} (MAC table)"
    )
