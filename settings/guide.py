"""The deployment guide, step by step, and what does each: `python -m settings.guide` prints the page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from settings.section import Section

DATA = Path(__file__).resolve().parent.parent / "docs" / "guide_coverage.yaml"
Text = Annotated[str, Field(min_length=1)]
Part = Annotated[int, Field(ge=1, le=7)]


class Area(StrEnum):
    """What a chapter of the guide is about."""

    HOST = "host"
    SWITCH = "switch"
    IMAGE = "image"
    TRAINING = "training"


class Step(Section):
    """One step of the guide in our own words.

    `by` names what does it (``component.concern`` or a file), `facts` what observes it; `open` is the part
    of the work that closes it, `never` (in the file: ``not``) the reason why nothing of ours does it.
    """

    what: Text
    by: tuple[Text, ...] = ()
    facts: tuple[Text, ...] = ()
    open: Part | None = None
    never: Annotated[str | None, Field(alias="not")] = None
    note: Text | None = None


class Chapter(Section):
    """One chapter of the guide and all its steps."""

    title: Text
    area: Area
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class Correction(Section):
    """A slip of the guide, what is done here instead, and why."""

    guide: Text
    here: Text
    why: Text


class Coverage(Section):
    """The whole guide."""

    chapters: tuple[Chapter, ...]
    corrections: tuple[Correction, ...]


def load() -> Coverage:
    """Return the data file's content. Raises ValidationError where it is not of this form."""
    return Coverage.model_validate(yaml.safe_load(DATA.read_text(encoding="utf-8")))


_HEAD = """# The deployment guide, step by step

Every step of the guide *RoCE accelerated Caffe2 with NVIDIA GPU over 100GbE on Docker containers* (version
15), in our own words and in its order: what does it here, and which fact a preview observes it by. A step
of ours is named `component.concern`; its scripts are
`templates/<component>/<concern>.{apply,remove,probe}.sh.j2`.
This page is made from `docs/guide_coverage.yaml` by `python -m settings.guide`.
"""

_CORRECTIONS = """## Where the guide was corrected

The guide contradicts itself in places, and leaves some things out.

| the guide | here | why |
|---|---|---|
"""


def render(coverage: Coverage) -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for chapter in coverage.chapters:
        lines = [f"## {chapter.title}", "", "| step | done by | observed as | note |", "|---|---|---|---|"]
        parts.append("\n".join([*lines, *(_row(step) for step in chapter.steps)]) + "\n")
    rows = "".join(f"| {one.guide} | {one.here} | {one.why} |\n" for one in coverage.corrections)
    return "\n".join([*parts, _CORRECTIONS + rows])


def _row(step: Step) -> str:
    if step.never is not None:
        return f"| {step.what} | nothing | | {step.never} |"
    if step.open is not None:
        return f"| {step.what} | open: part {step.open} | | {step.note or ''} |"
    by = ", ".join(f"`{one}`" for one in step.by)
    facts = ", ".join(f"`{one}`" for one in step.facts)
    return f"| {step.what} | {by} | {facts} | {step.note or ''} |"


if __name__ == "__main__":
    print(render(load()), end="")
