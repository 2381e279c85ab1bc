"""The rules of the section `image`: what each flavour needs, and what is of no use to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from settings.image import OPERATOR, Image, ImageFlavour
from settings.models import Host, Lab
from settings.ofed import Ofed, OfedFlavour
from settings.problem import Problem
from settings.registry import Distribution

_OF_SOURCE = ("base", "base_digest", "caffe2", "ofed")


def _image_has_its_sources(image: Image, ofed: Ofed, lab: Lab | None) -> Iterable[Problem]:
    if image.flavour is ImageFlavour.DEBIAN:
        for name in _OF_SOURCE:
            if name in image.model_fields_set:
                yield Problem(f"image.{name}", "…", "is of no use with image.flavour debian; leave it out")
    elif image.ofed is None and ofed.flavour is OfedFlavour.MLNX_OFED and lab is None:
        yield Problem(
            "image.ofed",
            None,
            "is required with image.flavour source and ofed.flavour mlnx_ofed: source and sha256 of the "
            "vendor's archive (tgz), so that the containers' user space is that of the hosts",
        )


def _builder_is_a_host(image: Image, hosts: tuple[Host, ...]) -> Iterable[Problem]:
    names = [host.name for host in hosts]
    if image.builder not in (OPERATOR, *names):
        allowed = ", ".join((OPERATOR, *names))
        yield Problem("image.builder", image.builder, f"is none of the stack's hosts; allowed are {allowed}")
    elif image.distribution is Distribution.BUILD_EVERYWHERE and "builder" in image.model_fields_set:
        yield Problem(
            "image.builder",
            image.builder,
            "is of no use with image.distribution build-everywhere, where every host builds; leave it out",
        )


IMAGE_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("image", "ofed", "lab"), _image_has_its_sources),
    (("image", "hosts"), _builder_is_a_host),
)
