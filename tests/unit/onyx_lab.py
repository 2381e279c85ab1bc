"""The simulated switch of the tests of changes: a session in this process, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.session import Session as SwitchCli
from lab.switch.onyx_cli.store import MemoryStore
from onyx import dialect
from onyx.change import apply, found_in, remove
from onyx.errors import (
    ChangeFailed,
    CommandRefused,
)
from onyx.reading import read_everything, read_state
from onyx.state import Configuration
from onyx.wanted import Wanted
from tests.fabric import MemoryFabric
from tests.switch.answers import WANTED

EVERY_LINK_UP = MemoryFabric(up=(f"1/{number}" for number in range(1, 33)))
READS = ("show ", dialect.ENABLE, dialect.CONFIGURE, dialect.LEAVE)


class Lab:
    """A simulated switch; `sent` are the lines of the last change, `sessions` how many it took.

    `meddle` sees each line first: it returns an answer in the switch's place, or None; it may raise.
    """

    def __init__(self) -> None:
        self.store = MemoryStore(Switch.factory("switch-4f2a10"))
        self.sent: list[str] = []
        self.sessions = 0
        self.meddle: Callable[[str], str | None] = lambda _line: None

    def run(self, line: str) -> str:
        self.sent.append(line)
        answer = self.meddle(line)
        if answer is None:
            answer = self.cli.handle(line)
        refused = dialect.refusal(answer)
        if refused is not None:
            raise CommandRefused(line, refused)
        return answer

    @contextmanager
    def connect(self) -> Iterator[Lab]:
        self.sessions += 1
        self.cli = SwitchCli(self.store, EVERY_LINK_UP)
        self.run(dialect.ENABLE)
        yield self

    def apply(self, wanted: Wanted = WANTED, former: Wanted | None = None) -> list[str]:
        said: list[str] = []
        self.sent, self.sessions = [], 0
        apply(self.connect, wanted, former, said.append)
        return said

    def fails(self, wanted: Wanted = WANTED) -> str:
        with pytest.raises(ChangeFailed) as caught:
            self.apply(wanted)
        return str(caught.value)

    def remove(self, wanted: Wanted = WANTED) -> list[str]:
        said: list[str] = []
        self.sent, self.sessions = [], 0
        remove(self.connect, wanted, said.append)
        return said

    def by_hand(self, *lines: str) -> None:
        cli = SwitchCli(self.store, EVERY_LINK_UP)
        for line in ("enable", "configure terminal", *lines):
            assert cli.handle(line) == ""

    def found(self, wanted: Wanted = WANTED) -> dict[str, str]:
        with self.connect() as session:
            return found_in(read_everything(session, wanted.ports), wanted)

    def running(self) -> Configuration:
        self.meddle = lambda _line: None
        with self.connect() as session:
            return read_state(session).running

    def changes(self) -> list[str]:
        return [line for line in self.sent if not line.startswith(READS)]
