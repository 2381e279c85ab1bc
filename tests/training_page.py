"""A report's page of two recorded shards, for the tests that read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from settings.loader import load_file
from training.curves import Course, read
from training.page import render

ROOT = Path(__file__).parents[1]
START = datetime(2026, 11, 26, 10, 0, 0, tzinfo=UTC)


def timed(shard: int) -> list[str]:
    """A recorded shard's lines as `docker logs --timestamps` gives them, a quarter of a second apart."""
    path = ROOT / "tests" / "fixtures" / "trainer" / f"finished-{shard}" / "output.txt"
    return [
        f"{(START + timedelta(seconds=place / 4)).strftime('%Y-%m-%dT%H:%M:%S.%f')}789Z {line}"
        for place, line in enumerate(path.read_text(encoding="utf-8").splitlines())
    ]


def courses() -> list[Course]:
    """Both shards' courses."""
    return [read(shard, timed(shard)) for shard in (0, 1)]


def shard(number: int) -> dict[str, Any]:
    """One shard of the proof."""
    return {
        "accuracy": 0.729 + number / 100,
        "ended": "2026-11-26T10:01:10Z",
        "gid_index": "not there",
        "host": f"clx-mld-4{number + 1}",
        "image_id": "sha256:a",
        "images_per_second": 21.5,
        "shard": number,
        "started": "2026-11-26T10:00:00Z",
        "transport": "tcp",
        "verbs": "not there",
    }


def proof(**changed: Any) -> dict[str, Any]:
    """The proof of a run without RDMA."""
    host = {
        "gid": "not there",
        "hardware": "not there",
        "other_priorities_percent": "not there",
        "priority_3": "not there",
        "versions": {"kernel": "6.1.0", "docker": "20.10.24"},
    }
    measured = {"sender": "clx-mld-41", "receiver": "clx-mld-42", "tool": "iperf3", "gbits": 9.87}
    return {
        "accuracy": 0.734,
        "bandwidth": [measured | {"percent": None, "verdict": "none: tcp, not RDMA"}],
        "dataset": {"name": "photographs"},
        "dscp": "not there",
        "ended": "2026-11-26T10:01:10Z",
        "hosts": {"clx-mld-41": host, "clx-mld-42": host},
        "image": {"digest": "sha256:b", "checks": {"cuda": "none"}},
        "images_per_second": 43.04,
        "interface": "enp1f0",
        "problems": [],
        "rdma": "tcp, not RDMA",
        "run": "1",
        "run_id": "72e5623ecbb8",
        "shards": [shard(0), shard(1)],
        "started": "2026-11-26T10:00:00Z",
        "transport": "tcp",
    } | changed


def page(
    missing: tuple[str, ...] = (),
    given: list[Course] | None = None,
    standins: tuple[str, ...] = (),
    **changed: Any,
) -> str:
    """The page, with what is changed in the proof."""
    sent = [{"shard": number, "bytes_sent": 2_470_000_000} for number in (0, 1)]
    outputs = {"proof": proof(**changed), "job": "ResNet-18 on photographs", "training": {"shards": sent}}
    outputs |= {"standins": list(standins)}
    stack = load_file(ROOT / "Pulumi.lab.yaml")
    return render("lab", stack, outputs, courses() if given is None else given, missing)
