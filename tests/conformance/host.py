"""The machine of the conformance cases: a throw-away container of the lab's node image with sshd."""

from __future__ import annotations

import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

_SSHD = (
    "mkdir -p /run/sshd && chpasswd < /keys/login && exec /usr/sbin/sshd -D -e -p 22 -h /keys/host "
    "-o AuthorizedKeysFile=/keys/client.pub -o StrictModes=no -o UsePAM=no -o PermitRootLogin=yes "
    "-o PasswordAuthentication=yes -o AcceptEnv=TEST_* -o LogLevel=VERBOSE -o AllowTcpForwarding=yes"
)


def run(*command: str, check: bool = True, stdin: str = "") -> str:
    """Run a command and return what it printed; a failure shows its error."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Host:
    """The machine: its container, where its sshd answers (it keeps that after a restart), and its keys."""

    container: str
    port: int
    keys: Path
    password: str

    def connection(self, **more: Any) -> dict[str, Any]:
        """Return the `connection` input, with `more` on top; None leaves a field out."""
        found = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "root",
            "private_key": {"$secret": (self.keys / "client").read_text()},
            "host_key": (self.keys / "host.pub").read_text().strip(),
            **more,
        }
        return {name: item for name, item in found.items() if item is not None}

    def shell(self, script: str) -> str:
        """Run a script on the machine, not over SSH, and return what it printed."""
        return run("docker", "exec", "-i", self.container, "bash", "-euo", "pipefail", "-s", stdin=script)

    def read(self, path: str) -> str:
        """Return a file's text, or an empty one if there is no file."""
        return self.shell(f"if [ -e {path} ]; then cat {path}; fi")

    def runs(self, command: str) -> list[str]:
        """Return the machine's processes with exactly this command line."""
        listed = run("docker", "exec", self.container, "ps", "-eo", "args")
        return [line for line in listed.splitlines() if line.strip() == command]

    def logins(self) -> int:
        """Return how many logins the machine has accepted."""
        done = subprocess.run(
            ["docker", "logs", self.container], capture_output=True, text=True, timeout=60, check=True
        )
        return (done.stdout + done.stderr).count("Accepted publickey")

    def answers(self) -> bool:
        """Return whether sshd sends its banner."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.settimeout(2)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def node_image() -> str:
    """Return the lab's node image."""
    found = run("docker", "images", "rocestack/node", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    assert found, "there is no rocestack/node image on this Docker engine; bring the lab up once: make lab"
    return found[0]


def free_port() -> int:
    """Return a port of loopback on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def host(keys: Path) -> Iterator[Host]:
    """Run the machine, with its keys in `keys`, and remove it at the end."""
    for name in ("host", "client", "other"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(keys / name))
    password = uuid.uuid4().hex
    (keys / "login").write_text(f"root:{password}\n")
    name, port = f"rocestack-conformance-{uuid.uuid4().hex[:8]}", free_port()
    run(
        *("docker", "run", "-d", "--init", "--name", name, "-p", f"127.0.0.1:{port}:22"),
        *("-v", f"{keys}:/keys:ro", "--entrypoint", "/bin/sh", node_image(), "-c", _SSHD),
    )
    machine = Host(name, port, keys, password)
    try:
        wait_until(machine.answers, 30, f"sshd of {name} answers")
        yield machine
    finally:
        run("docker", "rm", "-f", "-v", name)
