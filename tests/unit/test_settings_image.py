"""The section `image`: what the flavour from sources needs beside the hosts' RDMA stack."""

from __future__ import annotations

from typing import Any

import pytest

from settings.image import Image
from settings.image_rules import IMAGE_RULES
from settings.models import Lab
from settings.ofed import Ofed

_ARCHIVE = {"source": "/share/MLNX_OFED.tgz", "sha256": "a" * 64}
_VENDORS = Ofed.model_validate({"flavour": "mlnx_ofed", "version": "4.2-1.2.0.0"})
_LAB = Lab.model_validate({"management_subnet": "10.1.0.0/24", "cable_subnet": "10.2.0.0/16"})


def _problems(image: dict[str, Any], ofed: Ofed, lab: Lab | None = None) -> list[str]:
    ((_, rule),) = IMAGE_RULES
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
