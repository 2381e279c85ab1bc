"""The image's and the data's scripts: each has its twin, renders, and reads only settings that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.rendering import render

TEMPLATES = Path(__file__).parents[2] / "templates"
STEPS = [
    *(f"caffe2_image/{name}" for name in ("base", "build", "push", "pull")),
    "training_job/dataset",
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("what", ["apply", "remove"])
def test_a_step_renders_without_values(step: str, what: str) -> None:
    script = render(f"{step}.{what}.sh.j2")
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script
    assert not re.search(r"{%|%}|{#", script)


@pytest.mark.parametrize("step", STEPS)
def test_the_needed_settings_are_documented(step: str) -> None:
    text = (TEMPLATES / f"{step}.apply.sh.j2").read_text(encoding="utf-8")
    head = text.split("set -euo", maxsplit=1)[0]
    needed = re.search(r"^need (.+)$", text, re.MULTILINE)
    assert needed is not None
    for key in needed[1].split():
        assert re.search(rf"\b{key}\b", head), key


def test_the_build_takes_every_file_of_its_context() -> None:
    text = (TEMPLATES / "caffe2_image/build.apply.sh.j2").read_text(encoding="utf-8")
    copied = re.search(r'context_dir\]}"/\{([^}]+)\}', text)
    assert copied is not None
    context = TEMPLATES / "caffe2_image/debian"
    assert set(copied[1].split(",")) == {path.name for path in context.iterdir() if path.is_file()}


def test_the_image_copies_only_what_the_build_brings() -> None:
    dockerfile = (TEMPLATES / "caffe2_image/debian/Dockerfile").read_text(encoding="utf-8")
    sources = re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE)
    brought = {
        "dpkg-excludes",
        "redis_store.cc",
        "make_dataset.py",
        "check_image.py",
        "shard.sh",
        "photographs/",
    }
    assert set(sources) == brought
