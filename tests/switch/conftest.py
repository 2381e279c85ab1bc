"""A simulated switch behind a real SSH server on loopback, and `python -m onyx` as the program runs it."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from onyx.wanted import PASSWORD_VARIABLE, Access, Wanted
from settings import flat
from tests.switch.answers import WANTED

ROOT = Path(__file__).parents[2]
USER = "admin"


@dataclass(frozen=True)
class Done:
    """How one run of `python -m onyx` ended: its exit status and what it printed."""

    status: int
    said: list[str]
    error: str


class SwitchOnLoopback:
    """One switch: its login, its faults, its state, and `python -m onyx` on it."""

    def __init__(
        self,
        folder: Path,
        port: int,
        host_key: str,
        password: str,
        process: subprocess.Popen[str] | None = None,
    ) -> None:
        self._process = process
        self.folder = folder
        self.port = port
        self.host_key = host_key
        self.password = password

    def stop(self) -> None:
        """End the switch; from then on nothing answers at its port."""
        assert self._process is not None
        end(self._process)

    @property
    def access(self) -> Access:
        """The way to it, as the program reads it."""
        return Access("127.0.0.1", self.port, USER, self.password, host_key=self.host_key)

    def lines(self, wanted: Wanted = WANTED, **more: str) -> dict[str, str]:
        """Return the flat lines of a change."""
        login = {"address": "127.0.0.1", "port": str(self.port), "user": USER, "host_key": self.host_key}
        return {**wanted.lines(), **login, "generation": "1", "node": "1", **more}

    def start(
        self, command: str, lines: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start `python -m onyx` with `lines` on its standard input."""
        secrets = {PASSWORD_VARIABLE: self.password} if environment is None else environment
        process = subprocess.Popen(
            [sys.executable, "-m", "onyx", command],
            cwd=ROOT,
            env={**os.environ, **secrets},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(flat.render(lines))
        process.stdin.close()
        process.stdin = None
        return process

    def onyx(
        self,
        command: str,
        lines: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Done:
        """Run `python -m onyx` to its end."""
        process = self.start(command, self.lines() if lines is None else lines, environment)
        said, error = process.communicate(timeout=120)
        assert self.password not in said + error
        return Done(process.returncode, said.splitlines(), error)

    def service(self, *arguments: str) -> str:
        """Do something to the switch behind its command line: switch a fault on, set its release."""
        done = subprocess.run(
            [sys.executable, "-m", "lab.switch", str(self.folder), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def by_hand(self, *lines: str) -> None:
        """Give lines as a colleague would, in a session of their own."""
        import netmiko

        with netmiko.ConnectHandler(
            device_type="mellanox_mlnxos",
            host="127.0.0.1",
            port=self.port,
            username=USER,
            password=self.password,
        ) as session:
            session.enable()
            session.config_mode()
            for line in lines:
                answer = session.send_command(line, expect_string=r"[#>] ")
                assert "%" not in answer, answer

    def state(self) -> dict[str, Any]:
        """Return the switch's state: what runs, its files, the active one; with all sessions over."""
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return copy.deepcopy({name: state[name] for name in ("running", "files", "active")})

    @property
    def running(self) -> dict[str, Any]:
        """What runs."""
        running: dict[str, Any] = self.state()["running"]
        return running

    @property
    def saved(self) -> dict[str, Any]:
        """What a start would load."""
        state = self.state()
        saved: dict[str, Any] = state["files"][state["active"]]
        return saved


def end(process: subprocess.Popen[str]) -> None:
    """Interrupt a switch's process, and kill it when that is not enough."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def make_switch(tmp_path: Path) -> Iterator[Callable[..., SwitchOnLoopback]]:
    """Return a function that starts a switch with a release and the ports whose links are up."""
    started: list[subprocess.Popen[str]] = []

    def make(
        release: str = "3.6.8012",
        up: str = "1/1,1/2",
        name: str = "switch",
        authorized_keys: Path | None = None,
    ) -> SwitchOnLoopback:
        folder = tmp_path / name
        process = subprocess.Popen(
            [
                *(sys.executable, "-u", "-m", "lab.switch", "serve", str(folder)),
                *("--hostname", "switch-4f2a10", "--release", release, "--up", up),
                *(() if authorized_keys is None else ("--authorized-keys", str(authorized_keys))),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        told = [process.stdout.readline().split() for _ in range(3)]
        port, key, password = int(told[0][-1]), " ".join(told[1][2:4]), told[2][1]
        return SwitchOnLoopback(folder, port, key, password, process)

    yield make
    for process in started:
        end(process)


@pytest.fixture
def switch(make_switch: Callable[..., SwitchOnLoopback]) -> SwitchOnLoopback:
    """A fresh switch with a colleague's settings on it, saved."""
    made = make_switch()
    made.by_hand(
        "vlan 20",
        "dcb priority-flow-control enable force",
        "dcb priority-flow-control priority 4 enable",
        "interface ethernet 1/9 qos trust both",
        "configuration write",
    )
    return made


def ports(count: int) -> Wanted:
    """Return the wanted settings on the first `count` ports."""
    return replace(WANTED, ports=tuple(f"1/{number}" for number in range(1, count + 1)))


def wait_for(process: subprocess.Popen[str], said: str, deadline: float = 60) -> list[str]:
    """Read what a process prints until a line has `said` in it."""
    assert process.stdout is not None
    lines = []
    end = time.monotonic() + deadline
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if said in line:
            return lines
        assert time.monotonic() < end, lines
    raise AssertionError(f"{said!r} was never said: {lines}")
