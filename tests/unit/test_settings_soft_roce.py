"""The settings of RDMA in software: each wrong one is one clear error, and its right twin passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.loader import SettingsError, parse

STACK = "Pulumi.lab.yaml"
ISO = {"source": "/share/MLNX_OFED.iso", "sha256": "a" * 64}
SOFT: dict[str, dict[str, Any]] = {
    "ofed": {"soft_roce": True, "flavour": "inbox", "sysfs_root": "/sys"},
    "validation": {"pairs": "none"},
    "training": {"transport": "ibverbs", "shards_per_host": 1, "epoch_size": 64, "test_epoch_size": 64},
}
# section, the value that is wrong with soft RoCE, what is said
WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "ofed",
        {"flavour": "mlnx_ofed", "version": "4.2", "iso": ISO},
        "is the kernel's own device in place of a card; allowed with ofed.flavour inbox, not mlnx_ofed",
    ),
    ("ofed", {"sysfs_root": "/run/lab-sysfs"}, "allowed with ofed.soft_roce: /sys"),
    ("validation", {"pairs": "ring"}, "validation.pairs = 'ring': would measure the processors"),
    ("training", {"shards_per_host": 2}, "training.shards_per_host = 2: would keep packets off the wire"),
]


def _sections(**changes: dict[str, Any]) -> dict[str, Any]:
    path = Path(__file__).parents[2] / STACK
    config = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    sections = {key.partition(":")[2]: value for key, value in config.items() if ":" in key}
    for name, values in SOFT.items():
        before = {} if name == "ofed" else sections.get(name, {})
        sections[name] = {**before, **values, **changes.get(name, {})}
    return sections


def test_what_fits_is_no_problem() -> None:
    assert parse(_sections(), STACK).ofed.soft_roce


@pytest.mark.parametrize(("section", "values", "said"), WRONG)
def test_what_does_not_fit_is_named(section: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(_sections(**{section: values}), STACK)
    assert said in str(caught.value)


@pytest.mark.parametrize(("section", "values", "said"), WRONG)
def test_with_a_card_all_of_it_is_allowed(section: str, values: dict[str, Any], said: str) -> None:
    sections = _sections(**{section: values})
    sections["ofed"]["soft_roce"] = False
    assert not parse(sections, STACK).ofed.soft_roce


def test_two_shards_of_a_host_may_meet_over_tcp() -> None:
    changes = {"transport": "tcp", "shards_per_host": 2}
    assert parse(_sections(training=changes), STACK).training.shards_per_host == 2
