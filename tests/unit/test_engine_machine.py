"""What set-up looks at before it changes anything: disk space, programs; and how it puts things in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import go_build, plugin_install, space, stamps, tools, versions
from engine.errors import EngineError
from engine.space import Disk, Need

ROOT = Path(__file__).resolve().parents[2]
GB = 1_000_000_000
PYTHON = Need(Path("/c"), GB, "Python packages")
IMAGES = Need(Path("/var/lib/docker"), 2 * GB, "images")


@pytest.mark.parametrize(
    ("needs", "problem"),
    [
        ([], ""),
        ([(PYTHON, Disk(1, GB))], ""),
        (
            [(PYTHON, Disk(1, GB // 2))],
            "No disk space: /c has 500 MB free, 1.0 GB is needed (Python packages 1.0 GB).",
        ),
        ([(PYTHON, Disk(1, 2 * GB)), (IMAGES, Disk(2, 2 * GB))], ""),
        (
            [(PYTHON, Disk(1, 2 * GB)), (IMAGES, Disk(1, 2 * GB))],
            "No disk space: /c has 2.0 GB free, 3.0 GB is needed (Python packages 1.0 GB, images 2.0 GB).",
        ),
    ],
)
def test_space_is_added_up_per_disk(needs: list[tuple[Need, Disk]], problem: str) -> None:
    assert space.shortage(needs) == problem


def test_space_of_a_place_that_is_not_there_yet(tmp_path: Path) -> None:
    assert space.disk_of(tmp_path / "a" / "b").device == tmp_path.stat().st_dev
    space.check([Need(tmp_path / "a", 1, "a byte")])
    with pytest.raises(EngineError, match=r"No disk space: .* is needed") as caught:
        space.check([Need(tmp_path / "a", 10**18, "everything")])
    assert "Nothing was changed" in caught.value.hint


@pytest.mark.parametrize(
    ("there", "own_engine", "base_image", "required", "useful"),
    [
        ({"docker", "ssh-keygen", "openssl"}, False, False, {}, {}),
        ({"docker", "ssh-keygen"}, False, True, {"openssl": "openssl"}, {"mmdebstrap": "mmdebstrap"}),
        (
            {"ssh-keygen", "openssl", "ip"},
            True,
            False,
            {"docker": "docker.io", "dockerd": "docker.io", "iptables": "iptables"},
            {},
        ),
    ],
)
def test_missing_programs(
    there: set[str], own_engine: bool, base_image: bool, required: dict[str, str], useful: dict[str, str]
) -> None:
    found = tools.missing(
        lambda program: program if program in there else None, own_engine=own_engine, base_image=base_image
    )
    assert (found.required, found.useful) == (required, useful)
    assert found.packages == sorted({*required.values(), *useful.values()})


@pytest.mark.parametrize(
    ("programs", "headers", "packages"),
    [
        ({"gcc", "readelf"}, ("stdlib.h", "infiniband/verbs.h"), []),
        ({"gcc", "readelf"}, ("stdlib.h",), ["libibverbs-dev"]),
        (set(), (), ["binutils", "gcc", "libc6-dev", "libibverbs-dev"]),
    ],
)
def test_what_the_tests_compile_with(
    tmp_path: Path, programs: set[str], headers: tuple[str, ...], packages: list[str]
) -> None:
    for name in headers:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = tools.missing_for_tests(lambda program: program if program in programs else None, tmp_path)
    assert found == packages


def test_a_folder_made_anew_takes_the_place_of_the_former_one(tmp_path: Path) -> None:
    folder, aside = tmp_path / "venv", tmp_path / "engine" / "venv.old"
    for text in ("first", "second"):
        with stamps.replacing(folder, aside):
            assert not folder.exists()
            folder.mkdir()
            (folder / "file").write_text(text)
        assert (folder / "file").read_text() == text
        assert not aside.exists()


@pytest.mark.parametrize("error", [EngineError("no"), KeyboardInterrupt()])
def test_a_folder_that_could_not_be_made_is_as_before(tmp_path: Path, error: BaseException) -> None:
    folder, aside = tmp_path / "venv", tmp_path / "venv.old"

    def make(text: str) -> None:
        with stamps.replacing(folder, aside):
            folder.mkdir()
            (folder / "half").write_text(text)
            raise error

    with pytest.raises(type(error)):
        make("a")
    assert not folder.exists()
    folder.mkdir()
    (folder / "whole").write_text("b")
    with pytest.raises(type(error)):
        make("c")
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert not aside.exists()


def test_binaries_are_placed_all_or_none(tmp_path: Path) -> None:
    source, target = tmp_path / "new", tmp_path / "bin"
    source.mkdir()
    target.mkdir()
    for name in go_build.BINARIES:
        (source / name).write_text(f"new {name}")
        (target / name).write_text("old")
    (source / go_build.BINARIES[2]).unlink()
    with pytest.raises(FileNotFoundError):
        go_build.place(source, target)
    assert {path.name: path.read_text() for path in target.iterdir()} == dict.fromkeys(
        go_build.BINARIES, "old"
    )
    (source / go_build.BINARIES[2]).write_text("new script")
    go_build.place(source, target)
    assert {path.name for path in target.iterdir()} == set(go_build.BINARIES)
    assert all(
        path.read_text().startswith("new") and path.stat().st_mode & 0o100 for path in target.iterdir()
    )


@pytest.mark.parametrize("name", ["command", "docker"])
def test_our_drop_ins_serve_the_versions_that_are_pinned(name: str) -> None:
    assert plugin_install.dropin_version(name) == versions.pinned_plugins(ROOT)[name]


@pytest.mark.parametrize(
    ("absent", "files", "root", "packages"),
    [
        ((), True, True, []),
        (("qemu-img",), True, True, ["qemu-utils"]),
        (
            ("grub-mkrescue",),
            False,
            True,
            ["debian-archive-keyring", "grub-common", "grub-pc-bin", "seabios"],
        ),
        (("newuidmap",), True, True, []),
        (("newuidmap",), True, False, ["uidmap"]),
    ],
)
def test_what_guests_need(absent: tuple[str, ...], files: bool, root: bool, packages: list[str]) -> None:
    found = tools.missing_for_guests(
        lambda program: None if program in absent else program, lambda _: files, root=root
    )
    assert found == packages


def test_a_lab_of_containers_needs_no_virtual_machines_packages() -> None:
    found = tools.missing(lambda _: None, own_engine=True, base_image=True)
    assert (set(tools.GUESTS.values()) - {"mmdebstrap"}).isdisjoint(found.packages)
