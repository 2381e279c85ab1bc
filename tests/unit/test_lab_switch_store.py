"""The simulated switch's state on disk, its ports in sysfs, and its terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.switch.onyx_cli.editor import LineReader
from lab.switch.onyx_cli.model import Refused, Switch, from_json, to_json
from lab.switch.onyx_cli.ports import Link, read_link
from lab.switch.onyx_cli.session import Session
from lab.switch.onyx_cli.store import FileStore, machine_boot


def session(folder: Path, boot: str) -> Session:
    cli = Session(FileStore(folder, "swx-mld-1-2", boot))
    for line in ("enable", "configure terminal"):
        assert cli.handle(line) == ""
    return cli


def test_what_was_not_saved_is_gone_after_a_restart(tmp_path: Path) -> None:
    cli = session(tmp_path, "first start")
    cli.handle("hostname saved-name")
    cli.handle("configuration write")
    cli.handle("hostname lost-name")
    assert session(tmp_path, "first start").prompt().startswith("lost-name ")
    assert session(tmp_path, "second start").prompt().startswith("saved-name ")
    assert session(tmp_path, "second start").prompt().startswith("saved-name ")


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "swx-mld-1-2", "start")
    with store.locked() as switch:
        switch.running.hostname = "kept"
    before = (tmp_path / "state.json").read_text()
    with pytest.raises(Refused), store.locked() as switch:
        switch.running.hostname = "dropped"
        raise Refused("% no")
    assert (tmp_path / "state.json").read_text() == before


def test_reading_does_not_write(tmp_path: Path) -> None:
    cli = session(tmp_path, "start")
    cli.handle("hostname x")
    file = tmp_path / "state.json"
    os.utime(file, (1, 1))
    assert "hostname x" in cli.handle("show running-config")
    assert file.stat().st_mtime == 1


def test_json_keeps_everything() -> None:
    switch = Switch.factory("swx-mld-1-2", "start")
    port = switch.running.port("1/3")
    port.ets[6] = "strict"
    assert from_json(to_json(switch)) == switch


def proc(root: Path, boot_id: str, started: int) -> Path:
    (root / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (root / "sys/kernel/random/boot_id").write_text(f"{boot_id}\n")
    (root / "1").mkdir(exist_ok=True)
    fields = ["S", *["0"] * 18, str(started), "0"]
    (root / "1/stat").write_text(f"1 (init (1) x) {' '.join(fields)}\n")
    return root


def test_a_start_is_named_by_boot_and_first_process(tmp_path: Path) -> None:
    assert machine_boot(proc(tmp_path, "aaa", 77)) == "aaa 77"
    assert machine_boot(proc(tmp_path, "aaa", 78)) == "aaa 78"


def test_a_link_is_read_from_its_interface(tmp_path: Path) -> None:
    folder = tmp_path / "swp7"
    (folder / "statistics").mkdir(parents=True)
    (folder / "operstate").write_text("up\n")
    (folder / "address").write_text("02:00:00:00:00:07\n")
    for number, name in enumerate(
        ("rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_bytes", "tx_dropped")
    ):
        (folder / "statistics" / name).write_text(f"{number}\n")
    link = read_link("1/7", tmp_path)
    assert (link.up, link.address, dict(link.counters)["tx_bytes"]) == (True, "02:00:00:00:00:07", 4)
    (folder / "operstate").write_text("down\n")
    assert not read_link("1/7", tmp_path).up
    assert read_link("1/8", tmp_path) == Link()


@pytest.mark.parametrize(
    ("keys", "line", "echo"),
    [
        (b"show version\r", "show version", b"show version\n"),
        (b"shox\x7fw\n", "show", b"shox\x08 \x08w\n"),
        (b"junk\x15ok\n", "ok", b"junk" + b"\x08 \x08" * 4 + b"ok\n"),
        (b"junk\x03", "", b"junk^C\n"),
        (b"\x00a\n", "a", b"a\n"),
        (b"\x04", None, b"\n"),
        (b"", None, b""),
    ],
)
def test_keys_become_a_line_and_its_echo(keys: bytes, line: str | None, echo: bytes) -> None:
    source, typed = os.pipe()
    shown, target = os.pipe()
    os.write(typed, keys)
    os.close(typed)
    assert LineReader(source, target).read() == line
    os.close(target)
    assert os.read(shown, 100) == echo
    for descriptor in (source, shown):
        os.close(descriptor)


def test_lines_typed_ahead_are_echoed_when_they_are_read() -> None:
    source, typed = os.pipe()
    shown, target = os.pipe()
    os.write(typed, b"one\ntwo\n")
    reader = LineReader(source, target)
    assert reader.read() == "one"
    assert os.read(shown, 100) == b"one\n"
    assert reader.read() == "two"
    assert os.read(shown, 100) == b"two\n"
    for descriptor in (source, typed, shown, target):
        os.close(descriptor)
