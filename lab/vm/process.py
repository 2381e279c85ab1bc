"""A guest as a process of this machine: started, found by its pid file, ended by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError

_START_S = 60.0
_END_S = 20.0


def running(pid_file: Path) -> int | None:
    """Return the pid of the process that wrote the file, or None when it is gone.

    A pid is given again: the process counts only if its command line names this very pid file.
    """
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if str(pid_file) in words(pid) and not _ended(pid) else None


def words(pid: int) -> list[str]:
    """Return the command line of a process; empty when it is gone, or is only waiting for its parent."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0")
    except OSError:
        return []
    return text.split("\0") if text else []


def _ended(pid: int) -> bool:
    """Say whether a process is gone but for its entry, which its parent has not read yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in ("Z", "X")
    except OSError:
        return True


def launch(name: str, argv: Sequence[str], pid_file: Path, folder: Path = Path("/")) -> int:
    """Run a program from `folder` that goes on by itself in the background; return its pid.

    Raises LabError with the program's own words when it does not start.
    """
    pid_file.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_START_S,
            check=False,
            cwd=folder,
        )
    except OSError as error:
        raise LabError(
            f"{name}: {argv[0]} cannot be started: {error.strerror}", "run `make vmlab`, which installs it."
        ) from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{name}: {argv[0]} was not up after {_START_S:.0f} s") from None
    pid = running(pid_file)
    if done.returncode != 0 or pid is None:
        raise LabError(f"{name}: {argv[0]} ended with status {done.returncode}: {done.stderr.strip()}")
    return pid


def end(pid_file: Path) -> bool:
    """End the process of the pid file and wait until it is gone; return whether there was one.

    Raises LabError when it does not end.
    """
    pid = running(pid_file)
    if pid is None:
        pid_file.unlink(missing_ok=True)
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
            # One that was stopped takes no other signal.
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
        except PermissionError:
            raise LabError(f"Process {pid} of {pid_file} belongs to another user.") from None
        deadline, pause = time.monotonic() + _END_S, 0.05
        while running(pid_file) == pid and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        if running(pid_file) != pid:
            pid_file.unlink(missing_ok=True)
            return True
    raise LabError(f"Process {pid} of {pid_file} does not end.", f"see what it waits for: /proc/{pid}/stack.")
