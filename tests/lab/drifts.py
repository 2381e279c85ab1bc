"""The table of changes by hand (drifts.yaml): made on any node, and what a preview then has to say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.lab.conftest import ROOT, LabCluster

HEAD, NODE, SWITCH = "clx-mld-41", "clx-mld-42", "swx-mld-1-2"
ROWS: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("drifts.yaml").read_text())
_DATA_ADDRESS = {HEAD: "31.31.31.41", NODE: "31.31.31.42"}


def make(lab: LabCluster, node: str, row: Mapping[str, str]) -> None:
    """Change by hand what a row of the table says; the rows are written for the second node, or the head."""
    words = row["break"]
    if "host" not in row:
        words = words.replace(_DATA_ADDRESS[NODE], _DATA_ADDRESS[node])
    lab.on(node, "bash", "-euc", words)


def is_told(row: Mapping[str, str], note: str) -> bool:
    """Return whether the line of a step's stdin says what the row found."""
    if row["found"] == "other":
        return re.match(r"found [0-9a-f]{64}, wanted [0-9a-f]{64} ", note) is not None
    return note.startswith(f"found {row['found']}, wanted ")


def preview(lab: LabCluster) -> tuple[int, Mapping[str, Any]]:
    """Return the exit code and the report of a preview for machines."""
    done = lab.run("python", "-m", "facts.preview", "lab", check=False)
    report: dict[str, Any] = json.loads((ROOT / ".engine" / "drift" / "lab.json").read_text())
    assert report["run"] == "preview", done.stdout + done.stderr
    return done.returncode, report


def findings(report: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return what differs as (machine, fact), also what waits for a reboot."""
    return {
        (one["name"], fact)
        for one in report["machines"]
        for kind in ("drift", "pending_reboot")
        for fact in one[kind]
    }


def foreign(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is foreign, by machine."""
    return {one["name"]: one["foreign"] for one in report["machines"] if one["foreign"]}
