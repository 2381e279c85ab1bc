"""The preview for machines, with the real CLI: its exit codes and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from settings import flat
from tests.metal.conftest import Cli
from tests.metal.test_preview import STACK, config_file

__all__ = ["config_file"]  # the fixture

HOST = "clx-mld-45"
STEP = "ofed_stack.qos"
TYPE = "command:remote:Command"


class Drift:
    """`python -m facts.preview` on the reference stack; nothing answers at any of its addresses."""

    def __init__(self, cli: Cli, config: Path, folder: Path) -> None:
        self.cli = cli
        self.config = config
        self.folder = folder
        self.said = ""

    def run(self) -> int:
        files = ("--json", str(self.folder / "report.json"), "--textfile", str(self.folder / "x.prom"))
        status, self.said = self.cli.drift(STACK, *files, "--config-file", str(self.config))
        assert "Traceback" not in self.said
        return status

    @property
    def report(self) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return found

    @property
    def metrics(self) -> str:
        return (self.folder / "x.prom").read_text()

    def record(self, stdin: str) -> None:
        """Let the stack remember one step on one host."""
        urn = f"urn:pulumi:{STACK}::rocestack::{TYPE}::{HOST}/{STEP}"
        step = {"urn": urn, "type": TYPE, "custom": True, "id": "x", "inputs": {"stdin": stdin}}
        path = self.folder / "state.json"
        path.write_text(json.dumps({"version": 3, "deployment": {"resources": [step]}}))
        status, said = self.cli.run("stack", "import", "--stack", STACK, "--file", str(path))
        assert status == 0, said


@pytest.mark.smoke
def test_exit_codes_and_files(cli: Cli, config_file: Path, tmp_path: Path) -> None:
    drift = Drift(cli, config_file, tmp_path)
    assert drift.run() == 1, drift.said
    assert "`pulumi preview` ended with status" in drift.said
    assert f'rocestack_preview_ok{{stack="{STACK}"}} 0' in drift.metrics

    status, said = cli.run("stack", "init", STACK)
    assert status == 0, said
    assert drift.run() == 10, drift.said
    assert "drift: nothing could be observed; clx-mld-41 unreachable (" in drift.said
    assert drift.report["changes"] is True

    drift.record(flat.render({"generation": "1", "pfc": "0,0,0,1,0,0,0,0"}))
    assert drift.run() == 10, drift.said
    assert "no drift was seen, but not all is known to be in sync: clx-mld-41, " in drift.said
    assert f"{HOST} is unreachable (" in drift.said
    assert "its settings are kept as recorded" in drift.said
    assert f'rocestack_reachable{{stack="{STACK}",host="{HOST}"}} 0' in drift.metrics
    assert "rocestack_drift{" not in drift.metrics
    since = next(one["since"] for one in drift.report["machines"] if one["name"] == HOST)
    assert drift.run() == 10
    assert since == next(one["since"] for one in drift.report["machines"] if one["name"] == HOST)
    assert " for " in drift.report["summary"]

    drift.record("not of our making")
    assert drift.run() == 1, drift.said
    assert f"The checkpoint's record of {HOST}/{STEP} cannot be read (line 1 is not a setting" in drift.said
    assert drift.report["machines"] == []
