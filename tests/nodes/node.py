"""Throw-away nodes: the lab's own image, started as the lab starts it, two of them on one cable."""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import docker
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from docker.errors import APIError, NotFound
from pydantic import SecretStr

from components.observation import HOST_STEPS
from components.rendering import render
from facts import probe
from facts.boot import REBOOT_STATUS
from facts.catalog import steps
from facts.files import wanted_facts
from lab.cluster import _NODE_CAPABILITIES, _UNCONFINED
from lab.files import LabFiles
from settings import flat
from settings.models import HostAccess
from tests.waiting import wait_until

INTERFACE = "enp1f0"
LABEL = "rocestack.test"
# The engine's book-keeping in each stdin.
_BESIDE = {"generation": "1", "node": "1"}
BOOT_DEADLINE_S = 90
SCRIPT_DEADLINE_S = 400
# Nothing of the machine, of a lab or of a stack is in it; each site takes one /24, its cable the upper half.
_SITES = IPv4Network("10.143.0.0/16")


@dataclass(frozen=True)
class Done:
    """How a script ended."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class _Place:
    """Where a node stands: its site's name, its own, and its end of the cable."""

    site: str
    hostname: str
    cable_end: str
    mac: str
    # The card's tools are there without OFED, as in a stack of the flavour inbox.
    ofed_tools: bool


class Node:
    """One running node; scripts reach it as the engine hands them over, by standard input alone."""

    def __init__(self, container: str, hostname: str, keys: Path, start: Callable[[str], None]) -> None:
        self.container = container
        self.hostname = hostname
        self._keys = keys
        self._start_at = start

    def access(self) -> HostAccess:
        """Return how to log in to the node over SSH."""
        client = self._keys / "client"
        return HostAccess(
            name=self.hostname,
            address=self._address(),
            port=22,
            user="root",
            host_key=(self._keys / "host/ssh_host_ed25519_key.pub").read_text().strip(),
            private_key=SecretStr(client.read_text()),
            private_key_file=str(client),
            known_hosts_file="",
        )

    def _address(self) -> str:
        """Return the node's address on the management network; its interfaces come in any order."""
        network = f"{self.container.removesuffix(f'-{self.hostname}')}-management"
        asked = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        done = subprocess.run(
            ["docker", "inspect", "--format", asked, self.container],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def script(self, text: str, stdin: str = "", deadline: float = SCRIPT_DEADLINE_S) -> Done:
        """Run `text` under bash and return how it ended."""
        done = subprocess.run(
            ["docker", "exec", "--interactive", self.container, "bash", "-c", text],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=deadline,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, text: str) -> str:
        """Run `text` under bash and return what it printed; it must end well."""
        done = self.script(text)
        assert done.status == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def try_apply(self, step: str, wanted: Mapping[str, str]) -> Done:
        """Run a step's apply script with these settings, as the first repair of them would."""
        return self.script(_template(step, "apply"), flat.render({**_whole(step, wanted), **_BESIDE}))

    def settle(self, step: str, wanted: Mapping[str, str]) -> Done:
        """Run a step's apply script, and once more in the next boot if it asks for one, as the hook does."""
        before = self._started()
        done = self.try_apply(step, wanted)
        if done.status != REBOOT_STATUS:
            return done
        wait_until(lambda: self._started() not in ("", before), BOOT_DEADLINE_S, f"reboot for {step}")
        self.wait_booted()
        return self.try_apply(step, wanted)

    def apply(self, step: str, wanted: Mapping[str, str]) -> str:
        """Run a step's apply script, which must end well without a reboot, and return what it printed."""
        done = self.try_apply(step, wanted)
        assert done.status == 0, f"{step}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def remove(self, step: str, wanted: Mapping[str, str]) -> str:
        """Run a step's remove script, which must end well, and return what it printed."""
        done = self.script(_template(step, "remove"), flat.render({**_whole(step, wanted), **_BESIDE}))
        assert done.status == 0, f"{step}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def probe(self, applied: Mapping[str, Mapping[str, str]]) -> probe.ProbeAnswer:
        """Return what the probe of all host steps says, given what was applied per step."""
        lines = "".join(
            f"{step}.{line}\n"
            for step, values in applied.items()
            for line in flat.render(values).splitlines()
        )
        done = self.script(probe.render(HOST_STEPS), lines)
        assert done.status == 0, done.stderr
        return probe.parse(done.stdout)

    def differences(self, step: str, wanted: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Return the facts of one step that are not as wanted: key to found and wanted.

        The step's files, unit and record are among them. One of which the probe says nothing is not: see
        `unseen`.
        """
        wanted = _whole(step, wanted)
        found = self._facts(step, wanted)
        return {
            key: (found[key], wanted[key]) for key in found if key in wanted and found[key] != wanted[key]
        }

    def unseen(self, step: str, wanted: Mapping[str, str]) -> set[str]:
        """Return the settings of one step that have a fact by the catalogue, and none from the probe."""
        wanted = _whole(step, wanted)
        promised = steps()[step].facts
        asked = {key for key, value in wanted.items() if key in promised and promised[key].has(value)}
        return asked - self._facts(step, wanted).keys()

    def _facts(self, step: str, wanted: Mapping[str, str]) -> Mapping[str, str]:
        answer = self.probe({step: wanted})
        assert step not in answer.unobservable, answer.unobservable
        return answer.facts[step]

    def photograph(self) -> dict[str, str]:
        """Return what a step can change on a host: files with their sums, packages, units, network, rules."""
        said = self.run(_PHOTOGRAPH)
        return dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)

    def reboot(self) -> None:
        """Reboot as a person does, and wait until systemd says that the boot is over."""
        before = self._started()
        self.script("systemctl reboot")
        wait_until(lambda: self._started() not in ("", before), BOOT_DEADLINE_S, f"reboot of {self.hostname}")
        self.wait_booted()

    def wait_booted(self) -> None:
        """Wait until systemd has finished the boot."""

        def over() -> bool:
            return self.script("systemctl is-system-running").stdout.strip() in ("running", "degraded")

        wait_until(over, BOOT_DEADLINE_S, f"boot of {self.hostname}")

    def reimage(self) -> None:
        """Put a fresh node in this one's place: the same name, keys and addresses, nothing on its disk."""
        address = self.access().address
        removed = ["docker", "rm", "--force", "--volumes", self.container]
        subprocess.run(removed, capture_output=True, timeout=60, check=True)
        self._start_at(address)
        self.wait_booted()

    def _started(self) -> str:
        return self.script("stat -c %Y.%Z /proc/1").stdout.strip()


def _whole(step: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with what else the step leaves on its host, as the program gives them."""
    return {**wanted, **wanted_facts(step, wanted)}


def _template(step: str, kind: str) -> str:
    return render(f"{step.replace('.', '/')}.{kind}.sh.j2")


# One line per thing: its kind and name, a tab, its state.
_PHOTOGRAPH = r"""
set -euo pipefail
find /etc /usr/local /var/lib/rocestack /boot /root /opt -xdev -type f \
  ! -name '*.rocestack-new' ! -name ld.so.cache ! -path /etc/hosts ! -path /etc/resolv.conf \
  ! -name '*-' ! -path '/etc/systemd/system/*.wants/*' \
  -exec md5sum {} + 2>/dev/null | awk '{ sum = $1; $1 = ""; printf "file%s\t%s\n", $0, sum }' || true
find /etc /usr/local -xdev -type l -printf 'link %p\t%l\n' 2>/dev/null
find /etc /usr/local /var/lib/rocestack -xdev -type d -printf 'folder %p\t%m\n' 2>/dev/null || true
dpkg-query -W -f 'package ${Package}\t${Version} ${db:Status-Status}\n'
apt-mark showhold | sed 's/$/\thold/; s/^/hold /'
systemctl list-units --all --plain --no-legend --type=service 'rocestack*' 'docker*' |
  awk '{ printf "unit %s\t%s %s\n", $1, $3, $4 }'
ip -4 -o address show | awk '$2 !~ /^(veth|lo)/ { printf "address %s\t%s\n", $2, $4 }'
ip -o link show | awk '$2 !~ /^veth/ { sub(/@.*/, ":", $2); printf "link %s\tmtu %s\n", $2, $5 }'
ip -4 route show | sed 's/ *$//; s/ linkdown$//; s/^/route /; s/$/\tset/'
for table in filter nat raw; do
  iptables -t "$table" -S 2>/dev/null | sed "/127\\.0\\.0\\.11/d; s/^/rule $table /; s/\$/\tset/" || true
done
printf 'sysctl ip_forward\t%s\n' "$(</proc/sys/net/ipv4/ip_forward)"
printf 'sysctl tcp_ecn\t%s\n' "$(</proc/sys/net/ipv4/tcp_ecn)"
"""


def _site_networks(client: docker.DockerClient, name: str) -> tuple[Any, Any, IPv4Network]:
    """Return a management network, a cable and its subnet; no other test uses these subnets now."""
    links = json.loads(subprocess.run(["ip", "-j", "-4", "address"], capture_output=True, check=True).stdout)
    # Another engine's network of the same subnet would get our packets.
    taken = [IPv4Address(one["local"]) for link in links for one in link["addr_info"]]
    free = [site for site in _SITES.subnets(new_prefix=24) if not any(one in site for one in taken)]
    for _ in range(50):
        site = secrets.choice(free)
        lower, upper = site.subnets(new_prefix=25)
        made = []
        try:
            for suffix, subnet in (("management", lower), ("port", upper)):
                made.append(_network(client, f"{name}-{suffix}", subnet))
            return made[0], made[1], upper
        except APIError as error:
            for network in made:
                network.remove()
            if "overlap" not in str(error.explanation):
                raise
    raise AssertionError("no free subnet for a throw-away node")


def _network(client: docker.DockerClient, name: str, subnet: IPv4Network) -> Any:
    pool = docker.types.IPAMPool(subnet=str(subnet), gateway=str(subnet.network_address + 1))
    options = {"com.docker.network.driver.mtu": "9216"} if name.endswith("port") else None
    return client.networks.create(
        name,
        driver="bridge",
        ipam=docker.types.IPAMConfig(pool_configs=[pool]),
        labels={LABEL: name},
        options=options,
    )


@contextlib.contextmanager
def site(
    client: docker.DockerClient, image: str, hostnames: Sequence[str], *, ofed_tools: bool = True
) -> Iterator[list[Node]]:
    """Start nodes that share one cable (their data interfaces) and a management network; end them after.

    Without `ofed_tools` mlnx_qos and what belongs to it come with OFED alone.
    """
    name = f"test-nodes-{secrets.token_hex(4)}"
    management, cable, subnet = _site_networks(client, name)
    containers: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        keys = Path(scratch)
        _write_keys(keys)
        try:
            containers.append(f"{name}-vendor")
            _start_vendor(image, name)
            nodes = []
            for number, hostname in enumerate(hostnames, start=10):
                end = str(subnet.network_address + number)
                place = _Place(name, hostname, end, f"02:52:01:01:{number:02x}:00", ofed_tools)
                start = functools.partial(_start, client, image, place, keys)
                containers.append(f"{name}-{hostname}")
                start(None)
                nodes.append(Node(f"{name}-{hostname}", hostname, keys, start))
            for node in nodes:
                node.wait_booted()
            yield nodes
        finally:
            for container in containers:
                with contextlib.suppress(NotFound):
                    client.containers.get(container).remove(force=True, v=True)
            for network in (management, cable):
                network.remove()


def _start_vendor(image: str, site_name: str) -> None:
    """Start the vendors' web server of a site, which is http://vendor/ to its nodes."""
    command = ["docker", "run", "--detach", "--name", f"{site_name}-vendor", "--hostname", "vendor"]
    command += ["--label", f"{LABEL}={site_name}"]
    command += ["--network", f"{site_name}-management", "--network-alias", "vendor"]
    command += ["--volume", f"{LabFiles().vendor}:/srv/vendor:ro"]
    command += [image, "/usr/lib/rocestack-lab/standin", "vendor_web"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr


def _start(
    client: docker.DockerClient, image: str, place: _Place, keys: Path, management: str | None
) -> None:
    """Start one node as the lab does; the command line alone knows `systempaths`.

    `management` is its address on the management network, None for any that is free.
    """
    site_name, hostname, address = place.site, place.hostname, place.cable_end
    command = ["docker", "create", "--name", f"{site_name}-{hostname}", "--hostname", hostname]
    command += [f"--cap-add={one}" for one in _NODE_CAPABILITIES]
    command += [f"--security-opt={one}" for one in _UNCONFINED]
    command += ["--cgroupns=private", "--restart=always"]
    command += ["--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec"]
    command += ["--env", "LAB_ROLE=node", "--env", f"LAB_DATA_INTERFACE={INTERFACE}"]
    command += ["--env", f"LAB_OFED_TOOLS={'yes' if place.ofed_tools else 'no'}"]
    command += ["--env", f"LAB_CABLES={INTERFACE},{address},{place.mac}"]
    command += ["--label", f"{LABEL}={site_name}", "--network", f"{site_name}-management"]
    command += ["--ip", management] if management is not None else []
    command += ["--volume", "/var/lib/docker"]
    command += ["--volume", f"{keys}/host:/etc/rocestack-lab/keys:ro"]
    command += ["--volume", f"{keys}/client.pub:/etc/rocestack-lab/client.pub:ro"]
    command += [image, "/usr/lib/rocestack-lab/node-init"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    container = client.containers.get(made.stdout.strip())
    client.networks.get(f"{site_name}-port").connect(container, ipv4_address=address)
    container.start()


def _write_keys(folder: Path) -> None:
    (folder / "host").mkdir(mode=0o755)
    folder.chmod(0o755)
    for path in (folder / "host" / "ssh_host_ed25519_key", folder / "client"):
        key = ed25519.Ed25519PrivateKey.generate()
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
        )
        path.chmod(0o600)
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        path.with_name(path.name + ".pub").write_bytes(public + b"\n")
