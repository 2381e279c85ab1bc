"""Records as Caffe's own tools write them: protobuf fields, planes, sizes, and the mean of what is stored."""

from __future__ import annotations

import importlib
import io
import struct
import sys
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

TOOLS = Path(__file__).parents[2] / "templates/caffe2_image/dataset"


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool's file that writes, loaded as in the image."""
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for path in TOOLS.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return importlib.import_module("dataset_write")


# Datum of caffe.proto, by hand: a pixel in three planes with label 300; first bytes of a JPEG with label 0.
RAW = bytes.fromhex("0803 1001 1801 2203 010203 28ac02 3800")
ENCODED = bytes.fromhex("2203 ffd8ff 2800 3801")


def test_a_raw_record_has_its_shape_and_an_encoded_one_only_its_bytes(write: Any) -> None:
    assert write.datum(bytes([1, 2, 3]), 300, 1, "raw") == RAW
    assert write.datum(b"\xff\xd8\xff", 0, 1, "jpeg") == ENCODED


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (196608, "80800c")],
)
def test_numbers_are_protobufs(write: Any, value: int, wanted: str) -> None:
    assert write.varint(value).hex() == wanted
    assert importlib.import_module("dataset_records").read_number(write.varint(value), 0)[0] == value


def test_the_mean_is_one_image_of_floats(write: Any) -> None:
    content = write.blob(np.array([0.5, 1.0, 2.0]), 1)
    assert content == bytes.fromhex("0801 1003 1801 2001 2a0c") + struct.pack("<3f", 0.5, 1, 2)


def _saved(path: Path, image: Image.Image, kind: str = "PNG") -> str:
    image.save(path, kind)
    return str(path)


def test_planes_are_blue_green_and_red(write: Any, tmp_path: Path) -> None:
    path = _saved(tmp_path / "x.JPEG", Image.new("RGB", (40, 30), (10, 20, 30)))
    content, pixels = write.content_of(path, 4, "raw")
    assert content == pixels == bytes([30] * 16 + [20] * 16 + [10] * 16)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "LA", "1"])
def test_every_form_of_a_picture_has_three_planes(write: Any, tmp_path: Path, mode: str) -> None:
    """ImageNet itself has grey pictures, some in CMYK, and one that is a PNG by another name."""
    picture = Image.new("RGB", (40, 30), (255, 255, 255)).convert(mode)
    path = _saved(tmp_path / "x.JPEG", picture, "TIFF" if mode == "CMYK" else "PNG")
    assert write.content_of(path, 8, "raw")[0] == b"\xff" * 192


def test_a_point_is_made_of_its_four_neighbours(write: Any, tmp_path: Path) -> None:
    """As OpenCV's INTER_LINEAR: a point of the half-sized picture is the mean of the four in its middle."""
    values = np.zeros((8, 8), np.uint8)
    # Of each block of four by four the middle four points; all others would show if they were read.
    values[1:3, 1:3], values[1:3, 5:7], values[5:7, 1:3], values[5:7, 5:7] = 40, 80, 120, 160
    path = _saved(tmp_path / "x.png", Image.fromarray(values))
    assert write.content_of(path, 2, "raw")[0] == bytes([40, 80, 120, 160] * 3)


def test_the_planes_of_a_jpeg_are_those_that_are_stored(write: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    path = _saved(tmp_path / "x.png", Image.fromarray(noise))
    content, pixels = write.content_of(path, 32, "jpeg")
    with Image.open(io.BytesIO(content)) as stored:
        assert stored.format == "JPEG"
        assert pixels == write.planes(stored)
    assert pixels != write.content_of(path, 32, "raw")[1]


class Options:
    resize, encoding, workers = 4, "raw", 3


def test_records_are_in_order_over_batches_and_their_sum_is_exact(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(write, "BATCH", 3)
    rows = [(f"{number}.png", number % 5) for number in range(10)]
    for number, (name, _) in enumerate(rows):
        _saved(tmp_path / name, Image.new("RGB", (9, 7), (number, 0, 255)))
    (tmp_path / "lmdb").mkdir()
    total, bad = write.write_records(Options, str(tmp_path / "lmdb"), str(tmp_path), rows)
    assert bad == []
    assert total.tolist() == [2550.0] * 16 + [0.0] * 16 + [45.0] * 16
    with (
        lmdb.open(str(tmp_path / "lmdb"), readonly=True, lock=False) as database,
        database.begin() as view,
    ):
        found = list(view.cursor())
    assert [key.decode() for key, _ in found] == [f"{number:08d}_{number}.png" for number in range(10)]
    records = importlib.import_module("dataset_records")
    assert [records.read_datum(value)[5] for _, value in found] == [label for _, label in rows]
    assert capsys.readouterr().err.splitlines()[-1] == "rocestack-dataset: 10 of 10 images written"
    # One file: the hosts copy no other.
    assert [path.name for path in (tmp_path / "lmdb").iterdir()] == ["data.mdb"]


def test_images_that_are_none_are_all_found(write: Any, tmp_path: Path) -> None:
    _saved(tmp_path / "0.png", Image.new("RGB", (90, 70)), "JPEG")
    (tmp_path / "1.png").write_bytes(b"<html>")
    (tmp_path / "2.png").write_bytes((tmp_path / "0.png").read_bytes()[:-40])
    (tmp_path / "lmdb").mkdir()
    rows = [(f"{number}.png", 0) for number in range(3)]
    _, bad = write.write_records(Options, str(tmp_path / "lmdb"), str(tmp_path), rows)
    assert [one.partition(":")[0] for one in bad] == [str(tmp_path / "1.png"), str(tmp_path / "2.png")]


def test_a_disk_that_takes_no_more_is_said(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _saved(tmp_path / "0.png", Image.new("RGB", (9, 7)))
    (tmp_path / "lmdb").mkdir()
    monkeypatch.setattr(write, "MAP_BYTES", 8192)
    monkeypatch.setattr(write, "free_bytes", lambda path: 20_000)
    error = importlib.import_module("dataset_files").DatasetError
    with pytest.raises(error, match=r"lmdb cannot be written: .*MDB_MAP_FULL.*; 0\.0 MB are free there"):
        write.write_records(Options, str(tmp_path / "lmdb"), str(tmp_path), [("0.png", 0)])


def test_a_training_set_without_its_mean_is_made_again(write: Any, tmp_path: Path) -> None:
    """Work that was begun before the mean came with the records."""
    (tmp_path / "train").mkdir()
    _saved(tmp_path / "train/0.png", Image.new("RGB", (9, 7)))
    write.write_set(Options, "train", [("0.png", 0)], str(tmp_path))
    before = (tmp_path / "train_lmdb/data.mdb").stat().st_ino
    write.write_set(Options, "train", [("0.png", 0)], str(tmp_path))
    assert (tmp_path / "train_lmdb/data.mdb").stat().st_ino == before
    (tmp_path / "mean.binaryproto").unlink()
    write.write_set(Options, "train", [("0.png", 0)], str(tmp_path))
    assert (tmp_path / "mean.binaryproto").exists()
