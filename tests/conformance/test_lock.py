"""Two people at once: the second `up` is refused and told who holds the stack; a look is always possible."""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path

import pytest

from tests.conformance.cli import Stack
from tests.conformance.declare import local
from tests.waiting import wait_until


@pytest.mark.smoke
def test_a_second_up_is_told_who_runs_the_first(stack: Stack, tmp_path: Path) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    script = f"touch {begun}; until [ -e {go_on} ]; do sleep 0.1; done"
    stack.declare(local("step", create=script))
    first = stack.start("up", "--yes", "--skip-preview")
    try:
        wait_until(begun.exists, 60, "the first up is at work")
        second = stack.up(fails=True).text
        holder = rf"created by {getpass.getuser()}@{re.escape(socket.gethostname())} \(pid {first.pid}\) at 2"
        assert "the stack is currently locked by 1 lock(s)" in second
        assert re.search(holder, second), second
        assert "pulumi cancel" in second
        # What a preview and its look at the checkpoint need is not locked.
        assert stack.planned() == {"step": ("create", [])}
        assert stack.exported()["deployment"]["pending_operations"]
    finally:
        go_on.touch()
        said, _ = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert stack.expects_no_changes()
