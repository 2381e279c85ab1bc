"""Every step of the guide has a step of ours that is there and is observed, or a reason why not."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from components.observation import HOST_STEPS
from components.rendering import TEMPLATES, render
from settings import flat, guide
from settings.guide import Area, Chapter, Step
from settings.loader import load_file
from tests.components.harness import ROOT, Program, World, lab_stack

COVERAGE = guide.load()
STEPS = [
    pytest.param(chapter, step, id=f"{chapter.area}: {step.what}")
    for chapter in COVERAGE.chapters
    for step in chapter.steps
]
# What closes the rows that host steps cannot: the switch's and the training's parts.
CLOSED_BY = {Area.HOST: set(), Area.SWITCH: {4}, Area.IMAGE: {6}, Area.TRAINING: {6}}
# Steps of this part that are still being written; empty when it ends.
PENDING: set[str] = set()


@pytest.fixture(scope="module")
def declared() -> list[Program]:
    """Return the programs of the reference stack and of the lab, declared."""
    stack = load_file(ROOT / "Pulumi.roce100g.yaml")
    registry = stack.registry.model_copy(update={"ca_file": str(ROOT / "Pulumi.yaml")})
    reference = stack.model_copy(update={"registry": registry})
    return [Program(World(reference)), Program(World(lab_stack()))]


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "guide-coverage.md").read_text(encoding="utf-8")
    assert page == guide.render(COVERAGE), "run: python -m settings.guide > docs/guide-coverage.md"


def test_every_chapter_is_there() -> None:
    titles = [chapter.title for chapter in COVERAGE.chapters]
    assert len(titles) == 11
    assert (titles[0], titles[-1]) == (
        "Setup overview, network configuration",
        "Appendix A - Prepare LMDB format Dataset",
    )
    assert len(STEPS) >= 90
    assert len(COVERAGE.corrections) >= 15


@pytest.mark.parametrize(("chapter", "step"), STEPS)
def test_a_step_is_done_or_open_or_has_a_reason(chapter: Chapter, step: Step) -> None:
    assert [bool(step.by), step.open is not None, step.never is not None].count(True) == 1
    if step.open is not None:
        assert step.open in CLOSED_BY[chapter.area]
    if chapter.area is Area.HOST and step.by:
        assert step.facts


@pytest.mark.parametrize(("chapter", "step"), STEPS)
def test_what_does_it_is_there(declared: list[Program], chapter: Chapter, step: Step) -> None:
    for one in step.by:
        if "/" in one:
            assert (ROOT / one).is_file()
        elif one in HOST_STEPS:
            template = f"{one.replace('.', '/')}"
            for kind in ("apply", "remove", "probe"):
                assert (TEMPLATES / f"{template}.{kind}.sh.j2").is_file()
            assert any(_stdins(program, one) for program in declared)
        elif one.startswith("training_job."):
            resource = {"training_job.shards": "caffe2-shard-0", "training_job.redis": "redis"}[one]
            assert f"clx-mld-41/{resource}" in declared[0].by_name
        elif one not in PENDING:
            assert any(f"operator/{one}" in program.by_name for program in declared), one


@pytest.mark.parametrize(("chapter", "step"), STEPS)
def test_what_observes_it_is_there(declared: list[Program], chapter: Chapter, step: Step) -> None:
    for fact in step.facts:
        if fact == "containers":
            assert (TEMPLATES / "facts" / "containers.sh.j2").is_file()
            continue
        name, _, key = fact.rpartition(".")
        if fact in PENDING or name in PENDING:
            continue
        told = chain.from_iterable(_stdins(program, name) for program in declared)
        assert any(key in lines for lines in told), f"no step is told {fact}"
        if name in HOST_STEPS:
            probe = render(f"{name.replace('.', '/')}.probe.sh.j2")
            assert re.search(rf"\b{key}\b", probe), f"no probe says {fact}"


def _stdins(program: Program, name: str) -> list[dict[str, str]]:
    """Return what the step `name` is told, on each machine that has it."""
    return [
        dict(flat.parse(str(one.inputs["stdin"])))
        for one in program.by_name.values()
        if one.name.partition("/")[2] == name
    ]
