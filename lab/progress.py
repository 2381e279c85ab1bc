"""Says what the lab's set-up does and since when, also while a long program runs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

_TICK_S = 12.0
_TAIL_LINES = 15


def clock(seconds: float) -> str:
    """Return `3:07` for 187 seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Reporter:
    """Prints one line per event on stdout: time since the start, the stage, what happens."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._start = time.monotonic()

    def say(self, stage: str, text: str) -> None:
        """Print one line at once, also into a pipe."""
        elapsed = clock(time.monotonic() - self._start)
        print(f"{self._verb} {elapsed:>5}  {stage:<16} {text}", flush=True)

    @contextmanager
    def long(self, stage: str, text: str) -> Iterator[None]:
        """Say `text`, then every few seconds how long it has taken, until the block ends."""
        self.say(stage, text)
        begun = time.monotonic()
        done = threading.Event()

        def tick() -> None:
            while not done.wait(_TICK_S):
                self.say(stage, f"… {clock(time.monotonic() - begun)} {text}")

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()

    def run(self, stage: str, text: str, argv: Sequence[str], log: Path, deadline_s: float) -> None:
        """Run a program, its output in `log`; LabError with the log's end if it fails or takes too long."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with self.long(stage, text), log.open("wb") as sink:
            try:
                subprocess.run(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    timeout=deadline_s,
                    check=True,
                )
            except OSError as error:
                raise LabError(f"{stage}: {argv[0]} cannot be started: {error.strerror}") from None
            except subprocess.TimeoutExpired:
                raise LabError(f"{stage}: {argv[0]} was not done after {clock(deadline_s)} minutes") from None
            except subprocess.CalledProcessError as error:
                lines = log.read_text(errors="replace").strip().splitlines()[-_TAIL_LINES:]
                end = "".join(f"\n    {line}" for line in lines)
                raise LabError(f"{stage}: {argv[0]} failed with status {error.returncode}:{end}") from None


def fail(error: Exception) -> None:
    """Print an error for a person, on stderr."""
    print(f"error: {error}", file=sys.stderr, flush=True)
