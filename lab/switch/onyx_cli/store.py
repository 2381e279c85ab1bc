"""Where the switch's state lies: in memory for tests, in locked JSON files for the running switch."""

from __future__ import annotations

import copy
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from . import faults
from .model import Switch, from_json, to_json
from .release import DEFAULT_RELEASE, Release


class Store(Protocol):
    """Gives the switch's state for the length of one command, alone, and keeps what the command did to it."""

    def locked(self) -> AbstractContextManager[Switch]:
        """Hold the state; what was changed is kept when the block ends without an error."""

    def faults(self) -> AbstractContextManager[list[faults.Fault]]:
        """Hold the list of faults; a change of it is kept. Raises FaultError when it cannot be read."""


class MemoryStore:
    """A state that lasts as long as this object."""

    def __init__(self, switch: Switch, switched_on: list[faults.Fault] | None = None) -> None:
        self.switch = switch
        self.switched_on = switched_on or []

    @contextmanager
    def locked(self) -> Iterator[Switch]:
        """Yield a copy of the switch and keep it when the block ends well, as the file store does."""
        switch = copy.deepcopy(self.switch)
        yield switch
        self.switch = switch

    @contextmanager
    def faults(self) -> Iterator[list[faults.Fault]]:
        """Yield the list itself."""
        yield self.switched_on


class WithoutFaults:
    """Another store's state, and no faults."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def locked(self) -> AbstractContextManager[Switch]:
        """Hold the other store's state."""
        return self._store.locked()

    @contextmanager
    def faults(self) -> Iterator[list[faults.Fault]]:
        """Yield an empty list."""
        yield []


class FileStore:
    """The state in `folder`: state.json, faults.json and release, shared by all sessions of the switch.

    `boot` names this start of the machine: the first command after another start loads the active
    configuration file, so what was never saved is gone, as on the original. `factory` makes the first state.
    """

    def __init__(self, folder: Path, boot: str, factory: Callable[[], Switch]) -> None:
        self._folder = folder
        self._file = folder / "state.json"
        self._faults = folder / "faults.json"
        self._boot = boot
        self._factory = factory

    @contextmanager
    def locked(self) -> Iterator[Switch]:
        """Yield the switch under the file lock; write it back when the block ended well and changed it."""
        with self._lock():
            before = self._file.read_text() if self._file.exists() else ""
            switch = self._started(before)
            yield switch
            after = json.dumps(to_json(switch), indent=1)
            if after != before:
                write_file(self._file, after)

    @contextmanager
    def faults(self) -> Iterator[list[faults.Fault]]:
        """Yield the switched-on faults under the file lock; write them back when the block changed them."""
        with self._lock():
            before = self._faults.read_text() if self._faults.exists() else "[]"
            try:
                switched_on = faults.from_json(json.loads(before))
            except json.JSONDecodeError as error:
                raise faults.FaultError(f"{self._faults.name} is no JSON: {error}") from None
            recorded = faults.to_json(switched_on)
            yield switched_on
            if faults.to_json(switched_on) != recorded:
                write_file(self._faults, json.dumps(faults.to_json(switched_on), indent=1) + "\n")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def release(self) -> Release:
        """The release that the switch claims to run; raises ValueError when the file has none."""
        file = self._folder / "release"
        return Release(file.read_text().strip() if file.exists() else DEFAULT_RELEASE)

    def set_release(self, release: Release) -> None:
        """Claim another release from the next session on."""
        write_file(self._folder / "release", f"{release.text}\n")

    def _started(self, text: str) -> Switch:
        if not text:
            switch = self._factory()
            switch.boot = self._boot
            return switch
        switch = from_json(json.loads(text))
        if switch.boot != self._boot:
            switch.load(switch.active)
            switch.boot = self._boot
        return switch


def write_file(file: Path, text: str) -> None:
    """Put the text into the file in one step: whoever reads it sees the old or the new one."""
    fresh = file.with_suffix(".new")
    with fresh.open("w") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    fresh.replace(file)


def machine_boot(proc: Path = Path("/proc")) -> str:
    """Return what is new after each start of this machine or container: boot id and PID 1's start time."""
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    # The command name, in parentheses, may hold spaces; the start time is the 20th field after it.
    started = (proc / "1/stat").read_text().rpartition(")")[2].split()[19]
    return f"{boot} {started}"
