"""One Docker engine: connected when first needed, called from threads, with errors that people can read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from engine.plugins.common.errors import PluginError
from engine.plugins.docker.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient

    from engine.plugins.docker.transport import Tunnels

T = TypeVar("T")
_THREADS = 12
# How long an engine may be silent: removing a volume of gigabytes on a busy disk takes minutes.
_TIMEOUT_SECONDS = 600


class Refused(PluginError):
    """The engine answered with an error. `status` is the HTTP status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Host:
    """The engine that the provider's settings name."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="docker")
        self._connecting = threading.Lock()
        self._client: Any | None = None
        self._tunnels: Tunnels | None = None

    @property
    def name(self) -> str:
        """The engine's address in messages."""
        return self.settings.host or "a Docker host that is not known yet"

    async def call(self, work: Callable[[Any, threading.Event], T]) -> T:
        """Run `work(client, stop)` in a thread. Raises PluginError; `Refused` if the engine answered so.

        A thread cannot be stopped from outside: when the awaiting task is cancelled, `stop` is set, and
        the call ends when `work` does.
        """
        stop = threading.Event()
        future = asyncio.get_running_loop().run_in_executor(self._executor, self._translate, work, stop)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([future])
            # Retrieved, so that it is not reported as forgotten; the cancellation is what counts.
            future.exception()
            raise

    def close(self) -> None:
        """Close the connections."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()
        if self._tunnels is not None:
            self._tunnels.close()

    def _translate(self, work: Callable[[Any, threading.Event], T], stop: threading.Event) -> T:
        import docker.errors
        import requests.exceptions

        try:
            return work(self._connected(), stop)
        except docker.errors.APIError as error:
            raise Refused(f"{self.name}: {error.explanation or error}", error.status_code or 0) from error
        except Refused as error:
            raise Refused(f"{self.name}: {error}", error.status) from error
        except requests.exceptions.ReadTimeout as error:
            raise PluginError(f"the Docker engine at {self.name} did not answer in time ({error})") from error
        except (requests.exceptions.RequestException, docker.errors.DockerException, OSError) as error:
            raise PluginError(self._unreachable(error)) from error

    def _connected(self) -> APIClient:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> APIClient:
        from docker.constants import DEFAULT_DOCKER_API_VERSION
        from docker.utils import version_lt

        if self.settings.host is None:
            raise PluginError("the provider's host is not known yet, so nothing can be done on it")
        client = self._open(DEFAULT_DOCKER_API_VERSION)
        offered = client.version(api_version=False)["ApiVersion"]
        # Both sides speak the older of the two.
        if not version_lt(offered, DEFAULT_DOCKER_API_VERSION):
            return client
        client.close()
        return self._open(offered)

    def _open(self, version: str) -> APIClient:
        from docker import APIClient
        from docker.tls import TLSConfig

        host, folder = self.settings.host or "", self.settings.cert_path
        if host.startswith("ssh://"):
            from engine.plugins.docker.transport import SshAdapter, Tunnels, ssh_command

            self._tunnels = Tunnels(ssh_command(host, self.settings.ssh_options))
            client = APIClient(base_url="http://ssh.invalid:80", version=version, timeout=_TIMEOUT_SECONDS)
            client.mount("http://", SshAdapter(self._tunnels, _TIMEOUT_SECONDS))
            # No proxy of the environment stands between us and the tunnel.
            client.trust_env = False
            return client
        if folder and host.startswith(("tcp://", "https://")):
            tls = TLSConfig((f"{folder}/cert.pem", f"{folder}/key.pem"), f"{folder}/ca.pem", verify=True)
            return APIClient(base_url=host, version=version, timeout=_TIMEOUT_SECONDS, tls=tls)
        return APIClient(base_url=host, version=version, timeout=_TIMEOUT_SECONDS)

    def _unreachable(self, error: Exception) -> str:
        reason = (self._tunnels.last_error if self._tunnels else "") or _innermost(error)
        hint = "is it running, and may this user use its socket?"
        if self.name.startswith("ssh://"):
            hint = "`ssh` with the provider's sshOpts must reach it, and `docker` must be installed there"
        return f"cannot reach the Docker engine at {self.name}: {reason}; {hint}"


def _innermost(error: BaseException) -> str:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
