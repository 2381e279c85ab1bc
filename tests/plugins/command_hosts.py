"""SSH servers of several kinds in one container, for the command plugin's logins, links and copies."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.plugins.common import wire
from tests.plugins.conftest import run, wait_for_log

PASSWORD = "Correct-Horse 7"

# One sshd per port; each has a log of its own.
SERVERS = {
    22: "-o PasswordAuthentication=no",
    23: "-o PasswordAuthentication=yes -o KbdInteractiveAuthentication=no -o PubkeyAuthentication=no",
    24: "-o UsePAM=yes -o PasswordAuthentication=no -o KbdInteractiveAuthentication=yes "
    "-o PubkeyAuthentication=no",
    25: "-o MaxSessions=3",
    26: "-o MaxStartups=10:100:10",
    27: "-o MaxSessions=1",
    28: "-o 'AuthorizedKeysFile=/keys/client.pub .ssh/authorized_keys'",
}
WITHOUT_SFTP = (25,)
MANY = [f"127.0.0.{number}" for number in range(2, 18)]

_COMMON = (
    "-h /keys/host -o AuthorizedKeysFile=/keys/client.pub -o StrictModes=no -o PermitRootLogin=yes "
    "-o LogLevel=VERBOSE -o AllowTcpForwarding=yes -o AcceptEnv=TEST_*"
)


def command_line(port: int) -> str:
    """Return what starts the server at `port` in the background."""
    # The first value of an option counts.
    options = SERVERS[port]
    if "UsePAM" not in options:
        options += " -o UsePAM=no"
    sftp = "" if port in WITHOUT_SFTP else "-o 'Subsystem=sftp internal-sftp'"
    pid = f"-o PidFile=/run/sshd-{port}.pid"
    return (
        f"/usr/sbin/sshd -f /dev/null -p {port} -E /var/log/sshd-{port}.log {options} {sftp} {_COMMON} {pid}"
    )


@dataclass(frozen=True)
class Hosts:
    """The container with its servers, and where each is published."""

    container: str
    keys: Path
    ports: dict[tuple[str, int], int]

    def connection(self, port: int = 22, host: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
        """Return the connection to the server that listens at `port`, with `more` on top."""
        found = {
            "host": host,
            "port": float(self.ports[host, port]),
            "privateKey": (self.keys / "client").read_text(),
            "hostKey": (self.keys / "host.pub").read_text().strip(),
            "dialErrorLimit": 3.0,
            **more,
        }
        return {name: value for name, value in found.items() if value is not None}

    def inside(self, command: str) -> str:
        """Run a shell command in the container, as root."""
        return run("docker", "exec", self.container, "sh", "-c", command)

    def log(self, port: int) -> str:
        """Return the log of the server at `port`."""
        return self.inside(f"cat /var/log/sshd-{port}.log")

    def logins(self, port: int) -> int:
        """Return how many logins the server at `port` has accepted."""
        return len(re.findall(r"^Accepted \S+ for ", self.log(port), re.MULTILINE))

    def stop(self, port: int) -> None:
        """End the server at `port` and all its connections, as a reboot does."""
        self.inside(
            f"listener=$(cat /run/sshd-{port}.pid); kill -STOP $listener; "
            "pkill -KILL -P $listener; kill -KILL $listener"
        )

    def start(self, port: int) -> None:
        """Start the server at `port`."""
        self.inside(command_line(port))


@contextmanager
def running(image: str, keys: Path) -> Iterator[Hosts]:
    """Run the servers, with keys made in the folder `keys`."""
    for name in ("host", "client"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(keys / name))
    container = f"rocestack-test-{uuid.uuid4().hex[:8]}"
    script = [f"echo 'root:{PASSWORD}' | chpasswd", "mkdir -p /run/sshd"]
    script += [command_line(port) for port in SERVERS]
    published = [("127.0.0.1", port) for port in SERVERS] + [(host, 26) for host in MANY]
    run(
        *("docker", "run", "-d", "--init", "--name", container, "-v", f"{keys}:/keys:ro"),
        *(word for host, port in published for word in ("-p", f"{host}::{port}")),
        *("--entrypoint", "/bin/sh", image, "-c", f"{'; '.join(script)}; echo ready; exec sleep infinity"),
    )
    try:
        wait_for_log(container, "ready")
        yield Hosts(container, keys, published_ports(container))
    finally:
        run("docker", "rm", "-f", "-v", container)


def published_ports(container: str) -> dict[tuple[str, int], int]:
    """Return the published ports by (address, port inside)."""
    found = {}
    for line in run("docker", "port", container).splitlines():
        inside, _, outside = line.partition("/tcp -> ")
        host, _, port = outside.rpartition(":")
        found[host, int(inside)] = int(port)
    return found


def file_asset(path: Path) -> dict[str, Any]:
    """Return the asset of a file as the engine sends it."""
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return {wire.SIGNATURE_KEY: wire.ASSET_SIGNATURE, "path": str(path), "hash": content}


def text_asset(text: str) -> dict[str, Any]:
    """Return the asset of a text as the engine sends it."""
    content = hashlib.sha256(text.encode()).hexdigest()
    return {wire.SIGNATURE_KEY: wire.ASSET_SIGNATURE, "text": text, "hash": content}


def folder_archive(path: str) -> dict[str, Any]:
    """Return the archive of a folder; its hash stands for its content."""
    return {wire.SIGNATURE_KEY: wire.ARCHIVE_SIGNATURE, "path": path, "hash": f"of {path}"}


def assets_archive(assets: dict[str, Any]) -> dict[str, Any]:
    """Return the archive of several assets."""
    digest = hashlib.sha256(repr(sorted(assets.items())).encode()).hexdigest()
    return {wire.SIGNATURE_KEY: wire.ARCHIVE_SIGNATURE, "assets": assets, "hash": digest}
