"""Waiting for something to come true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(true: Callable[[], bool], deadline: float, what: str) -> None:
    """Poll until `true` says so; fail with `what` after `deadline` seconds."""
    end = time.monotonic() + deadline
    pause = 0.1
    while not true():
        assert time.monotonic() < end, f"{what} did not come true within {deadline:g} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
