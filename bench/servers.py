"""Private SSH servers on loopback addresses, one per host of the bench, with keys of their own."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BenchError(Exception):
    """The bench cannot be run; the text says what is missing."""


@dataclass(frozen=True)
class Host:
    """A private SSH server."""

    address: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def target(self) -> str:
        """Who logs in where, as `ssh` takes it."""
        return f"{getpass.getuser()}@{self.address}"

    def connection(self, client_key: Path) -> dict[str, Any]:
        """Return the plugin's `connection` input."""
        return {
            "host": self.address,
            "port": float(self.port),
            "user": getpass.getuser(),
            "privateKey": client_key.read_text(),
            "hostKey": (self.folder / "host.pub").read_text().strip(),
        }

    def logins(self) -> int:
        """Return how many handshakes the server has seen through to a login."""
        return len(re.findall(r"^Accepted \S+ for ", (self.folder / "log").read_text(), re.MULTILINE))


@contextlib.contextmanager
def servers(count: int, folder: Path) -> Iterator[list[Host]]:
    """Run `count` SSH servers that let the key folder/client in."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise BenchError("there is no sshd: apt-get install --no-install-recommends openssh-server")
    _make_key(folder / "client")
    with contextlib.ExitStack() as stack:
        _separation_folder(stack)
        found = [stack.enter_context(_server(program, number, folder)) for number in range(1, count + 1)]
        for host in found:
            _wait_until_it_listens(host)
        yield found


def _separation_folder(stack: contextlib.ExitStack) -> None:
    # A sshd that root starts refuses to run without it; the system's service makes it at its start.
    path = Path("/run/sshd")
    if os.geteuid() == 0 and not path.exists():
        path.mkdir(mode=0o755)
        stack.callback(path.rmdir)


@contextlib.contextmanager
def _server(program: str, number: int, above: Path) -> Iterator[Host]:
    folder = above / str(number)
    folder.mkdir()
    _make_key(folder / "host")
    address = f"127.0.1.{number}"
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    lines = [
        f"ListenAddress {address}:{port}",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {above / 'client.pub'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "LogLevel VERBOSE",
        "Subsystem sftp internal-sftp",
        # bash then does not read the user's .bashrc before each command, which can take longer than all else.
        "SetEnv SHLVL=2",
    ]
    (folder / "config").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([program, "-D", "-f", str(folder / "config"), "-E", str(folder / "log")])
    try:
        yield Host(address, port, folder, process)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)


def _wait_until_it_listens(host: Host, deadline: float = 20) -> None:
    end, pause = time.monotonic() + deadline, 0.02
    log = host.folder / "log"
    while "Server listening" not in (log.read_text() if log.exists() else ""):
        if host.process.poll() is not None or time.monotonic() > end:
            raise BenchError(f"a private sshd does not start: {log.read_text() if log.exists() else ''}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
