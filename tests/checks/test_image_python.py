"""What runs under an image's own Python keeps to what both 2.7 (source) and 3.5 and later (debian) know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "templates/caffe2_image"
FILES = [*sorted((IMAGE / "dataset").glob("*.py")), IMAGE / "check_dataset.py", IMAGE / "check_image.py"]


def _vermin(path: Path) -> subprocess.CompletedProcess[str]:
    """Look at one file. multiprocessing.pool is in 2.7 too, where its documentation left it out."""
    command = [str(Path(sys.executable).parent / "vermin"), "--target=2.7-", "--target=3.5-", "--violations"]
    return subprocess.run(
        [*command, "--no-tips", "--exclude", "multiprocessing.pool", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_both_pythons_know_it(path: Path) -> None:
    done = _vermin(path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "text", ['print(f"{1}")', "import pathlib", "open('x', encoding='utf-8')", "print 1"]
)
def test_what_one_of_them_does_not_know_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.py").write_text(text + "\n")
    assert _vermin(tmp_path / "x.py").returncode == 1


def test_all_of_the_images_own_programs_are_looked_at() -> None:
    assert len(FILES) >= 7
