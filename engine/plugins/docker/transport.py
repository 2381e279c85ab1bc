"""Reaching a Docker engine over SSH the way the docker command does: `ssh … docker system dial-stdio`."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import urllib3
import urllib3.connection
import urllib3.connectionpool
from requests.adapters import HTTPAdapter

# Below sshd's MaxStartups: it drops logins beyond ten that are not finished.
_CONNECTIONS = 4
_END_SECONDS = 5


def ssh_command(host: str, options: Sequence[str]) -> list[str]:
    """Return the ssh command line that reaches the engine of `host` (ssh://[user@]name[:port]).

    `-T` and BatchMode keep ssh from asking anything: there is nobody to answer.

    >>> ssh_command("ssh://root@node:2222", ["-i", "key"])[5:]
    ['-i', 'key', '-p', '2222', '-l', 'root', '--', 'node', 'docker system dial-stdio']
    """
    url = urllib.parse.urlsplit(host)
    command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
    command += options
    if url.port is not None:
        command += ["-p", str(url.port)]
    if url.username is not None:
        command += ["-l", url.username]
    return [*command, "--", url.hostname or "", "docker system dial-stdio"]


class Tunnels:
    """The ssh processes of one engine. `last_error` is what the last one that failed had to say."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._open: list[tuple[subprocess.Popen[bytes], BinaryIO]] = []

    def open(self, timeout: float | None) -> socket.socket:
        """Start an ssh process; return the socket that leads to the engine."""
        ours, theirs = socket.socketpair()
        # Open for as long as the process may write to it; closed with the process.
        errors = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            process = subprocess.Popen(
                self._command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=errors
            )
        with self._lock:
            self._reap()
            self._open.append((process, errors))
        ours.settimeout(timeout)
        return ours

    @property
    def last_error(self) -> str:
        """The last line that the newest failed ssh process wrote, or nothing if none failed."""
        with self._lock:
            if self._open:
                try:
                    # Its connection is broken, so it is ending, but may not have ended yet.
                    self._open[-1][0].wait(timeout=_END_SECONDS)
                except subprocess.TimeoutExpired:
                    return ""
            for process, errors in reversed(self._open):
                if process.poll():
                    errors.seek(0)
                    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
                    return lines[-1] if lines else f"ssh ended with status {process.returncode}"
        return ""

    def close(self) -> None:
        """End all ssh processes."""
        with self._lock:
            for process, errors in self._open:
                process.terminate()
                process.wait()
                errors.close()
            self._open.clear()

    def _reap(self) -> None:
        running = []
        for process, errors in self._open:
            if process.poll() is None or process.returncode != 0:
                running.append((process, errors))
            else:
                errors.close()
        self._open = running[-64:]


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, tunnels: Tunnels, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._tunnels = tunnels

    def connect(self) -> None:
        seconds = self.timeout if isinstance(self.timeout, int | float) else None
        self.sock = self._tunnels.open(seconds)


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, tunnels: Tunnels, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout, maxsize=_CONNECTIONS, block=True)
        self._tunnels = tunnels
        self._seconds = timeout

    def _new_conn(self) -> Any:
        return _Connection(self._tunnels, self._seconds)


class SshAdapter(HTTPAdapter):
    """Carries docker-py's requests over the tunnels."""

    def __init__(self, tunnels: Tunnels, timeout: float | None) -> None:
        self._pool = _Pool(tunnels, timeout)
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        return self._pool

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        return self._pool

    def request_url(self, request: Any, proxies: Mapping[str, str] | None) -> str:
        return str(request.path_url)

    def close(self) -> None:
        self._pool.close()
        super().close()
