"""The check of the image's data tool: the tool itself, and a stand-in for Caffe2 that reads its LMDBs."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

TEMPLATES = Path(__file__).parents[2] / "templates/caffe2_image"


def _fields(record: bytes) -> dict[int, Any]:
    """Return a Datum's fields by number; written apart from the tool's own reader."""
    fields: dict[int, Any] = {}
    rest = io.BytesIO(record)

    def number() -> int:
        value = shift = 0
        while True:
            (byte,) = rest.read(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while rest.tell() < len(record):
        tag = number()
        fields[tag >> 3] = rest.read(number()) if tag & 7 == 2 else number()
    return fields


class Caffe2:
    """CreateDB and ImageInput as Caffe2 has them; `planes` is the order in which it takes a raw record's."""

    def __init__(self, planes: tuple[int, ...] = (0, 1, 2)) -> None:
        self.planes, self.database, self.blobs = planes, "", dict[str, Any]()

    @staticmethod
    def operator(
        kind: str, inputs: list[str], outputs: list[str], **values: Any
    ) -> tuple[str, dict[str, Any]]:
        return kind, values

    def run(self, operator: tuple[str, dict[str, Any]]) -> None:
        kind, values = operator
        if kind == "CreateDB":
            assert values["db_type"] == "lmdb"
            self.database = values["db"]
            return
        with lmdb.open(self.database, readonly=True, lock=False) as database, database.begin() as view:
            records = [_fields(value) for _, value in view.cursor()][: values["batch_size"]]
        # On a CPU the operator gives the colours last, and the trainer turns them.
        pictures = np.stack([self.picture(one).transpose(1, 2, 0) for one in records]).astype(np.float32)
        self.blobs = {
            "data": (pictures - values["mean"]) / values["std"],
            "label": np.array([one[5] for one in records]),
        }

    def picture(self, fields: dict[int, Any]) -> Any:
        if fields.get(7):
            with Image.open(io.BytesIO(fields[4])) as image:
                return np.asarray(image).transpose(2, 0, 1)[::-1]
        shape = tuple(fields[one] for one in (1, 2, 3))
        return np.frombuffer(fields[4], np.uint8).reshape(shape)[list(self.planes)]


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """The tool under its name in the image."""
    path = tmp_path / "rocestack-dataset"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -B {TEMPLATES}/dataset/make_dataset.py "$@"\n')
    path.chmod(0o755)
    return path


def _check(monkeypatch: pytest.MonkeyPatch, caffe2: Caffe2) -> ModuleType:
    core = SimpleNamespace(CreateOperator=caffe2.operator)
    workspace = SimpleNamespace(
        ResetWorkspace=lambda: None, RunOperatorOnce=caffe2.run, FetchBlob=lambda name: caffe2.blobs[name]
    )
    monkeypatch.setitem(sys.modules, "caffe2", ModuleType("caffe2"))
    monkeypatch.setitem(sys.modules, "caffe2.python", SimpleNamespace(core=core, workspace=workspace))
    spec = importlib.util.spec_from_file_location("check_dataset", TEMPLATES / "check_dataset.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_data_that_is_read_as_it_was_made_is_right(
    monkeypatch: pytest.MonkeyPatch, tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert _check(monkeypatch, Caffe2()).main(str(tool)) == 0
    assert capsys.readouterr().out == ""
    assert [path.name for path in tmp_path.iterdir()] == [tool.name]


def test_planes_in_another_order_are_a_fault(
    monkeypatch: pytest.MonkeyPatch, tool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _check(monkeypatch, Caffe2(planes=(2, 1, 0))).main(str(tool)) == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["raw data of train", "raw data of val"]
    assert "Caffe2 reads" in said[0]


def test_labels_that_are_others_are_a_fault(
    monkeypatch: pytest.MonkeyPatch, tool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    caffe2 = Caffe2()
    check = _check(monkeypatch, caffe2)

    def shifted(operator: tuple[str, dict[str, Any]]) -> None:
        caffe2.run(operator)
        if "label" in caffe2.blobs:
            caffe2.blobs["label"] = caffe2.blobs["label"] * 0

    check.workspace.RunOperatorOnce = shifted
    assert check.main(str(tool)) == 1
    assert "jpeg data of val: Caffe2 reads the labels [0, 0, 0]" in capsys.readouterr().out


def test_a_tool_that_fails_is_told_with_its_own_words(monkeypatch: pytest.MonkeyPatch, tool: Path) -> None:
    tool.write_text("#!/bin/sh\necho 'No module named lmdb' >&2\nexit 1\n")
    with pytest.raises(SystemExit, match="rocestack-dataset make ended with 1: No module named lmdb"):
        _check(monkeypatch, Caffe2()).main(str(tool))
