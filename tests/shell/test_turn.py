"""One script at a time on a host: a second one waits for the first, and for nothing else."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from components.rendering import render


def _script(folder: Path, body: str) -> list[str]:
    text = render("common/host.sh") + render("common/record.sh")
    text = text.replace("/run/rocestack-turn", f"{folder}/turn").replace(
        "/var/lib/rocestack", f"{folder}/records"
    )
    return ["bash", "-c", f"set -euo pipefail\nstep=test.step\n{text}\nrecord_read\n{body}"]


def _started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]


def _runs(folder: Path) -> float:
    begun = time.monotonic()
    done = subprocess.run(
        _script(folder, "echo done"), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    return time.monotonic() - begun


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = subprocess.Popen(_script(tmp_path, f"touch {tmp_path}/begun; sleep 1; echo first >>{log}"))
    while not (tmp_path / "begun").exists():
        assert first.poll() is None
        time.sleep(0.02)
    second = subprocess.run(_script(tmp_path, f"echo second >>{log}"), timeout=60, check=False)
    assert (first.wait(timeout=60), second.returncode) == (0, 0)
    assert log.read_text() == "first\nsecond\n"


@pytest.mark.parametrize("turn", [None, "", "not a process", "4194305 17", "PID 17"])
def test_nothing_else_is_waited_for(tmp_path: Path, turn: str | None) -> None:
    # The last one is a process of today with the number of one that is gone.
    if turn is not None:
        (tmp_path / "turn").write_text(turn.replace("PID", str(os.getpid())) + "\n")
    assert _runs(tmp_path) < 10


def test_the_turn_names_its_process(tmp_path: Path) -> None:
    with subprocess.Popen(_script(tmp_path, "read -r _"), stdin=subprocess.PIPE, text=True) as script:
        while not (tmp_path / "turn").exists() or not (tmp_path / "turn").read_text().endswith("\n"):
            assert script.poll() is None
            time.sleep(0.02)
        assert (tmp_path / "turn").read_text() == f"{script.pid} {_started(script.pid)}\n"
        script.communicate("\n")
