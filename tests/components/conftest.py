"""Component tests run from the checkout's root, as the engine runs the program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components.harness import ROOT


@pytest.fixture(scope="session", autouse=True)
def _in_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    photographs = tmp_path_factory.mktemp("photographs")
    (photographs / "brick.png").write_bytes(b"not a picture, but bytes to hash")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.image_context.PHOTOGRAPHS", str(photographs))
        patch.chdir(ROOT)
        yield


@pytest.fixture(autouse=True)
def _report_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCESTACK_REPORT", str(tmp_path / "drift.json"))
