"""The CLI works without its automatic logs, and does not bring them back."""

from __future__ import annotations

from tests.conformance.cli import Engine, Stack
from tests.conformance.declare import local


def test_a_run_leaves_no_log(engine: Engine, stack: Stack) -> None:
    stack.declare(local("step", create="echo done", delete="true"), export=["step"])
    assert "automatic logging" not in stack.up().text
    assert stack.expects_no_changes()
    stack.destroy()
    assert (engine.folder / "home" / "logs").is_file()
