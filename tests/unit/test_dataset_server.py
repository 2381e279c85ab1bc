"""The program that hands out the data: its four files, their rests, and nothing else."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "templates/training_job/dataset_server.py"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("dataset_server", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("train_lmdb", "val_lmdb"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").write_bytes(b"0123456789")
        (tmp_path / name / "lock.mdb").write_bytes(b"lock")
    (tmp_path / "mean.binaryproto").write_bytes(b"mean")
    (tmp_path / "manifest").write_bytes(b"name=x\n")
    return tmp_path


def _ask(server: Any, data: Path, request: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of one request, without a socket."""
    handler = server.Handler.__new__(server.Handler)
    handler.folder = str(data)
    handler.client_address = ("192.0.2.1", 1)
    handler.rfile = io.BytesIO(request.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    handler.wfile = io.BytesIO()
    handler.server = None
    handler.log_message = lambda *_: None
    handler.handle_one_request()
    head, _, body = handler.wfile.getvalue().partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize(
    ("request_text", "status", "body"),
    [
        ("GET /manifest HTTP/1.1", 200, b"name=x\n"),
        ("GET /train_lmdb/data.mdb HTTP/1.1", 200, b"0123456789"),
        ("HEAD /train_lmdb/data.mdb HTTP/1.1", 200, b""),
        ("GET /train_lmdb/data.mdb HTTP/1.1\nRange: bytes=4-", 206, b"456789"),
        ("GET /train_lmdb/data.mdb HTTP/1.1\nRange: bytes=10-", 200, b"0123456789"),
        ("GET /train_lmdb/data.mdb HTTP/1.1\nRange: bytes=0-3", 200, b"0123456789"),
        (
            "GET /sizes HTTP/1.1",
            200,
            b"7 manifest\n4 mean.binaryproto\n10 train_lmdb/data.mdb\n10 val_lmdb/data.mdb\n",
        ),
    ],
)
def test_what_it_hands_out(server: Any, data: Path, request_text: str, status: int, body: bytes) -> None:
    found, headers, content = _ask(server, data, request_text)
    assert (found, content) == (status, body)
    if not request_text.startswith("HEAD"):
        assert headers["Content-Length"] == str(len(body))


def test_the_rest_of_a_file_that_changed_is_not_handed_out(server: Any, data: Path) -> None:
    os.utime(data / "manifest", (1_000_000_000, 1_000_000_000))
    asked = "GET /manifest HTTP/1.1\nRange: bytes=3-\nIf-Range: "
    assert _ask(server, data, asked + "Sun, 09 Sep 2001 01:46:40 GMT")[0] == 206
    assert _ask(server, data, asked + "Sun, 09 Sep 2001 01:46:39 GMT")[::2] == (200, b"name=x\n")


@pytest.mark.parametrize(
    "path", ["/", "/train_lmdb/lock.mdb", "/../etc/passwd", "/..%2fetc/passwd", "//etc/passwd"]
)
def test_nothing_else_is_handed_out(server: Any, data: Path, path: str) -> None:
    assert _ask(server, data, f"GET {path} HTTP/1.1")[0] == 404


def test_data_that_is_not_there_yet_is_not_found(server: Any, tmp_path: Path) -> None:
    assert _ask(server, tmp_path, "GET /sizes HTTP/1.1")[0] == 404


def test_its_settings_are_the_steps(server: Any, tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("address: '31.31.31.41:5556'\ndata_path: '/data'\n")
    assert server.read_settings(str(tmp_path / "settings")) == {
        "address": "31.31.31.41:5556",
        "data_path": "/data",
    }
