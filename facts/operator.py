"""What is on the operator's own container engine."""

from __future__ import annotations

import subprocess

_DEADLINE_S = 20


def image_present(reference: str) -> bool:
    """Return whether the operator's engine has the image; an engine that does not answer has none."""
    try:
        done = subprocess.run(
            ["docker", "image", "inspect", "--format", "{{.Id}}", reference],
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
