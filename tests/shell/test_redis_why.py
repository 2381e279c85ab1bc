"""Why Redis did not come up: its own last words, a hint, and it is stopped."""

from __future__ import annotations

import subprocess

import pytest

from components.rendering import render
from settings import flat

BIND = "1:M 26 Nov 2026 14:00:00.000 # Could not create server TCP listening socket 31.31.31.41:5555: bind: "


def _run(log: str | None) -> subprocess.CompletedProcess[str]:
    """Run the script against a Docker whose container has that log (None: there is no such container)."""
    logs = "return 1" if log is None else f"cat <<'LOG'\n{log}\nLOG"
    tool = f'docker() {{\n  case $1 in\n  logs) {logs}\n  ;;\n  stop) echo "stopped $*" >&2 ;;\n  esac\n}}\n'
    return subprocess.run(
        ["bash", "-c", tool + render("training_job/redis.why.sh.j2")],
        input=flat.render({"name": "redis"}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("log", "why", "hint"),
    [
        (
            f"1:M # Server started\n{BIND}Address already in use\n1:M # bye",
            "Address already in use",
            "something else has that port",
        ),
        (f"{BIND}Cannot assign requested address", "Cannot assign", "data address is not on it"),
        ("1:M # Server started\nout of words", "out of words", "docker logs redis"),
        ("", "nothing", "docker logs redis"),
    ],
)
def test_its_own_words_and_a_hint(log: str, why: str, hint: str) -> None:
    done = _run(log)
    assert done.returncode == 0, done.stderr
    said, _, rest = done.stdout.partition("\n")
    assert said.startswith("It says: ")
    assert why in said
    assert rest.startswith("It was stopped. Hint: ")
    assert hint in rest
    assert "stopped stop --time 5 redis" in done.stderr


def test_a_container_that_was_not_made() -> None:
    done = _run(None)
    assert done.stdout == "Docker made no container redis. Hint: the error of the engine tells why.\n"
    assert "stopped" not in done.stderr
