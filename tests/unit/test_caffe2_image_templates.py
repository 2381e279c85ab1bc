"""The image's and the data's scripts: each has its twin, renders, and reads only settings that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.image_context import image_plan
from components.rendering import render
from settings.image import Image, ImageFlavour

TEMPLATES = Path(__file__).parents[2] / "templates"
STEPS = [
    *(
        f"caffe2_image/{name}"
        for name in ("base", "build", "push", "pull", "stream", "certificate", "registry", "host_check")
    ),
    "training_job/dataset",
    "training_job/dataset_server",
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


PLANS = {flavour: image_plan(Image(flavour=flavour)) for flavour in ImageFlavour}
# Brought by the build itself: the vendor's archive, which is no file of ours.
OFED = "ofed"


def _dockerfile(flavour: ImageFlavour) -> str:
    return (TEMPLATES / f"caffe2_image/{flavour.value}/Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("flavour", ImageFlavour)
def test_the_context_is_what_the_image_copies(flavour: ImageFlavour) -> None:
    sources = re.findall(r"^COPY (?!--from)(\S+) ", _dockerfile(flavour), re.MULTILINE)
    places = {place for place in PLANS[flavour].context if place != "."}
    own = {path.name for path in (TEMPLATES / f"caffe2_image/{flavour.value}").iterdir() if path.is_file()}
    brought = places | (own - {"Dockerfile"}) | ({OFED} if flavour is ImageFlavour.SOURCE else set())
    assert {source.rstrip("/") for source in sources} == brought


@pytest.mark.parametrize("flavour", ImageFlavour)
def test_the_dockerfile_has_no_default_and_gets_every_argument(flavour: ImageFlavour) -> None:
    declared = re.findall(r"^ARG (\S+)$", _dockerfile(flavour), re.MULTILINE)
    given = {key.removeprefix("arg_") for key in PLANS[flavour].build if key.startswith("arg_")}
    assert set(declared) == given
    assert len(re.findall(r"^ARG ", _dockerfile(flavour), re.MULTILINE)) == len(declared)


@pytest.mark.parametrize("flavour", ImageFlavour)
def test_the_preload_library_is_where_it_is_documented(flavour: ImageFlavour) -> None:
    text = _dockerfile(flavour)
    assert "sh /src/preload/build.sh /src/librocestack_verbs.so\n" in text
    assert "COPY --from=build /src/librocestack_verbs.so /usr/local/lib/rocestack/\n" in text
    check = (TEMPLATES / "caffe2_image/check_image.py").read_text(encoding="utf-8")
    assert 'PRELOAD = "/usr/local/lib/rocestack/librocestack_verbs.so"' in check
    # Of all processes of a container the trainer alone gets it.
    assert "LD_PRELOAD" not in text


@pytest.mark.parametrize("flavour", ImageFlavour)
def test_apts_lists_go_in_the_layer_that_made_them(flavour: ImageFlavour) -> None:
    folder = TEMPLATES / f"caffe2_image/{flavour.value}"
    text = "\n".join(path.read_text() for path in (folder / "Dockerfile", *folder.glob("*.sh")))
    assert text.count("apt-get update") == len(re.findall(r"rm -rf /var/lib/apt/lists/\*", text))
    assert text.count("apt-get update") == text.count("apt-get clean")


def test_every_python_package_of_the_source_image_is_pinned_once() -> None:
    text = (TEMPLATES / "caffe2_image/source/requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 80
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", line)] == []
    names = [line.partition("==")[0] for line in lines]
    assert len(set(names)) == len(names)
    assert {"lmdb", "numpy", "pillow"} < set(names)
