"""What the guests are found to be, by their files and processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.files import LabFiles
from lab.vm import process
from lab.vm.files import VmFiles, own_folder
from lab.vm.guests import known, left
from lab.vm.observe import observe
from lab.vm.plan import Guest
from settings import flat

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
    generation=2,
)


def _made(tmp_path: Path, guest: Guest = GUEST) -> VmFiles:
    files = VmFiles(LabFiles(tmp_path))
    own = files.guest(guest.stack, guest.name)
    own.folder.mkdir(parents=True)
    own.disk.touch()
    own.spec.write_text(flat.render(guest.lines()))
    return files


@pytest.mark.parametrize(
    ("recorded", "runs", "state"),
    [(2, True, "present"), (2, False, "stopped"), (1, True, "absent"), (0, True, "absent")],
)
def test_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: int, runs: bool, state: str
) -> None:
    files = _made(tmp_path)
    monkeypatch.setattr(process, "running", lambda _: 4711 if runs else None)
    found = observe(files, "vmlab", ["a"], {"a": recorded})["a"]
    assert (found.state, found.generation) == (state, 2)


@pytest.mark.parametrize(("switch_runs", "state"), [(True, "present"), (False, "cut off")])
def test_a_guest_whose_switch_has_ended_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch_runs: bool, state: str
) -> None:
    files = _made(tmp_path, replace(GUEST, guests=3))
    switch = files.switch("vmlab").pid
    monkeypatch.setattr(process, "running", lambda pid: 4711 if switch_runs or pid != switch else None)
    assert observe(files, "vmlab", ["a"], {"a": 2})["a"].state == state


def test_a_guest_without_its_disk_is_absent(tmp_path: Path) -> None:
    files = _made(tmp_path)
    files.guest("vmlab", "a").disk.unlink()
    assert observe(files, "vmlab", ["a"], {"a": 2})["a"].state == "absent"


def test_one_that_was_never_made_is_absent(tmp_path: Path) -> None:
    found = observe(VmFiles(LabFiles(tmp_path)), "vmlab", ["a"], {})["a"]
    assert (found.state, found.generation) == ("absent", None)


def test_guests_of_all_stacks_are_found(tmp_path: Path) -> None:
    _made(tmp_path)
    files = _made(tmp_path, replace(GUEST, name="b", stack="mine"))
    assert [(one.stack, one.name) for one in left(files)] == [("mine", "b"), ("vmlab", "a")]


def test_a_torn_spec_is_no_guest(tmp_path: Path) -> None:
    files = _made(tmp_path)
    own = files.guest("vmlab", "a")
    assert known(own) == GUEST
    own.spec.write_text("name: 'a'\nport")
    assert known(own) is None


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (["qemu-system-x86_64", "-pidfile", "{pid}"], True),
        # The pid was given to another program, or to the guest of another checkout.
        (["sleep", "60"], False),
        (["qemu-system-x86_64", "-pidfile", "/elsewhere/pid"], False),
    ],
)
def test_a_pid_counts_only_with_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], runs: bool
) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text("4711\n")
    monkeypatch.setattr(process, "words", lambda _: [word.format(pid=pid_file) for word in command])
    monkeypatch.setattr(process, "_ended", lambda _: False)
    assert process.running(pid_file) == (4711 if runs else None)


@pytest.mark.parametrize("text", ["", "x", None])
def test_no_pid_is_no_process(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "pid").write_text(text)
    assert process.running(tmp_path / "pid") is None


def test_a_folder_that_others_may_use_is_refused(tmp_path: Path) -> None:
    folder = own_folder(tmp_path / "mine")
    assert own_folder(folder) == folder
    folder.chmod(0o755)
    with pytest.raises(Exception, match="others may use it"):
        own_folder(folder)


def test_sockets_have_short_paths(tmp_path: Path) -> None:
    deep = VmFiles(LabFiles(Path("/" + "long/" * 40)))
    assert len(str(deep.sockets("vmlab") / "control-16").encode()) < 107
    assert deep.sockets("vmlab") != VmFiles(LabFiles(tmp_path)).sockets("vmlab")
