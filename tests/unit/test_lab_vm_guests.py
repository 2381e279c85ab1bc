"""How guests are started and ended, without one: what is written down, and when."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.files import LabFiles
from lab.vm import guests, process
from lab.vm.files import VmFiles
from lab.vm.plan import Guest

GUEST = Guest(
    name="a",
    stack="vmlab",
    place=1,
    guests=2,
    port=22501,
    memory_mb=2048,
    vcpus=1,
    data_interface="enp1f0",
    image="i",
    loader="l",
    data="d",
    accelerator="tcg",
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VmFiles:
    """Return the files of a checkout where all is there that guests start from."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(guests, "_new_disk", lambda place: place.disk.touch())
    found = VmFiles(LabFiles(tmp_path / "checkout"))
    for needed in (*(found.images / name for name in "ild"), found.lab.host_key("a")):
        needed.parent.mkdir(parents=True, exist_ok=True)
        needed.touch()
    return found


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Return the pid files whose processes run."""
    pids: set[Path] = set()

    def launch(name: str, argv: list[str], pid_file: Path, folder: Path = Path("/")) -> int:
        pids.add(pid_file)
        pid_file.write_text("4711\n")
        return 4711

    def end(pid_file: Path) -> bool:
        ran = pid_file in pids
        pids.discard(pid_file)
        return ran

    monkeypatch.setattr(process, "launch", launch)
    monkeypatch.setattr(process, "end", end)
    monkeypatch.setattr(process, "running", lambda pid_file: 4711 if pid_file in pids else None)
    return pids


def test_a_guest_is_written_down_before_it_runs(files: VmFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "launch", killed)
    with pytest.raises(KeyboardInterrupt):
        guests.start(GUEST, files)
    assert guests.left(files) == [GUEST]


def test_one_that_runs_is_left_alone(files: VmFiles, running: set[Path]) -> None:
    assert guests.start(GUEST, files) == "started"
    assert guests.start(replace(GUEST, start=2), files) == "runs"
    assert guests.left(files) == [replace(GUEST, start=2)]


@pytest.mark.parametrize(("change", "kept"), [({"memory_mb": 4096}, True), ({"generation": 2}, False)])
def test_another_size_keeps_the_disk(
    files: VmFiles, running: set[Path], change: dict[str, int], kept: bool
) -> None:
    guests.start(GUEST, files)
    disk = files.guest("vmlab", "a").disk
    disk.write_text("mark")
    assert guests.start(replace(GUEST, **change), files) == "started"  # type: ignore[arg-type]
    assert (disk.read_text() == "mark") is kept


def test_without_an_image_nothing_is_begun(files: VmFiles, running: set[Path]) -> None:
    (files.images / "i").unlink()
    with pytest.raises(LabError, match="is missing"):
        guests.start(GUEST, files)
    assert (running, guests.left(files)) == (set(), [])


def test_all_are_ended_also_one_that_cannot_be_read(files: VmFiles, running: set[Path]) -> None:
    guests.start(GUEST, files)
    guests.start(replace(GUEST, stack="mine"), files)
    files.guest("mine", "a").spec.write_text("of another version")
    assert guests.end_all(files) == ["mine/a", "vmlab/a"]
    assert running == set()
    assert list((files.folder / "guests").iterdir()) == []
    assert not files.sockets("mine").exists()
    assert guests.end_all(files) == []
