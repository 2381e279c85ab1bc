"""Programs that go on in the background, for real: started, found by their pid file, and ended."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.vm import process

# Goes into the background as QEMU does: its pid is in the file when the first process ends.
_DAEMON = """
import os, pathlib, signal, sys, time
child = os.fork()
if child:
    pathlib.Path(sys.argv[1]).write_text(f"{child}\\n")
    os._exit(0)
os.setsid()
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in (0, 1, 2):
    os.close(number)
time.sleep(120)
"""


def _argv(pid_file: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", _DAEMON, str(pid_file), *words]


def test_a_program_is_started_found_and_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    assert process.running(pid_file) is None
    pid = process.launch("a test", _argv(pid_file), pid_file)
    assert process.running(pid_file) == pid
    assert process.end(pid_file)
    assert process.running(pid_file) is None
    assert not pid_file.exists()
    # And nothing is done where nothing runs.
    assert not process.end(pid_file)


def test_one_that_is_stopped_or_deaf_is_ended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_END_S", 1.0)
    pid_file = tmp_path / "pid"
    pid = process.launch("a test", _argv(pid_file, "deaf"), pid_file)
    os.kill(pid, signal.SIGSTOP)
    assert process.end(pid_file)
    assert process.running(pid_file) is None


def test_a_foreign_process_is_never_ended(tmp_path: Path) -> None:
    pid_file, other = tmp_path / "pid", tmp_path / "other"
    pid = process.launch("a test", _argv(pid_file), pid_file)
    # As after a reboot of the machine: the file holds a pid that somebody else has now.
    other.write_text(f"{pid}\n")
    assert process.running(other) is None
    assert not process.end(other)
    assert process.running(pid_file) == pid
    process.end(pid_file)


def test_a_program_that_does_not_start_says_why(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; sys.exit('no such machine')"]
    with pytest.raises(LabError, match=r"a test: .* ended with status 1: no such machine"):
        process.launch("a test", argv, tmp_path / "pid")
    with pytest.raises(LabError, match="cannot be started: No such file"):
        process.launch("a test", ["/no/such/program"], tmp_path / "pid")
