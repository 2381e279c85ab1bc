"""The lab's archives: patches that share no pixel, in ImageNet's layout, the same bytes each time."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from lab import tarballs
from lab.errors import LabError
from lab.files import LabFiles
from lab.photographs import PHOTOGRAPHS
from lab.progress import Reporter
from lab.tarballs import ARCHIVES, PATCH_PIXELS


def _photograph(path: Path, left: int, right: int, size: tuple[int, int] = (400, 200)) -> Path:
    """Write a photograph whose halves have one grey each."""
    picture = Image.new("RGB", size, (left, left, left))
    picture.paste((right, right, right), (size[0] // 2, 0, *size))
    picture.save(path)
    return path


# Coins is the narrowest photograph, chelsea the lowest.
@pytest.mark.parametrize("size", [(192, 303), (225, 300), (500, 872)])
def test_every_square_lies_in_its_half(size: tuple[int, int]) -> None:
    squares = list(tarballs.cut(*size, 50, "s"))
    assert len(squares) == 50
    for x, y, side in squares:
        assert side == PATCH_PIXELS
        assert 0 <= x <= size[0] - side
        assert 0 <= y <= size[1] - side


def test_the_same_seed_gives_the_same_squares() -> None:
    assert list(tarballs.cut(600, 400, 9, "s")) == list(tarballs.cut(600, 400, 9, "s"))
    assert list(tarballs.cut(600, 400, 9, "s")) != list(tarballs.cut(600, 400, 9, "t"))


def test_training_and_validation_share_no_pixel(tmp_path: Path) -> None:
    found = tarballs.cut_class(0, _photograph(tmp_path / "brick.png", 50, 200))
    assert (found.synset, found.word, len(found.train), len(found.val)) == ("n00000001", "brick", 120, 24)

    def greys(images: tuple[bytes, ...]) -> set[int]:
        return {Image.open(io.BytesIO(one)).convert("L").resize((1, 1)).getpixel((0, 0)) for one in images}

    assert greys(found.train) == {50}
    assert greys(found.val) == {200}


def test_a_photograph_too_small_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"A half of .*photo\.png is smaller than 192 pixels"):
        tarballs.cut_class(0, _photograph(tmp_path / "photo.png", 1, 2, (300, 200)))
    (tmp_path / "page.png").write_text("<html>")
    with pytest.raises(LabError, match=r"page\.png is no photograph"):
        tarballs.cut_class(0, tmp_path / "page.png")


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    found = LabFiles(tmp_path)
    found.photographs.mkdir(parents=True)
    for number, name in enumerate(sorted(PHOTOGRAPHS)):
        _photograph(found.photographs / name, 20 * number, 20 * number + 10, (384, 192))
    return found


def _members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def test_the_layout_is_imagenets(files: LabFiles) -> None:
    assert tarballs.ensure_tarballs(files, Reporter("test"))
    read = {kind: (files.dataset / name).read_bytes() for kind, name in ARCHIVES.items()}
    classes = _members(read["train"])
    assert list(classes) == [f"n0000000{number}.tar" for number in range(1, 9)]
    assert next(iter(_members(classes["n00000001.tar"]))) == "n00000001_0.JPEG"
    lists = {
        name: text.decode().splitlines() for name, text in _members(gzip.decompress(read["lists"])).items()
    }
    assert (len(lists["synsets.txt"]), len(lists["train.txt"]), len(lists["val.txt"])) == (8, 960, 192)
    assert lists["train.txt"][0] == "n00000001/n00000001_0.JPEG 0"
    assert lists["synset_words.txt"][0] == "n00000001 brick"
    assert [line.split()[0] for line in lists["val.txt"]] == list(_members(read["val"]))


def test_the_same_photographs_give_the_same_bytes(files: LabFiles) -> None:
    reporter = Reporter("test")
    tarballs.ensure_tarballs(files, reporter)
    before = tarballs.archives(files, "http://vendor/dataset")
    assert tarballs.ensure_tarballs(files, reporter) is False
    (files.dataset / "stamp").unlink()
    assert tarballs.ensure_tarballs(files, reporter)
    assert tarballs.archives(files, "http://vendor/dataset") == before
    _photograph(files.photographs / "brick.png", 77, 78, (384, 192))
    assert tarballs.ensure_tarballs(files, reporter)
    assert tarballs.archives(files, "http://vendor/dataset") != before
