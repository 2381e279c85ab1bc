"""Measures what the orchestration costs a training: images/s of the job beside the trainer started by hand.

    . ./activate lab; python -m bench.training [--shards 1 2 4] [--rounds 2]

It works on the lab, which it brings up and leaves there; the real `pulumi up` starts each job as another run,
of the lab's own epochs with less to validate. Job and hand take turns at going first.
It prints a table, writes bench/results/training.md, and fails if a job is 2 % slower than by hand or more.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench import opening
from components.trainer_flags import WORK_PATH
from training import curves
from training.log import parse_iteration

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "training.md"
LIMIT_PERCENT = 2.0
TITLE = "# Training: the job beside the same trainer by hand"
TRAINER = "/caffe2/caffe2/python/examples/resnet50_trainer.py"
# The lab's own epochs, for the rates of shorter runs differ by more than the limit from each other.
# Validation is no part of the rate, so there is little of it.
SHORTER = {"test_epoch_size": 64}
_UP_S, _HAND_S = 1800, 900


@dataclass(frozen=True)
class Run:
    """One round: images/s of all shards by the job and by hand, and seconds from `up` to the first step."""

    job: float
    hand: float
    first_step: float


@dataclass(frozen=True)
class Row:
    """One number of shards: the medians of its rounds, and the least start of all."""

    shards: int
    hosts: int
    run: Run

    @property
    def cost_percent(self) -> float:
        """What the job is slower than by hand, in percent of by hand; below 0 it was faster."""
        return 100 * (1 - self.run.job / self.run.hand)


def layout(shards: int) -> tuple[int, int]:
    """Return the hosts and the shards on each. Raises ValueError for what two hosts cannot have."""
    if shards == 1:
        return 1, 1
    if shards % 2 or not 2 <= shards <= 8:
        raise ValueError(f"the lab has two hosts: 1, 2, 4, 6 or 8 shards, not {shards}")
    return 2, shards // 2


def stack_file(document: dict[str, Any], shards: int, run: str) -> dict[str, Any]:
    """Return the lab's stack file with that many shards, that run's name and fewer epochs."""
    hosts, each = layout(shards)
    config = dict(document["config"])
    config["rocestack:hosts"] = config["rocestack:hosts"][:hosts]
    config["rocestack:training"] = config["rocestack:training"] | {
        "run": run,
        "shards_per_host": each,
        **SHORTER,
    }
    return document | {"config": config}


def images_per_second(outputs: Sequence[Sequence[str]]) -> float:
    """Return the sum over shards of all their images by the time in their steps (as training/log.py has it).

    Raises ValueError for a shard without a step.
    """
    total = 0.0
    for lines in outputs:
        rates = [step.rate for line in lines if (step := parse_iteration(line)) is not None]
        if not rates:
            raise ValueError("a shard started by hand shows no training step")
        total += statistics.harmonic_mean(rates)
    return total


def _run(command: Sequence[str], seconds: float) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def _containers(shards: int) -> list[tuple[str, str]]:
    """Return each shard's lab node and container."""
    hosts, each = layout(shards)
    names = [one["name"] for one in _document()["config"]["rocestack:hosts"][:hosts]]
    return [
        (name, f"caffe2-shard-{place * each + at}") for place, name in enumerate(names) for at in range(each)
    ]


def _document() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def _by_job(shards: int, run: str) -> tuple[float, float]:
    """Run the job; return its images/s, and the seconds from the start of `up` to the first step of all."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "Pulumi.lab.yaml"
        file.write_text(yaml.safe_dump(stack_file(_document(), shards, run)), encoding="utf-8")
        start = time.time()
        up = ("pulumi", "up", "--stack", "lab", "--yes", "--skip-preview", "--config-file", str(file))
        _run(up, _UP_S)
    training = json.loads(_run(("pulumi", "stack", "output", "--json", "--stack", "lab"), 60))["training"]
    steps = []
    for node, container in _containers(shards):
        logs = ("docker", "exec", node, "sh", "-c", f"docker logs --timestamps {container} 2>&1")
        steps.append(curves.read(0, _run(logs, 60).splitlines()).rate[0][0])
    return float(training["images_per_second"]), min(steps) - start


def _by_hand(shards: int, run: str) -> float:
    """Run the trainer with the job's own image and flags, and nothing of ours around it; return images/s."""
    started = []
    for node, container in _containers(shards):
        made = json.loads(_run(("docker", "exec", node, "docker", "inspect", container), 60))[0]
        flags = [str(one) for one in made["Config"]["Cmd"]][1:]
        flags[flags.index("--run_id") + 1] = run
        data = flags[flags.index("--train_data") + 1].rsplit("/", 1)[0]
        command = ["docker", "exec", node, "docker", "run", "--rm", "--network", "host"]
        command += ["--volume", f"{data}:{data}:ro", "--volume", WORK_PATH, "--workdir", WORK_PATH]
        command += [made["Image"], "python", TRAINER, *flags]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    outputs = [one.communicate(timeout=_HAND_S)[0].splitlines() for one in started]
    failed = [lines[-5:] for one, lines in zip(started, outputs, strict=True) if one.returncode != 0]
    if failed:
        raise RuntimeError(f"a shard started by hand failed: {failed}")
    return images_per_second(outputs)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table; the efficiency is against as many times one shard, if that ran."""
    one = next((row.run.job for row in rows if row.shards == 1), None)
    lines = [
        "| shards | hosts | job | by hand | cost of the job | scaling | from `up` to the first step |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in sorted(rows, key=lambda row: row.shards):
        scaling = "-" if one is None else f"{100 * row.run.job / (one * row.shards):.0f} %"
        lines.append(
            f"| {row.shards} | {row.hosts} | {row.run.job:.1f} images/s | {row.run.hand:.1f} images/s | "
            f"{row.cost_percent:+.1f} % | {scaling} | {row.run.first_step:.1f} s |"
        )
    return "\n".join(lines)


def _round(shards: int, *, hand_first: bool) -> Run:
    """Return one round; `hand_first` needs the containers of an earlier one, whose flags it takes."""
    name = f"bench-{int(time.time())}"
    hand = _by_hand(shards, f"hand-{name}") if hand_first else None
    job, first_step = _by_job(shards, name)
    return Run(job, hand if hand is not None else _by_hand(shards, f"hand-{name}"), first_step)


def _median(runs: Sequence[Run]) -> Run:
    # The first round of a number of shards also brings hosts up or takes them down, so the least counts.
    return Run(
        job=statistics.median(run.job for run in runs),
        hand=statistics.median(run.hand for run in runs),
        first_step=min(run.first_step for run in runs),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; return 1 if a job costs too much."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.training", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    if not opening.has_engine():
        return opening.USAGE
    facts = opening.machine("cores for all shards together", options.rounds)
    rows: list[Row] = []
    worst = 0.0
    for shards in options.shards:
        runs = [_round(shards, hand_first=bool(number % 2)) for number in range(options.rounds)]
        rows.append(Row(shards, layout(shards)[0], _median(runs)))
        worst = max(row.cost_percent for row in rows)
        verdict = f"At most {worst:.1f} % slower than by hand (wanted: less than {LIMIT_PERCENT:g} %)."
        text = f"{TITLE}\n\n{facts}\n\n{table(rows)}\n\n{verdict}\n"
        # After each number of shards: a run that is cut off leaves what it has.
        RESULT.write_text(text)
        sys.stdout.write(text)
        sys.stdout.flush()
    return 0 if worst < LIMIT_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
