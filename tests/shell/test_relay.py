"""From a port of the loopback to a Unix socket: how a builder reaches the registry of its own host."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RELAY = Path(__file__).parents[2] / "templates/caffe2_image/relay.py"


@contextmanager
def _relay(path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, str(RELAY), str(path)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def _echo(server: socket.socket, connections: int) -> None:
    for _ in range(connections):
        client, _ = server.accept()
        with client:
            while block := client.recv(1 << 16):
                client.sendall(block)


def test_what_goes_in_comes_out_and_an_end_is_an_end(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        threading.Thread(target=_echo, args=(server, 2), daemon=True).start()
        with _relay(tmp_path / "s") as (process, port):
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                    threading.Thread(
                        target=lambda one: (one.sendall(content), one.shutdown(socket.SHUT_WR)),
                        args=(client,),
                        daemon=True,
                    ).start()
                    got = b""
                    while block := client.recv(1 << 16):
                        got += block
                assert got == content
            # It ends with whoever started it.
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(10) == 0


def test_a_socket_that_is_not_there_is_told_and_the_connection_ends(tmp_path: Path) -> None:
    with (
        _relay(tmp_path / "none") as (process, port),
        socket.create_connection(("127.0.0.1", port), timeout=10) as client,
    ):
        assert client.recv(1) == b""
        assert process.stderr is not None
        assert process.stderr.readline() == f"{tmp_path}/none: No such file or directory\n"


def test_it_travels_in_a_pair_of_single_quotes() -> None:
    assert "'" not in RELAY.read_text()
