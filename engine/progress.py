"""Says what set-up does, since when, and runs long programs so that one sees them move."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.errors import EngineError

TICK_SECONDS = 12.0
TAIL_LINES = 15
TAIL_BYTES = 8192


def clock(seconds: float) -> str:
    """Return `3:07` for 187 seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Reporter:
    """Prints one line per event: time since the start, the stage, what happens."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.start = time.monotonic()

    def say(self, stage: str, text: str) -> None:
        """Print one line at once (make may have piped us)."""
        elapsed = clock(time.monotonic() - self.start)
        print(f"{self.verb} {elapsed:>5}  {stage:<16} {text}", flush=True)

    def run(
        self,
        stage: str,
        argv: Sequence[str],
        log: Path,
        *,
        hint: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        deadline: float = 1800.0,
        describe: Callable[[str], str] | None = None,
    ) -> None:
        """Run a long program: its output goes to `log`, a line is printed every few seconds.

        `describe` makes that line from the log's tail; by default the tail's last line is shown.
        Raises EngineError with the log's tail and `hint` when the program fails or `deadline` (s) passes.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with log.open("wb") as sink:
            try:
                child = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    env=None if env is None else dict(env),
                    cwd=cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineError(f"{stage}: {argv[0]} cannot be started: {error.strerror}.", hint) from None
            try:
                code = self._watch(stage, child, begun + deadline, lambda: (describe or last_line)(tail(log)))
            finally:
                _end(child)
        if code is None:
            raise EngineError(f"{stage}: not done after {clock(deadline)} min.{quote(log)}", hint)
        if code != 0:
            raise EngineError(f"{stage}: {argv[0]} failed with status {code}.{quote(log)}", hint)

    def _watch(
        self, stage: str, child: subprocess.Popen[bytes], end: float, describe: Callable[[], str]
    ) -> int | None:
        """Wait for a program, with a line now and then; return its status, or None when `end` has come."""
        begun = time.monotonic()
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return None
            try:
                return child.wait(min(TICK_SECONDS, left))
            except subprocess.TimeoutExpired:
                spent = clock(time.monotonic() - begun)
                self.say(stage, f"… {spent} {describe()}".rstrip())


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started, when it still runs (deadline, Ctrl-C)."""
    if child.poll() is not None:
        return
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def tail(log: Path) -> str:
    """Return the last few kilobytes of a log as text; an absent log is empty."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def last_line(text: str) -> str:
    """Return the last line that is not blank, cut to the width of a terminal."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:80] if lines else ""


def quote(log: Path) -> str:
    """Return the end of a log, indented, for an error message."""
    lines = tail(log).strip().splitlines()[-TAIL_LINES:]
    body = "".join(f"\n    {line}" for line in lines)
    return f" The end of {log}:{body}" if lines else f" {log} is empty."


def fail(error: EngineError) -> None:
    """Print an error for a person, on stderr."""
    print(f"error: {error}", file=sys.stderr, flush=True)
