"""Unit tests are pure: a test that opens a connection or starts a process fails at once."""

from __future__ import annotations

import socket
import subprocess
from typing import Any, NoReturn

import pytest


@pytest.fixture(autouse=True)
def _no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_connection(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a unit test tried to open a connection")

    def refuse_process(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a unit test tried to start a process")

    monkeypatch.setattr(socket.socket, "connect", refuse_connection)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse_connection)
    monkeypatch.setattr(socket.socket, "bind", refuse_connection)
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse_process)
