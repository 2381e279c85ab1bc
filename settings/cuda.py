"""The oldest NVIDIA driver of each CUDA release, and the rule between the driver and the image's base."""

from __future__ import annotations

import re
from collections.abc import Iterable

from settings.gpu import Gpu
from settings.image import Image, ImageFlavour
from settings.problem import Problem

# The table of minimum drivers in NVIDIA's release notes of CUDA, for Linux x86_64. A release that is not here
# needs what the one before it needs: since CUDA 11.1 one driver is enough for all of a major version.
OLDEST_DRIVERS = {
    "8.0": "375.26",
    "9.0": "384.81",
    "9.1": "390.46",
    "9.2": "396.26",
    "10.0": "410.48",
    "10.1": "418.39",
    "10.2": "440.33",
    "11.0": "450.36.06",
    "11.1": "450.80.02",
    "12.0": "525.60.13",
    "13.0": "580.65.06",
}
# The vendor's image, also from a mirror: nvidia/cuda:9.2-cudnn7-devel-ubuntu16.04.
_BASE = re.compile(r"(?:^|/)cuda[a-z0-9._-]*:(\d{1,2}\.\d{1,2})(?![0-9])")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def cuda_release(base: str) -> str | None:
    """Return the CUDA release (``9.2``) that a base image's name tells, or None if it tells none."""
    found = _BASE.search(base)
    return found[1] if found is not None else None


def oldest_driver(cuda: str) -> str | None:
    """Return the oldest driver for a CUDA release, or None for one that is older than the table."""
    known = [release for release in OLDEST_DRIVERS if _numbers(release) <= _numbers(cuda)]
    return OLDEST_DRIVERS[max(known, key=_numbers)] if known else None


def newest_cuda(driver: str) -> str | None:
    """Return the table's newest CUDA release that a driver runs, or None if it runs none of them."""
    runs = [cuda for cuda, oldest in OLDEST_DRIVERS.items() if _numbers(oldest) <= _numbers(driver)]
    return max(runs, key=_numbers, default=None)


def _driver_runs_the_image(image: Image, gpu: Gpu) -> Iterable[Problem]:
    """The containers' CUDA meets the hosts' driver. Nothing is said where one of the two is not known."""
    cuda = cuda_release(image.base) if image.flavour is ImageFlavour.SOURCE else None
    oldest = oldest_driver(cuda) if cuda is not None else None
    if gpu.version is None or oldest is None or _numbers(gpu.version) >= _numbers(oldest):
        return
    newest = newest_cuda(gpu.version)
    yield Problem(
        "gpu.version",
        gpu.version,
        f"is too old for CUDA {cuda} of image.base {image.base}; allowed is {oldest} or later. "
        f"Change gpu.version and the driver's source, or image.base to CUDA {newest} or earlier",
    )


CUDA_RULES = ((("image", "gpu"), _driver_runs_the_image),)
