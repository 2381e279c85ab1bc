"""What `lab wait` is told, and how long it goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import pytest

from lab import wait
from lab.errors import LabError
from lab.files import LabFiles
from lab.plan import Kind
from lab.wait import Target, target_from

LINES = {"name": "clx-mld-41", "kind": "node", "port": "22401", "host_key": "ssh-ed25519 AAAA", "node": "3"}


def test_a_target() -> None:
    assert target_from(LINES) == Target("clx-mld-41", Kind.NODE, 22401, "ssh-ed25519 AAAA")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "router"}, "'router' is not a valid Kind"),
        ({"port": "ssh"}, "invalid literal"),
        ({"name": None}, "'name'"),
    ],
)
def test_a_wrong_target(change: dict[str, str | None], message: str) -> None:
    lines = {key: value for key, value in {**LINES, **change}.items() if value is not None}
    with pytest.raises(LabError, match=message):
        target_from(lines)


class _Machine:
    """A machine that answers as listed, one answer per try; the last one stays."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.tries = 0

    async def check(self, target: Target, files: LabFiles) -> None:
        self.tries += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer


def _poll(machine: _Machine, deadline_s: float) -> float:
    files = LabFiles(Path("/nowhere"))
    return asyncio.run(wait._poll(target_from(LINES), machine.check, files, deadline_s))


def test_it_goes_on_until_the_machine_answers() -> None:
    machine = _Machine(ConnectionRefusedError("refused"), asyncssh.ConnectionLost("banner"), None)
    assert _poll(machine, 60) < 60
    assert machine.tries == 3


def test_it_ends_at_the_deadline_with_the_last_reason() -> None:
    machine = _Machine(ConnectionRefusedError("refused"))
    with pytest.raises(LabError, match=r"clx-mld-41 at 127.0.0.1:22401 is not ready after 0 s: refused"):
        _poll(machine, 0.2)
    assert machine.tries >= 2


def test_a_wrong_host_key_is_an_error_at_once() -> None:
    machine = _Machine(asyncssh.HostKeyNotVerifiable("no match"))
    with pytest.raises(LabError, match="shows another key than set-up made"):
        _poll(machine, 60)
    assert machine.tries == 1
