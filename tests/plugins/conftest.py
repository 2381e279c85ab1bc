"""An SSH server and a Docker engine for the plugins: a throw-away container of the lab's node image."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_SSHD = (
    "mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e -p 22 -h /keys/host "
    "-o AuthorizedKeysFile=/keys/client.pub -o StrictModes=no -o UsePAM=no -o PermitRootLogin=yes "
    "-o PasswordAuthentication=no -o AcceptEnv=TEST_* -o LogLevel=VERBOSE -o AllowTcpForwarding=yes"
)


SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


def run(*command: str) -> str:
    """Run a command and return what it printed; a failure shows its error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class SshServer:
    """The server: where it is, its keys, and its container."""

    container: str
    port: int
    keys: Path
    image: str

    def connection(self, **more: Any) -> dict[str, Any]:
        """Return the `connection` input, with `more` on top; None leaves a field out."""
        found = {
            "host": "127.0.0.1",
            "port": float(self.port),
            "user": "root",
            "privateKey": (self.keys / "client").read_text(),
            "hostKey": (self.keys / "host.pub").read_text().strip(),
            "dialErrorLimit": 2.0,
            **more,
        }
        return {name: value for name, value in found.items() if value is not None}

    def processes(self, text: str) -> list[str]:
        """Return the server's processes whose command line has `text`."""
        listed = run("docker", "exec", self.container, "ps", "-eo", "args")
        return [line for line in listed.splitlines() if text in line]

    def logins(self) -> int:
        """Return how many logins the server has accepted."""
        done = subprocess.run(
            ["docker", "logs", self.container], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stderr.count("Accepted publickey")


LABEL = "rocestack.test"


@pytest.fixture
def mark() -> Iterator[str]:
    """Return a name for this test's Docker objects; whatever carries it as LABEL is removed after it."""
    name = f"rocestack-test-{uuid.uuid4().hex[:8]}"
    yield name
    for kind, removal in (("container", ("rm", "-f", "-v")), ("network", ("rm",)), ("volume", ("rm",))):
        listing = ("ls", "-a", "-q") if kind == "container" else ("ls", "-q")
        for found in run("docker", kind, *listing, "--filter", f"label={LABEL}={name}").split():
            run("docker", kind, *removal, found)


@pytest.fixture(scope="session")
def image() -> str:
    """Return the lab's node image."""
    found = run("docker", "images", "rocestack/node", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    assert found, "there is no rocestack/node image on this Docker engine; bring the lab up once: make lab"
    return found[0]


@pytest.fixture(scope="session")
def sshd(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """Run an SSH server of its own, as root in a container, as on a real host."""
    keys = tmp_path_factory.mktemp("keys")
    for name in ("host", "client"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(keys / name))
    name = f"rocestack-test-{uuid.uuid4().hex[:8]}"
    run(
        *("docker", "run", "-d", "--name", name, "-p", "127.0.0.1::22", "-v", f"{keys}:/keys"),
        # The operator's own engine, so that `docker` behind this server leads somewhere.
        *("-v", f"{SOCKET}:/var/run/docker.sock"),
        *("--entrypoint", "/bin/sh", image, "-c", _SSHD),
    )
    try:
        port = int(run("docker", "port", name, "22/tcp").rsplit(":", 1)[1])
        wait_for_log(name, "Server listening")
        yield SshServer(name, port, keys, image)
    finally:
        run("docker", "rm", "-f", "-v", name)


def wait_for_log(container: str, text: str, deadline: float = 30) -> None:
    """Return when the container has logged `text`."""
    end = time.monotonic() + deadline
    while True:
        done = subprocess.run(
            ["docker", "logs", container], capture_output=True, text=True, timeout=60, check=True
        )
        if text in done.stdout + done.stderr:
            return
        assert time.monotonic() < end, f"{container} has not logged {text!r}: {done.stdout}{done.stderr}"
        time.sleep(0.2)
