"""A Docker engine of the checkout's own: started detached, watched until it answers, stopped by its pid."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

from engine import docker_api, host_network, processes, stamps
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter, quote

START_SECONDS = 90.0
STOP_SECONDS = 90.0
OK = 200
LOG_BYTES = 10_000_000
OPERATOR_CONFIG = Path("/etc/docker/daemon.json")
# What the operator set for Docker on this machine and what an engine needs to reach registries here.
CARRIED = ("registry-mirrors", "dns", "proxies", "default-address-pools", "storage-driver")


class Dockerd:
    """The engine of one checkout. Sockets lie under /run, data, pid file and log in `.engine/docker`."""

    def __init__(self, checkout: Checkout) -> None:
        self.data = checkout.docker
        self.run = checkout.run
        self.bridge = f"rs{checkout.tag}"
        self.config = self.data / "daemon.json"
        self.pid_file = self.data / "dockerd.pid"
        self.log = self.data / "dockerd.log"
        self.before = self.data / "before.json"
        self.socket = self.run / "docker.sock"

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def settings(self, operator: str) -> dict[str, object]:
        """Return daemon.json for our engine; `operator` is the text of the machine's own, or empty."""
        carried: dict[str, object] = {}
        try:
            theirs = json.loads(operator or "{}")
            carried = {name: theirs[name] for name in CARRIED if name in theirs}
        except (ValueError, TypeError):
            pass  # A broken file of a Docker that is not ours says nothing about ours.
        return {
            **carried,
            "hosts": [self.host],
            "data-root": str(self.data / "data"),
            "exec-root": str(self.run),
            "pidfile": str(self.pid_file),
            "bridge": self.bridge,
            "log-driver": "json-file",
            "log-opts": {"max-size": "10m", "max-file": "2"},
        }

    def argv(self) -> list[str]:
        """Return the command line. Names of our own keep us apart in a containerd that is shared."""
        return [
            "dockerd",
            "--config-file",
            str(self.config),
            "--containerd-namespace",
            self.bridge,
            "--containerd-plugins-namespace",
            f"{self.bridge}-plugins",
        ]

    def pid(self) -> int | None:
        """Return the pid of our running dockerd; None when there is none, whatever the pid file says."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        words = processes.words(pid)
        ours = len(words) > 2 and Path(words[0]).name == "dockerd" and str(self.config) in words
        return pid if ours else None

    def answers(self) -> bool:
        """Say whether the engine's socket accepts and answers a ping."""
        try:
            return docker_api.get(str(self.socket), "/_ping")[0] == OK
        except OSError:
            return False

    def bridges(self) -> set[str]:
        """Return the bridge interfaces of the engine's networks; only the first one when it is silent."""
        try:
            status, body = docker_api.get(str(self.socket), "/networks")
            return {self.bridge, *docker_api.bridges(body)} if status == OK else {self.bridge}
        except OSError:
            return {self.bridge}

    def ensure_running(self, reporter: Reporter) -> None:
        """Start the engine unless it runs, and wait until it answers.

        Raises EngineError with the end of its log when it ends or stays silent.
        """
        if os.geteuid() != 0 and not self.answers():
            raise EngineError(
                f"The Docker engine of this checkout does not answer at {self.host}.",
                "Only root can start it: run the same command as root.",
            )
        if self.pid() is not None:
            self._wait(None)
            return
        if not processes.named("dockerd"):
            for bridge in host_network.remove_abandoned(self.bridge):
                reporter.say("docker", f"removed {bridge}, which an engine left that no longer runs")
        reporter.say("docker", "starting an engine of our own")
        with host_network.kept_rules(self.bridges):
            self._wait(self._start())

    def _wait(self, child: subprocess.Popen[bytes] | None) -> None:
        end, pause = time.monotonic() + START_SECONDS, 0.05
        while not self.answers():
            ended = child.poll() if child else None
            if ended is not None:
                raise EngineError(f"The Docker engine ended with status {ended}.{quote(self.log)}", _HINT)
            if time.monotonic() > end:
                raise EngineError(
                    f"The Docker engine is silent after {START_SECONDS:.0f} s.{quote(self.log)}", _HINT
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def _start(self) -> subprocess.Popen[bytes]:
        self.data.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.run.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._clear_stale()
        if not self.before.exists():
            stamps.write(self.before, host_network.snapshot())
        host_network.ensure_bridge(self.bridge)
        operator = OPERATOR_CONFIG.read_text() if OPERATOR_CONFIG.exists() else ""
        stamps.write(self.config, self.settings(operator))
        with self.log.open("ab") as log:
            if log.tell() > LOG_BYTES:
                log.truncate(0)
            log.write(f"--- {time.strftime('%F %T')} start\n".encode())
            log.flush()
            return subprocess.Popen(
                self.argv(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=_raise_open_files,  # noqa: PLW1509 (no threads here)
            )

    def _clear_stale(self) -> None:
        """Forget pid files of processes that are gone: after a reboot another program may have the number."""
        self.pid_file.unlink(missing_ok=True)
        containerd = self.run / "containerd" / "containerd.pid"
        try:
            alive = "containerd" in " ".join(processes.words(int(containerd.read_text())))
        except (OSError, ValueError):
            alive = False
        if not alive:
            containerd.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def stop(self, reporter: Reporter) -> None:
        """Stop the engine and all that it started; unmount what it left; take its network traces away.

        Its data stay. Nothing is done when there is nothing of it.
        """
        if not self.data.exists() and not self.run.exists():
            return
        pid, bridges = self.pid(), self.bridges()
        if pid is not None:
            reporter.say("docker", f"stopping our engine (pid {pid})")
            processes.end([pid], signal.SIGTERM, STOP_SECONDS)
        # After a crash its containerd and shims (each names our folder) and their containers may live on.
        orphans = [found for found in processes.naming(str(self.run)) if _is_part(processes.words(found))]
        processes.end([*orphans, *processes.children(orphans)], signal.SIGKILL, 20.0)
        self.pid_file.unlink(missing_ok=True)
        unmount_below(self.run)
        unmount_below(self.data)
        if os.geteuid() == 0 and shutil.which("iptables"):
            for bridge in sorted(bridges):
                host_network.remove_bridge(bridge)
            if not processes.named("dockerd"):
                host_network.restore(stamps.read(self.before))
        self.before.unlink(missing_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)


_HINT = "Read the log; `make clean` removes this engine and its data. Or set DOCKER_HOST to another engine."


def _is_part(words: list[str]) -> bool:
    return bool(words) and Path(words[0]).name.startswith("containerd")


def _raise_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def mounts_below(mountinfo: str, folder: Path) -> list[str]:
    """Return the mount points at or below a folder in the text of mountinfo, the deepest first."""
    points = []
    for line in mountinfo.splitlines():
        point = line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode()
        if Path(point).is_relative_to(folder):
            points.append(point)
    return sorted(points, key=lambda point: point.count("/"), reverse=True)


def unmount_below(folder: Path) -> None:
    """Unmount all at or below a folder; EngineError for a mount that somebody still uses."""
    for point in mounts_below(Path("/proc/self/mountinfo").read_text(), folder):
        done = subprocess.run(["umount", point], capture_output=True, text=True, check=False)
        if done.returncode != 0 and point in mounts_below(Path("/proc/self/mountinfo").read_text(), folder):
            raise EngineError(
                f"{point} cannot be unmounted: {done.stderr.strip()}.",
                f"End the programs that use it (fuser -vm {point}), then run make clean again.",
            )
