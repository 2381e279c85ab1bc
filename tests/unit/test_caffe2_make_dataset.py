"""The dataset's cutting: training and validation share no pixel, and every host cuts the same."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "templates/caffe2_image/debian/make_dataset.py"


class FakePhoto:
    """A photograph that answers a crop with its box."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.filename = width, height, "photo.png"

    def convert(self, mode: str) -> FakePhoto:
        assert mode == "RGB"
        return self

    def crop(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        return box


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module; the image's libraries are not needed for its pure functions."""
    for name, module in {"lmdb": SimpleNamespace(), "PIL": SimpleNamespace(Image=None)}.items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("make_dataset", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(module)
    return module


def _boxes(script: Any, half: str, size: tuple[int, int], seed: str = "s") -> list[tuple[int, int, int, int]]:
    return list(script.cut(FakePhoto(*size), half, 50, seed))


# Coins is the narrowest photograph, chelsea the lowest with an odd width.
@pytest.mark.parametrize("size", [(384, 303), (451, 300), (1000, 872)])
def test_halves_share_no_pixel(script: ModuleType, size: tuple[int, int]) -> None:
    left, right = _boxes(script, "left", size), _boxes(script, "right", size)
    assert max(box[2] for box in left) <= size[0] // 2 <= min(box[0] for box in right)
    for x0, y0, x1, y1 in left + right:
        assert x0 >= 0
        assert x1 <= size[0]
        assert y0 >= 0
        assert y1 <= size[1]
        assert (x1 - x0, y1 - y0) == (script.PATCH_PIXELS, script.PATCH_PIXELS)


def test_same_seed_same_patches(script: ModuleType) -> None:
    assert _boxes(script, "left", (600, 400)) == _boxes(script, "left", (600, 400))
    assert _boxes(script, "left", (600, 400)) != _boxes(script, "left", (600, 400), "t")


def test_a_photograph_too_small_is_refused(script: ModuleType) -> None:
    with pytest.raises(script.DatasetError, match=r"a half of photo\.png is smaller than"):
        _boxes(script, "left", (200, 400))
