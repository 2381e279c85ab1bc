"""The section `image`: what the flavour from sources needs beside the hosts' RDMA stack."""

from __future__ import annotations

from typing import Any

import pytest

from settings.image import Image
from settings.image_rules import IMAGE_RULES
from settings.models import Host, Lab
from settings.ofed import Ofed

_ARCHIVE = {"source": "/share/MLNX_OFED.tgz", "sha256": "a" * 64}
_VENDORS = Ofed.model_validate({"flavour": "mlnx_ofed", "version": "4.2-1.2.0.0"})
_LAB = Lab.model_validate({"management_subnet": "10.1.0.0/24", "cable_subnet": "10.2.0.0/16"})


def _problems(image: dict[str, Any], ofed: Ofed, lab: Lab | None = None) -> list[str]:
    (_, rule), _ = IMAGE_RULES
    return [str(problem.path) for problem in rule(Image.model_validate(image), ofed, lab)]


@pytest.mark.parametrize(
    ("image", "ofed", "lab", "wrong"),
    [
        ({"flavour": "source"}, _VENDORS, None, ["image.ofed"]),
        ({"flavour": "source", "ofed": _ARCHIVE}, _VENDORS, None, []),
        ({"flavour": "source"}, _VENDORS, _LAB, []),
        ({"flavour": "source"}, Ofed(), None, []),
        ({"flavour": "debian"}, _VENDORS, None, []),
        ({"flavour": "debian", "ofed": _ARCHIVE}, _VENDORS, None, ["image.ofed"]),
        (
            {"base": "debian:12", "base_digest": "sha256:" + "1" * 64, "caffe2": {}},
            Ofed(),
            None,
            ["image.base", "image.base_digest", "image.caffe2"],
        ),
    ],
)
def test_each_flavour_has_what_it_needs_and_nothing_else(
    image: dict[str, Any], ofed: Ofed, lab: Lab | None, wrong: list[str]
) -> None:
    assert _problems(image, ofed, lab) == wrong


def test_the_base_is_pulled_by_its_digest_where_there_is_one() -> None:
    image = Image.model_validate({"flavour": "source", "base": "mirror/cuda:9.2"})
    assert image.base_reference == "mirror/cuda:9.2"
    pinned = image.model_copy(update={"base_digest": "sha256:" + "1" * 64})
    assert pinned.base_reference == "mirror/cuda@sha256:" + "1" * 64


_HOSTS = tuple(
    Host.model_validate(
        {
            "name": f"clx-mld-{number}",
            "data_address": f"31.31.31.{number}",
            "container_subnet": f"172.30.{number}.0/24",
            "switch_port": f"1/{number}",
        }
    )
    for number in (1, 2)
)


@pytest.mark.parametrize("builder", [None, "operator", "clx-mld-1", "clx-mld-2"])
def test_the_operators_machine_or_a_host_of_the_stack_builds(builder: str | None) -> None:
    _, (_, rule) = IMAGE_RULES
    image = Image() if builder is None else Image.model_validate({"builder": builder})
    assert list(rule(image, _HOSTS)) == []


def test_another_builder_is_one_clear_error() -> None:
    _, (_, rule) = IMAGE_RULES
    (problem,) = rule(Image.model_validate({"builder": "clx-mld-3"}), _HOSTS)
    assert (problem.path, problem.value) == ("image.builder", "clx-mld-3")
    assert problem.message == ("is none of the stack's hosts; allowed are operator, clx-mld-1, clx-mld-2")


@pytest.mark.parametrize("builder", ["operator", "clx-mld-1"])
def test_where_every_host_builds_a_builder_is_an_error(builder: str) -> None:
    _, (_, rule) = IMAGE_RULES
    image = {"distribution": "build-everywhere"}
    assert list(rule(Image.model_validate(image), _HOSTS)) == []
    (problem,) = rule(Image.model_validate({**image, "builder": builder}), _HOSTS)
    assert (problem.path, problem.value) == ("image.builder", builder)
    assert "every host builds; leave it out" in problem.message
