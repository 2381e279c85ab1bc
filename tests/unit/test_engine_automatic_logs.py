"""The CLI's automatic logs: a file stands where their folder would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.automatic_logs import switch_off


@pytest.mark.parametrize("before", ["nothing", "logs", "off already"])
def test_the_folder_cannot_be_made(tmp_path: Path, before: str) -> None:
    home = tmp_path / "home"
    if before == "logs":
        (home / "logs").mkdir(parents=True)
        (home / "logs" / "pulumi-20261126T111752-25817-up.log").write_bytes(b"values")
        (home / "credentials.json").write_text("{}")
    elif before == "off already":
        switch_off(home)
    switch_off(home)
    assert "docs/decisions/0024" in (home / "logs").read_text()
    with pytest.raises(OSError, match="exists"):
        (home / "logs").mkdir()
    assert (home / "credentials.json").exists() is (before == "logs")
