"""Looks at processes through /proc and ends exactly the ones that are named by pid."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path


def words(pid: int) -> list[str]:
    """Return a process's command line; empty when it is gone (or a zombie)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def naming(text: str) -> list[int]:
    """Return the pids whose command line has a word that holds `text`."""
    return [pid for pid in _all() if any(text in word for word in words(pid))]


def named(program: str) -> list[int]:
    """Return the pids whose program has this name, in our network namespace (not in containers)."""
    pids = [pid for pid in _all() if Path((words(pid) or [""])[0]).name == program]
    return [pid for pid in pids if _network(pid) == _network(os.getpid())]


def _network(pid: int) -> str:
    """Return the name of a process's network namespace; empty when it is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def children(parents: Sequence[int]) -> list[int]:
    """Return the pids whose parent is one of `parents`."""
    wanted = {str(parent) for parent in parents}
    return [pid for pid in _all() if wanted.intersection(_stat(pid)[1:2])]


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def alive(pid: int) -> bool:
    """Say whether a process still runs; one that has ended and waits for its parent does not."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def end(pids: Sequence[int], first: signal.Signals, patience: float) -> None:
    """Signal processes and wait until all are gone; the ones that outlive `patience` (s) are killed."""
    for signum, seconds in ((first, patience), (signal.SIGKILL, 10.0)):
        left = [pid for pid in pids if alive(pid)]
        for pid in left:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                continue
        deadline, pause = time.monotonic() + seconds, 0.05
        while any(alive(pid) for pid in left) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
