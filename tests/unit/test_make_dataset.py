"""Appendix A's tool on small real archives: what it makes, what it keeps, and each fault by its sentence."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import lmdb
import pytest

from tests.unit import images

TOOLS = Path(__file__).parents[2] / "templates/caffe2_image/dataset"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool as a module, as it lies in the image: its other files beside it."""
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for path in TOOLS.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return importlib.import_module("make_dataset")


@dataclass(frozen=True)
class Shop:
    """The tool, the archives, and the folder that it makes."""

    tool: Any
    archives: Path
    target: Path

    def make(self, **changed: str) -> None:
        self.tool.main(images.arguments(self.archives, self.target, **changed))

    def check(self, name: str = "small-1") -> None:
        self.tool.main(["check", str(self.target), "--name", name])

    @property
    def facts(self) -> dict[str, str]:
        return _facts((self.target / "manifest").read_text())

    def fails(self, says: str) -> Any:
        return pytest.raises(self.tool.DatasetError, match=says)


@pytest.fixture
def shop(tool: ModuleType, tmp_path: Path) -> Shop:
    images.write_all(tmp_path / "archives")
    (tmp_path / "data").mkdir()
    return Shop(tool, tmp_path / "archives", tmp_path / "data")


def part(name: str) -> Any:
    """One of the tool's files as a module; the fixture `tool` has loaded it."""
    return sys.modules[f"dataset_{name}"]


def _facts(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize("encoding", ["jpeg", "raw"])
def test_the_data_is_made_of_the_archives(
    shop: Shop,
    capsys: pytest.CaptureFixture[str],
    encoding: str,
) -> None:
    shop.make(encoding=encoding)
    said = capsys.readouterr().out
    assert said == (shop.target / "manifest").read_text()
    facts = _facts(said)
    assert (facts["name"], facts["labels"]) == ("small-1", "3")
    assert (facts["train_images"], facts["val_images"]) == ("12", "6")
    assert sorted(path.name for path in shop.target.iterdir()) == [
        "manifest",
        "mean.binaryproto",
        "train_lmdb",
        "val_lmdb",
    ]
    # The server of the copies has no rights of its own.
    assert (shop.target / "train_lmdb").stat().st_mode & 0o777 == 0o755


def test_neighbours_are_of_different_classes_and_the_order_is_fixed(shop: Shop, tmp_path: Path) -> None:
    orders = []
    for place in (shop.target, tmp_path / "again"):
        place.mkdir(exist_ok=True)
        shop.tool.main(images.arguments(shop.archives, place))
        with (
            lmdb.open(str(place / "train_lmdb"), readonly=True, lock=False) as database,
            database.begin() as view,
        ):
            orders.append([key.decode().split("_", 1)[1] for key, _ in view.cursor()])
    assert orders[0] == orders[1]
    assert sorted(orders[0]) != orders[0]
    assert (shop.target / "manifest").read_text() == (tmp_path / "again" / "manifest").read_text()


def test_what_is_right_stays(shop: Shop) -> None:
    shop.make()
    before = (shop.target / "train_lmdb" / "data.mdb").stat()
    for kind in ("train", "val", "lists"):
        os.remove(shop.archives / f"{kind}.tar")  # right data needs no archive
    shop.make()
    assert (shop.target / "train_lmdb" / "data.mdb").stat() == before


def _cut_lmdb(target: Path) -> None:
    os.truncate(target / "val_lmdb" / "data.mdb", 9000)


def _remove_lmdb(target: Path) -> None:
    os.remove(target / "train_lmdb" / "data.mdb")


def _empty_lmdb(target: Path) -> None:
    os.truncate(target / "train_lmdb" / "data.mdb", 0)


def _other_record(target: Path) -> None:
    with (
        lmdb.open(str(target / "val_lmdb"), map_size=1 << 24) as database,
        database.begin(write=True) as view,
    ):
        key, value = next(iter(view.cursor()))
        view.put(
            key, value.replace(b"\x28\x00", b"\x28\x01") if b"\x28\x00" in value else value + b"\x28\x00"
        )


def _broken_record(target: Path) -> None:
    with (
        lmdb.open(str(target / "val_lmdb"), map_size=1 << 24) as database,
        database.begin(write=True) as view,
    ):
        view.put(next(iter(view.cursor()))[0], part("write").datum(b"no picture", 0, 16, "jpeg"))


def _no_mean(target: Path) -> None:
    os.remove(target / "mean.binaryproto")


def _no_manifest(target: Path) -> None:
    os.remove(target / "manifest")


DAMAGE: list[tuple[Callable[[Path], None], str]] = [
    (_cut_lmdb, r"val_lmdb/data\.mdb is cut off: 9000 bytes of \d+"),
    (_remove_lmdb, r"train_lmdb/data\.mdb is missing"),
    (_empty_lmdb, r"train_lmdb/data\.mdb is cut off or no LMDB"),
    (_other_record, r"does not hold the records that its manifest names"),
    (_broken_record, r"record 1 of .*val_lmdb cannot be decoded"),
    (_no_mean, r"mean\.binaryproto is missing"),
    (_no_manifest, r"has no manifest"),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGE)
def test_damage_is_said_and_made_good(
    shop: Shop,
    damage: Callable[[Path], None],
    says: str,
) -> None:
    shop.make()
    noted = (shop.target / "manifest").read_text()
    shop.check()
    damage(shop.target)
    with shop.fails(says):
        shop.check()
    shop.make()
    assert (shop.target / "manifest").read_text() == noted
    shop.check()


def test_other_data_is_not_taken_for_it(shop: Shop) -> None:
    shop.make()
    with shop.fails("holds small-1, not small-2"):
        shop.check("small-2")
    shop.make(name="small-2")
    assert shop.facts["name"] == "small-2"


def _without(kind: str) -> Callable[[Path], dict[str, str]]:
    def change(archives: Path) -> dict[str, str]:
        os.remove(archives / f"{kind}.tar")
        return {}

    return change


def _replaced(kind: str, make: Callable[[], bytes]) -> Callable[[Path], dict[str, str]]:
    def change(archives: Path) -> dict[str, str]:
        images.write(archives, kind, make())
        return {}

    return change


def _cut(kind: str, left: float) -> Callable[[Path], dict[str, str]]:
    def change(archives: Path) -> dict[str, str]:
        path = archives / f"{kind}.tar"
        os.truncate(path, int(path.stat().st_size * left))
        return {}

    return change


def _options(**values: str) -> Callable[[Path], dict[str, str]]:
    return lambda archives: values


def _classes(**changed: bytes) -> bytes:
    return images.tarball(
        {f"{one}.tar": changed.get(one, images.tarball(images.train_images(one))) for one in images.SYNSETS}
    )


def _lists(**changed: bytes) -> bytes:
    kept = {name: changed.get(name.partition(".")[0], text) for name, text in images.lists().items()}
    return images.tarball({name: text for name, text in kept.items() if text}, "w:gz")


def _val_with(content: bytes) -> bytes:
    return images.tarball({**images.val_images(), "val_00000003.JPEG": content})


FAULTS: list[tuple[str, Callable[[Path], dict[str, str]], str]] = [
    ("missing archive", _without("val"), r"the archive .*val\.tar is missing"),
    (
        "wrong md5",
        _options(train_md5="0" * 32),
        r"train\.tar \(\d+ bytes\) has the md5 [0-9a-f]{32}, not 0{32}",
    ),
    ("cut training set", _cut("train", 0.6), r"train\.tar is cut off or no tarball"),
    ("cut validation set", _cut("val", 0.5), r"val\.tar is cut off or no tarball"),
    ("cut lists", _cut("lists", 0.5), r"lists\.tar is cut off or no tarball"),
    (
        "no tarball",
        _replaced("val", lambda: b"<html>log in first</html>"),
        r"val\.tar is cut off or no tarball",
    ),
    (
        "cut class",
        _replaced(
            "train", lambda: _classes(n00000002=images.tarball(images.train_images("n00000002"))[:2000])
        ),
        r"n00000002\.tar in .*train\.tar is cut off or no tarball",
    ),
    (
        "no class",
        _replaced(
            "train", lambda: images.tarball({"n00000001.tar": images.tarball(images.train_images("n"))})
        ),
        r"train\.tar has no tarball of 2 class\(es\), the first is n00000002\.tar",
    ),
    (
        "empty class",
        _replaced("train", lambda: _classes(n00000002=images.tarball({}))),
        r"n00000002\.tar in .* holds no image",
    ),
    ("no val list", _replaced("lists", lambda: _lists(val=b"")), r"lists\.tar has no val\.txt"),
    (
        "a line that is none",
        _replaced("lists", lambda: _lists(val=b"val_00000001.JPEG 0\nval_00000002.JPEG\n")),
        r"line 2 of val\.txt is no image and label below 3",
    ),
    (
        "a label too high",
        _replaced("lists", lambda: _lists(val=b"val_00000001.JPEG 3\n")),
        r"line 1 of val\.txt is no image and label below 3",
    ),
    (
        "an image in no archive",
        _replaced("lists", lambda: _lists(train=b"n00000001/n00000001_9.JPEG 0\n")),
        r"train\.txt names n00000001/n00000001_9\.JPEG, which is in no archive",
    ),
    ("other labels", _options(labels="1000"), r"synsets\.txt has 3 classes, and 1000 labels are asked for"),
    (
        "undecodable image",
        _replaced("val", lambda: _val_with(b"not a picture")),
        r"1 image\(s\) of val cannot be decoded, the first is .*/val/val_00000003\.JPEG: cannot identify",
    ),
    (
        "a way out of the folder",
        _replaced("val", lambda: images.tarball({"../escaped.JPEG": b"x"})),
        r"val\.tar holds '\.\./escaped\.JPEG', which is no plain file in it",
    ),
]


@pytest.mark.parametrize(("change", "says"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_is_one_sentence_and_the_next_run_goes_on(
    shop: Shop,
    change: Callable[[Path], dict[str, str]],
    says: str,
) -> None:
    changed = change(shop.archives)
    with shop.fails(says):
        shop.make(**changed)
    assert [path.name for path in shop.target.iterdir()] == [".rocestack-new"], (
        "nothing half done is in place"
    )
    assert not (shop.target.parent / "escaped.JPEG").exists()
    right = shop.archives.with_name("right")
    images.write_all(right)
    shop.tool.main(images.arguments(right, shop.target))
    assert shop.facts["train_images"] == "12"


def test_no_room_is_said_before_anything_is_unpacked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.tool, "free_bytes", lambda path: 10_000)
    with pytest.raises(
        shop.tool.DatasetError, match=r"no room in .*: 0\.0 MB are free, and making 18 images takes 0\."
    ):
        shop.make()
    assert sorted(path.name for path in (shop.target / ".rocestack-new").iterdir()) == ["md5", "of"]
    monkeypatch.undo()


def test_a_run_that_was_cut_off_goes_on_class_by_class(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = part("archives").unpack
    unpacked: list[str] = []

    def cut_off(archive: object, path: str, folder: str) -> int:
        if folder.endswith("n00000003"):
            Path(folder).mkdir()
            (Path(folder) / "half").write_text("an image")
            raise OSError("the host went down")
        return int(unpack(archive, path, folder))

    def noted(archive: object, path: str, folder: str) -> int:
        unpacked.append(Path(folder).name)
        return int(unpack(archive, path, folder))

    with monkeypatch.context() as patch:
        patch.setattr(part("archives"), "unpack", cut_off)
        with pytest.raises(OSError, match="the host went down"):
            shop.make(workers="1")
    monkeypatch.setattr(part("archives"), "unpack", noted)
    shop.make(workers="1")
    assert unpacked == ["n00000003", "val"]
    assert not (shop.target / ".rocestack-new").exists()


def test_an_archive_is_read_again_only_when_it_changed(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shop.archives / "val.tar"
    md5 = hashlib.md5(path.read_bytes()).hexdigest()

    def reads() -> bool:
        part("archives").check_md5(str(path), md5, str(tmp_path / "work"))
        return "reading val.tar" in capsys.readouterr().err

    assert [reads(), reads()] == [True, False]
    os.utime(path, (1, 1))
    assert [reads(), reads()] == [True, False]


def test_a_word_that_is_missing_is_named(shop: Shop) -> None:
    with shop.fails("make needs --lists"):
        shop.tool.main(images.arguments(shop.archives, shop.target)[:-4])
    with shop.fails("is no folder"):
        shop.tool.main(["check", str(shop.target / "none"), "--name", "x"])
