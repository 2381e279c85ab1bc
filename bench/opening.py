"""What the benches on lab machines begin with: the engine they need, a line on the machine they ran on."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime

# What an unusable call ends with.
USAGE = 2


def has_engine() -> bool:
    """Return whether the shell names a Docker engine; say what to do where it does not."""
    if os.environ.get("DOCKER_HOST"):
        return True
    sys.stderr.write("bench: no DOCKER_HOST: run `. ./activate lab` first\n")
    return False


def machine(cores: str, rounds: int) -> str:
    """Return the results' line on day, machine and load; `cores` says what the machine's cores are for."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} {cores}, {platform.system()} {platform.machine()}; "
        f"the median of {rounds} rounds; load average before the run {os.getloadavg()[0]:.1f}."
    )
