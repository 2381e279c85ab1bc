"""The dataset's photographs come from one pinned wheel and from no other."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lab import photographs
from lab.errors import LabError
from lab.files import LabFiles
from lab.progress import Reporter


def test_eight_labels_of_one_photograph_each() -> None:
    assert sorted(name.rsplit(".", 1)[0] for name in photographs.PHOTOGRAPHS) == [
        "brick",
        "chelsea",
        "coffee",
        "coins",
        "grass",
        "gravel",
        "hubble",
        "ihc",
    ]


def _wheel(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member in photographs.PHOTOGRAPHS.values():
            archive.writestr(member, member)
    return path


def test_another_wheel_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"has the sha256 [0-9a-f]{64}, expected 41e28db0"):
        photographs.unpack(_wheel(tmp_path / "x.whl"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_photographs_that_are_there_are_not_brought_again(tmp_path: Path) -> None:
    files = LabFiles(tmp_path)
    files.photographs.mkdir(parents=True)
    for name in photographs.PHOTOGRAPHS:
        (files.photographs / name).write_text("x")
    # A download would start a process, which unit tests may not.
    assert photographs.ensure_photographs(files, Reporter("test")) is False
