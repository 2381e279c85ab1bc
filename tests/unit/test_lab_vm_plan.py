"""The guests as planned from the settings, as lines of a step, and as the command that runs them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.files import LabFiles
from lab.observe import NodeState, State
from lab.tarballs import ARCHIVES
from lab.vm.plan import Guest, Media, guest_from, plan_guests
from lab.vm.program import complete, judge
from lab.vm.qemu import Paths, command
from settings.loader import load_file

STACK = load_file(Path(__file__).parents[2] / "Pulumi.vmlab.yaml")
MEDIA = Media("guest-1.img", "loader-1.iso", "data-1.img")
KEYS = {"clx-vm-41": "a", "clx-vm-42": "b"}


def _guests() -> dict[str, Guest]:
    return plan_guests(STACK, "vmlab", MEDIA, "tcg", KEYS)


def test_each_host_is_a_guest_with_its_own_port_and_addresses() -> None:
    guests = _guests()
    assert [one.port for one in guests.values()] == [22501, 22502]
    for field in ("place", "port", "management_mac", "data_mac", "fingerprint", "data_sockets"):
        assert len({getattr(one, field) for one in guests.values()}) == 2, field


def test_two_guests_are_joined_end_to_end() -> None:
    first, second = _guests().values()
    assert first.data_sockets == tuple(reversed(second.data_sockets)) == ("data-1", "data-2")
    assert not first.switched


def test_more_guests_go_through_the_switch() -> None:
    third = replace(_guests()["clx-vm-41"], place=3, guests=4)
    assert third.switched
    assert third.data_sockets == ("data-3", "switch-3")


def test_a_guest_is_read_back_from_its_lines() -> None:
    for guest in _guests().values():
        assert guest_from(guest.lines()) == guest


@pytest.mark.parametrize("key", ["port", "image", "generation"])
def test_a_missing_line_is_named(key: str) -> None:
    lines = _guests()["clx-vm-41"].lines()
    del lines[key]
    with pytest.raises(LabError, match=f"did not understand its input: '{key}'"):
        guest_from(lines)


def test_a_word_for_a_number_is_refused() -> None:
    with pytest.raises(LabError, match="did not understand"):
        guest_from({**_guests()["clx-vm-41"].lines(), "port": "ssh"})


@pytest.mark.parametrize(
    ("media", "keys", "same"),
    [
        (MEDIA, KEYS, True),
        (replace(MEDIA, image="guest-2.img"), KEYS, False),
        (MEDIA, {**KEYS, "clx-vm-41": "other"}, False),
        # The boot disc and the data can be exchanged in a machine that stays.
        (replace(MEDIA, loader="loader-2.iso", data="data-2.img"), KEYS, True),
    ],
)
def test_what_makes_it_another_machine(media: Media, keys: dict[str, str], same: bool) -> None:
    before = _guests()["clx-vm-41"].fingerprint
    after = plan_guests(STACK, "vmlab", media, "kvm", keys)["clx-vm-41"].fingerprint
    assert (before == after) == same


@pytest.mark.parametrize(
    ("recorded", "state", "found", "generation", "start"),
    [
        (None, "absent", None, 1, 1),
        # An `up` that was cut off left a guest behind.
        (None, "absent", 2, 3, 1),
        ((1, 1), "present", 1, 1, 1),
        ((1, 4), "present", 1, 1, 4),
        ((1, 1), "stopped", 1, 1, 2),
        ((1, 1), "cut off", 1, 1, 2),
        ((2, 3), "absent", None, 3, 1),
        ((2, 3), "absent", 5, 6, 1),
    ],
)
def test_generation_and_start(
    recorded: tuple[int, int] | None, state: State, found: int | None, generation: int, start: int
) -> None:
    wanted = _guests()["clx-vm-41"]
    known = replace(wanted, generation=recorded[0], start=recorded[1]) if recorded else None
    judged = judge(wanted, known, NodeState(wanted.name, state, found))
    assert (judged.generation, judged.start) == (generation, start)


def test_another_fingerprint_is_the_next_generation() -> None:
    wanted = _guests()["clx-vm-41"]
    known = replace(wanted, fingerprint="other", generation=2, start=2)
    judged = judge(wanted, known, NodeState(wanted.name, "present", 2))
    assert (judged.generation, judged.start, judged.fingerprint) == (3, 1, wanted.fingerprint)


def _command(guest: Guest) -> list[str]:
    base = Path("/c/.lab/vm, mine")
    return command(
        guest,
        Paths(
            image=base / guest.image,
            loader=base / guest.loader,
            data=base / guest.data,
            disk=base / "disk.qcow2",
            console=base / "console.log",
            pid=base / "pid",
            sockets=Path("/tmp/s"),
            host_key=base / "key",
            client_key_pub=base / "client.pub",
        ),
    )


def _values(argv: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(argv) if name == option]


def test_the_guest_reaches_nothing_but_its_data_link() -> None:
    networks = _values(_command(_guests()["clx-vm-41"]), "-netdev")
    assert networks == [
        "user,id=management,restrict=on,hostfwd=tcp:127.0.0.1:22501-:22",
        "dgram,id=data,local.type=unix,local.path=/tmp/s/data-1,remote.type=unix,remote.path=/tmp/s/data-2",
    ]


@pytest.mark.parametrize(("accelerator", "processor"), [("tcg", "qemu64"), ("kvm", "host")])
def test_the_accelerator_that_was_chosen(accelerator: str, processor: str) -> None:
    argv = _command(replace(_guests()["clx-vm-41"], accelerator=accelerator))
    assert _values(argv, "-accel")[0].startswith(accelerator)
    assert _values(argv, "-cpu") == [processor]


def test_a_comma_in_a_path_is_no_end_of_an_option() -> None:
    argv = _command(_guests()["clx-vm-41"])
    assert any("file=/c/.lab/vm,, mine/disk.qcow2,format=qcow2" in value for value in _values(argv, "-drive"))


def test_no_key_is_in_the_command() -> None:
    given = _values(_command(_guests()["clx-vm-41"]), "-fw_cfg")
    assert "name=opt/rocestack/hostname,string=clx-vm-41" in given
    assert all(",file=" in value for value in given if "key" in value)


def test_the_archives_are_on_the_guests_disk(tmp_path: Path) -> None:
    files = LabFiles(tmp_path)
    files.dataset.mkdir(parents=True)
    for name in ARCHIVES.values():
        (files.dataset / name).write_bytes(name.encode())
    filled = complete(STACK, files).dataset
    assert filled.train is not None
    assert filled.train.source == f"/srv/rocestack-data/{ARCHIVES['train']}"
    # What the stack file names stays.
    mine = STACK.model_copy(update={"dataset": filled.model_copy(update={"train": filled.val})})
    assert complete(mine, files).dataset.train == filled.val
