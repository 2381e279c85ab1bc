"""The training bench: the stack file of each number of shards, its figures and its table."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bench.training import Row, Run, images_per_second, layout, stack_file, table
from settings.loader import parse

ROOT = Path(__file__).parents[2]
STEP = "INFO:x:Finished iteration {}/2 of epoch 0 ({:.2f} images/sec)"


@pytest.mark.parametrize(("shards", "hosts", "each"), [(1, 1, 1), (2, 2, 1), (4, 2, 2)])
def test_only_hosts_shards_and_run_differ(shards: int, hosts: int, each: int) -> None:
    document = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())
    made = stack_file(document, shards, "bench-1")
    sections = {name.partition(":")[2]: value for name, value in made["config"].items()}
    stack = parse(sections, "made")
    assert (len(stack.hosts), stack.training.shards_per_host) == (hosts, each) == layout(shards)
    assert len(stack.shards) == shards
    assert stack.training.run == "bench-1"
    changed = {name for name, value in made["config"].items() if value != document["config"][name]}
    assert changed <= {"rocestack:hosts", "rocestack:training"}


@pytest.mark.parametrize("shards", [0, 3, 10])
def test_other_numbers_are_refused(shards: int) -> None:
    with pytest.raises(ValueError, match="two hosts"):
        layout(shards)


def test_images_per_second() -> None:
    lines = [STEP.format(1, 10), "other", STEP.format(2, 30)]
    assert images_per_second([lines, lines]) == pytest.approx(30.0)
    with pytest.raises(ValueError, match="no training step"):
        images_per_second([lines, ["other"]])


def test_table() -> None:
    rows = [Row(2, 2, Run(38.0, 40.0, 50.0)), Row(1, 1, Run(20.0, 19.0, 40.0))]
    text = table(rows)
    assert text.splitlines()[2] == "| 1 | 1 | 20.0 images/s | 19.0 images/s | -5.3 % | 100 % | 40.0 s |"
    assert text.splitlines()[3] == "| 2 | 2 | 38.0 images/s | 40.0 images/s | +5.0 % | 95 % | 50.0 s |"
    assert "| - |" in table(rows[:1])
