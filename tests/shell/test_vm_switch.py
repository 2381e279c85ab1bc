"""The guests' switch on real sockets: frames arrive where they belong, one stuck guest holds up nobody."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.vm.switch import Switch

PORTS = 4
EVERYBODY = b"\xff" * 6


def _mac(number: int) -> bytes:
    return bytes([2, 0, 0, 0, 0, number])


class _Guest:
    """One guest's end of its data link."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / f"data-{number}"))
        self._socket.setblocking(False)
        self._other = str(folder / f"switch-{number}")

    def send(self, to: int | None, text: bytes) -> None:
        target = EVERYBODY if to is None else _mac(to)
        self._socket.sendto(target + _mac(self.number) + b"\x08\x00" + text, self._other)

    def received(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(70_000)[14:])
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


@pytest.fixture
def switch(folder: Path) -> Iterator[Switch]:
    made = Switch(folder, PORTS)
    yield made
    made.close()


@pytest.fixture
def guests(folder: Path, switch: Switch) -> Iterator[dict[int, _Guest]]:
    made = {number: _Guest(folder, number) for number in range(1, PORTS + 1)}
    for one in made.values():
        one.send(None, b"hello")
        switch.turn(1)
    for one in made.values():
        assert one.received() == [b"hello"] * (PORTS - 1)
    yield made
    for one in made.values():
        one.close()


def test_a_frame_reaches_its_receiver_alone(switch: Switch, guests: dict[int, _Guest]) -> None:
    guests[1].send(3, b"x" * 9000)
    switch.turn(1)
    assert guests[3].received() == [b"x" * 9000]
    assert [guests[number].received() for number in (1, 2, 4)] == [[], [], []]


def test_a_guest_that_does_not_read_holds_up_no_other_pair(switch: Switch, guests: dict[int, _Guest]) -> None:
    frames = 600
    arrived = 0
    for _ in range(frames):
        # Guest 2 never reads, so its socket is full after some frames.
        guests[1].send(2, b"y" * 4096)
        guests[3].send(4, b"z" * 4096)
        switch.turn(1)
        switch.turn(0)
        arrived += len(guests[4].received())
    assert arrived == frames
    waiting = len(switch.ports[2].queue)
    assert waiting > 0
    # What waited for it arrives once it reads again.
    late = 0
    for _ in range(frames):
        late += len(guests[2].received())
        switch.turn(0)
    assert late + len(guests[2].received()) + switch.ports[2].dropped == frames


def test_a_guest_that_is_gone_costs_its_own_frames_only(
    switch: Switch, guests: dict[int, _Guest], folder: Path
) -> None:
    guests[2].close()
    (folder / "data-2").unlink()
    guests[1].send(2, b"lost")
    guests[3].send(4, b"kept")
    switch.turn(1)
    switch.turn(0)
    assert guests[4].received() == [b"kept"]
    assert switch.ports[2].dropped == 1
    # It comes back, as after a start.
    guests[2] = _Guest(folder, 2)
    guests[1].send(2, b"again")
    switch.turn(1)
    assert guests[2].received() == [b"again"]
