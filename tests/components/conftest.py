"""Component tests run from the checkout's root, as the engine runs the program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components.harness import ROOT


@pytest.fixture(scope="session", autouse=True)
def _in_the_checkout() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(autouse=True)
def _report_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCESTACK_REPORT", str(tmp_path / "drift.json"))
