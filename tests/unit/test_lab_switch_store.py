"""The simulated switch's state on disk, its ports in sysfs, and its terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lab.switch.onyx_cli.editor import LineReader
from lab.switch.onyx_cli.fabric import Link, MachineFabric, Traffic
from lab.switch.onyx_cli.model import Switch, from_json, to_json
from lab.switch.onyx_cli.names import Refused
from lab.switch.onyx_cli.session import Session
from lab.switch.onyx_cli.store import FileStore, machine_boot
from tests.fabric import MemoryFabric


def file_store(folder: Path, boot: str) -> FileStore:
    return FileStore(folder, boot, lambda: Switch.factory("swx-mld-1-2"))


def session(folder: Path, boot: str) -> Session:
    cli = Session(file_store(folder, boot), MemoryFabric())
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
    store = file_store(tmp_path, "start")
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


def interface(sysfs: Path, name: str, number: int, state: str = "up") -> Path:
    """Make an interface as /sys shows it, with the counters 1 to 8 in the order of `names`."""
    folder = sysfs / name
    (folder / "statistics").mkdir(parents=True)
    (folder / "brport").mkdir()
    (folder / "brport/port_no").write_text(f"{number:#x}\n")
    (folder / "operstate").write_text(f"{state}\n")
    (folder / "address").write_text(f"02:00:00:00:00:{number:02x}\n")
    (folder / "speed").write_text("10000\n")
    names = [f"{way}_{what}" for way in ("rx", "tx") for what in ("packets", "bytes", "errors", "dropped")]
    for value, counter in enumerate(names, start=1):
        (folder / "statistics" / counter).write_text(f"{value}\n")
    return folder


def test_a_link_is_read_from_its_interface(tmp_path: Path) -> None:
    folder = interface(tmp_path, "swp7", 7)
    fabric = MachineFabric(tmp_path)
    link = fabric.link("1/7")
    assert (link.up, link.address, link.speed) == (True, "02:00:00:00:00:07", 10000)
    assert (link.counters["rx_packets"], link.counters["tx_bytes"]) == (1, 6)
    (folder / "operstate").write_text("down\n")
    assert not fabric.link("1/7").up
    assert fabric.link("1/8") == Link()


def test_what_an_interface_does_not_count_is_not_there(tmp_path: Path) -> None:
    folder = interface(tmp_path, "swp7", 7)
    (folder / "statistics/tx_dropped").unlink()
    (folder / "speed").write_text("unknown\n")
    link = MachineFabric(tmp_path).link("1/7")
    assert "tx_dropped" not in link.counters
    assert link.speed is None


def entry(address: str, port: int, local: bool = False) -> bytes:
    return bytes.fromhex(address.replace(":", "")) + bytes(
        [port & 255, local, 9, 0, 0, 0, port >> 8, 0, 0, 0]
    )


def test_the_mac_table_is_the_bridges(tmp_path: Path) -> None:
    interface(tmp_path, "swp1", 1)
    interface(tmp_path, "swp3s2", 258)
    (tmp_path / "br0").mkdir()
    learned = entry("02:52:01:01:03:02", 258) + entry("02:52:01:01:01:00", 1)
    (tmp_path / "br0/brforward").write_bytes(
        learned + entry("02:52:02:01:01:00", 1, local=True) + entry("02:aa:aa:aa:aa:aa", 9)
    )
    fabric = MachineFabric(tmp_path)
    assert fabric.mac_table() == [("02:52:01:01:01:00", "1/1"), ("02:52:01:01:03:02", "1/3/2")]
    assert fabric.split_sockets() == {"1/3": 4}


def test_without_a_bridge_the_mac_table_is_empty(tmp_path: Path) -> None:
    assert MachineFabric(tmp_path).mac_table() == []


def test_what_the_agent_heard_and_counted(tmp_path: Path) -> None:
    fabric = MachineFabric(tmp_path, tmp_path / "fabric.json")
    assert (fabric.neighbours(), fabric.traffic("1/1", "rx")) == ({}, None)
    heard = {"chassis": "02:52:01:01:01:00", "chassis_kind": "Mac Address", "port": "enp1f0"}
    heard |= {"port_kind": "Interface Name", "system_name": "clx-mld-41"}
    data = {"neighbours": {"1/1": heard}, "traffic": {"rx": {"1/1": {"26": [3, 300]}}, "tx": {}}}
    (tmp_path / "fabric.json").write_text(json.dumps(data))
    assert fabric.neighbours()["1/1"].system_name == "clx-mld-41"
    assert fabric.traffic("1/1", "rx") == {26: Traffic(3, 300)}
    assert fabric.traffic("1/1", "tx") == {}


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
