"""Runs the probe here, with stand-ins for the tools whose answers it reads."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from facts import probe

FIXTURES = Path(__file__).parents[1] / "fixtures"


def answer(path: str, status: int = 0) -> str:
    """Return a tool that prints a recorded answer, whatever it is asked."""
    return f"() {{ cat {shlex.quote(str(FIXTURES / path))}; return {status}; }}"


def run(script: str, stdin: str, tools: Mapping[str, str]) -> str:
    """Return what a script prints; exported functions come before any tool, whatever its PATH is."""
    return subprocess.run(
        ["bash", "-c", script],
        input=stdin,
        env={**os.environ, **{f"BASH_FUNC_{name}%%": text for name, text in tools.items()}},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout


def observed(step: str, wanted: Mapping[str, str], tools: Mapping[str, str]) -> probe.ProbeAnswer:
    """Return what the probe of one step says."""
    lines = "".join(f"{step}.{key}: '{value}'\n" for key, value in sorted(wanted.items()))
    return probe.parse(run(probe.render([step]), lines, tools))
