"""Where the switch's state lies: in memory for tests, in a locked JSON file for the running switch."""

from __future__ import annotations

import copy
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from .model import Switch, from_json, to_json


class Store(Protocol):
    """Gives the switch's state for the length of one command, alone, and keeps what the command did to it."""

    def locked(self) -> AbstractContextManager[Switch]:
        """Hold the state; what was changed is kept when the block ends without an error."""


class MemoryStore:
    """A state that lasts as long as this object."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    @contextmanager
    def locked(self) -> Iterator[Switch]:
        """Yield a copy of the switch and keep it when the block ends well, as the file store does."""
        switch = copy.deepcopy(self.switch)
        yield switch
        self.switch = switch


class FileStore:
    """The state in `folder`/state.json, shared by all sessions of the switch.

    `boot` names this start of the machine: the first command after another start loads the active
    configuration file, so what was never saved is gone, as on the original.
    """

    def __init__(self, folder: Path, hostname: str, boot: str) -> None:
        self._file = folder / "state.json"
        self._lock = folder / "lock"
        self._hostname = hostname
        self._boot = boot

    @contextmanager
    def locked(self) -> Iterator[Switch]:
        """Yield the switch under the file lock; write it back when the block ended well and changed it."""
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._file.read_text() if self._file.exists() else ""
            switch = self._started(before)
            yield switch
            after = json.dumps(to_json(switch), indent=1)
            if after != before:
                self._write(after)

    def _started(self, text: str) -> Switch:
        if not text:
            return Switch.factory(self._hostname, self._boot)
        switch = from_json(json.loads(text))
        if switch.boot != self._boot:
            switch.load(switch.active)
            switch.boot = self._boot
        return switch

    def _write(self, text: str) -> None:
        fresh = self._file.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)


def machine_boot(proc: Path = Path("/proc")) -> str:
    """Return what is new after each start of this machine or container: boot id and PID 1's start time."""
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    # The command name, in parentheses, may hold spaces; the start time is the 20th field after it.
    started = (proc / "1/stat").read_text().rpartition(")")[2].split()[19]
    return f"{boot} {started}"
