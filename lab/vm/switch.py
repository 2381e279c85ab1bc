"""A switch for the data link of more than two guests: ``python -m lab.vm.switch PIDFILE FOLDER PORTS``.

Port N is a pair of sockets in FOLDER: the guest sends to `switch-N` and listens at `data-N`; a datagram is a
frame. A frame goes to the port behind which its receiver was last heard, else to all others.

Each port has a queue of its own and no send ever waits. A switch that waits for one slow guest stops all
others meanwhile: with blocking sends one full socket held up every pair of hosts.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

# The longest frame that QEMU sends, and how many frames wait for a slow guest before more are dropped.
LONGEST = 70_000
QUEUE = 2048
_BURST = 64
_BUFFER = 8 << 20
_GROUP = 0x01


@dataclass
class Port:
    """One port: where its guest's frames arrive, the way to the guest, and what waits for it."""

    number: int
    listening: socket.socket
    guest: str
    sending: socket.socket | None = None
    queue: deque[bytes] = field(default_factory=lambda: deque(maxlen=QUEUE))
    dropped: int = 0


class Table:
    """Who is behind which port, as learnt from the frames that came."""

    def __init__(self, ports: int) -> None:
        self._ports = range(1, ports + 1)
        self._known: dict[bytes, int] = {}

    def targets(self, port: int, frame: bytes) -> list[int]:
        """Learn from a frame that came in at `port`, and return the ports where it goes out."""
        if len(frame) < 14:
            return []
        to, source = frame[:6], frame[6:12]
        if not source[0] & _GROUP:
            self._known[source] = port
        known = None if to[0] & _GROUP else self._known.get(to)
        if known is None:
            return [one for one in self._ports if one != port]
        return [] if known == port else [known]


class Switch:
    """The switch at work on the sockets of a folder."""

    def __init__(self, folder: Path, ports: int) -> None:
        self._table = Table(ports)
        self._selector = selectors.DefaultSelector()
        self.ports = {number: self._port(folder, number) for number in range(1, ports + 1)}

    def _port(self, folder: Path, number: int) -> Port:
        path = folder / f"switch-{number}"
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.bind(str(path))
        listening.setblocking(False)
        port = Port(number, listening, str(folder / f"data-{number}"))
        self._selector.register(listening, selectors.EVENT_READ, port)
        return port

    def turn(self, timeout: float | None) -> None:
        """Carry what has come, and send what could not be sent before; wait `timeout` seconds at most."""
        for key, events in self._selector.select(timeout):
            port: Port = key.data
            if events & selectors.EVENT_READ:
                self._carry(port)
            if events & selectors.EVENT_WRITE:
                self._drain(port)

    def _carry(self, port: Port) -> None:
        for _ in range(_BURST):
            try:
                frame = port.listening.recv(LONGEST)
            except BlockingIOError:
                return
            for number in self._table.targets(port.number, frame):
                target = self.ports[number]
                target.dropped += len(target.queue) == QUEUE
                target.queue.append(frame)
                self._drain(target)

    def _drain(self, port: Port) -> None:
        """Send what waits for a guest until its socket is full; then wait until that has room again."""
        while port.queue:
            try:
                self._connected(port).send(port.queue[0])
            except BlockingIOError:
                self._watch(port, True)
                return
            except OSError:
                # Nobody is there (any more): a frame to a dead port is lost, and the next one is tried anew.
                self._hang_up(port)
                port.dropped += len(port.queue)
                port.queue.clear()
                return
            port.queue.popleft()
        self._watch(port, False)

    def _connected(self, port: Port) -> socket.socket:
        # Only a connected socket says when its peer has room.
        if port.sending is None:
            sending = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            sending.setblocking(False)
            sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            try:
                sending.connect(port.guest)
            except OSError:
                sending.close()
                raise
            port.sending = sending
        return port.sending

    def _watch(self, port: Port, wanted: bool) -> None:
        if port.sending is None:
            return
        watched = port.sending in (key.fileobj for key in self._selector.get_map().values())
        if wanted and not watched:
            self._selector.register(port.sending, selectors.EVENT_WRITE, port)
        if watched and not wanted:
            self._selector.unregister(port.sending)

    def _hang_up(self, port: Port) -> None:
        self._watch(port, False)
        if port.sending is not None:
            port.sending.close()
            port.sending = None

    def close(self) -> None:
        """Close all sockets; their files stay."""
        for port in self.ports.values():
            self._hang_up(port)
            port.listening.close()
        self._selector.close()


def main(arguments: list[str]) -> int:
    """Go into the background and switch until a signal ends it."""
    pid_file, folder, ports = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    switch = Switch(folder, ports)
    # Whoever called goes on as soon as the sockets are there and the pid is known.
    child = os.fork()
    if child:
        pid_file.write_text(f"{child}\n")
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        switch.turn(None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
