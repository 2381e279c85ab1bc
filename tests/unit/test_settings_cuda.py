"""The driver that a CUDA base asks for: the table, what a name tells, and the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.cuda import CUDA_RULES, OLDEST_DRIVERS, cuda_release, newest_cuda, oldest_driver
from settings.gpu import Gpu
from settings.image import Image
from settings.loader import SettingsError, parse

ROOT = Path(__file__).parents[2]
_PACKAGE = {"source": "/share/driver.deb", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("base", "release"),
    [
        ("nvidia/cuda:9.2-cudnn7-devel-ubuntu16.04", "9.2"),
        ("nvidia/cuda:10.2", "10.2"),
        ("mirror.example/nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04", "12.4"),
        ("nvidia/cuda-ppc64le:10.1-devel", "10.1"),
        ("nvidia/cuda:latest", None),
        ("nvidia/cuda:devel-9.2", None),
        ("mine/barracuda:9.2", None),
        ("mine/caffe2-base:9.2", None),
        ("debian:12", None),
    ],
)
def test_the_release_in_a_bases_name(base: str, release: str | None) -> None:
    assert cuda_release(base) == release


@pytest.mark.parametrize(
    ("cuda", "driver"),
    [
        ("7.5", None),
        ("8.0", "375.26"),
        ("9.1", "390.46"),
        ("9.2", "396.26"),
        ("10.0", "410.48"),
        ("10.2", "440.33"),
        ("11.0", "450.36.06"),
        ("11.8", "450.80.02"),
        ("12.9", "525.60.13"),
        ("14.1", "580.65.06"),
    ],
)
def test_the_oldest_driver_of_a_release(cuda: str, driver: str | None) -> None:
    assert oldest_driver(cuda) == driver


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("390.12", "9.0"),
        ("390.46", "9.1"),
        ("396.26", "9.2"),
        ("450.80", "11.0"),
        ("450.80.02", "11.1"),
        ("340.1", None),
    ],
)
def test_the_newest_release_of_a_driver(driver: str, cuda: str | None) -> None:
    assert newest_cuda(driver) == cuda


def test_the_table_rises() -> None:
    rows = [tuple(tuple(map(int, one.split("."))) for one in row) for row in OLDEST_DRIVERS.items()]
    assert rows == sorted(rows)
    assert [driver for _, driver in rows] == sorted(driver for _, driver in rows)


def _problems(image: dict[str, Any], gpu: dict[str, Any]) -> list[str]:
    ((_, rule),) = CUDA_RULES
    return [str(problem) for problem in rule(Image.model_validate(image), Gpu.model_validate(gpu))]


SOURCE = {"flavour": "source"}


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (SOURCE, "396.26"),
        (SOURCE, "580.95.05"),
        # Nothing is known of the one or the other.
        (SOURCE, None),
        ({**SOURCE, "base": "mine/base:9.2"}, "390.12"),
        # An image for CPUs.
        ({"flavour": "debian"}, "390.12"),
        ({**SOURCE, "base": "nvidia/cuda:9.0-cudnn7-devel-ubuntu16.04"}, "390.12"),
    ],
)
def test_a_driver_that_is_enough_or_unknown_is_no_problem(image: dict[str, Any], version: str | None) -> None:
    assert _problems(image, {"driver": "repo", "version": version}) == []


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (SOURCE, "396.24"),
        ({**SOURCE, "base_digest": "sha256:" + "1" * 64}, "390.12"),
        ({**SOURCE, "base": "nvidia/cuda:12.2.0-devel-ubuntu22.04"}, "525.60.11"),
    ],
)
def test_a_driver_that_is_too_old_is_one(image: dict[str, Any], version: str) -> None:
    (problem,) = _problems(image, {"driver": "repo", "version": version})
    assert problem.startswith(f"gpu.version = '{version}': is too old for CUDA ")


def test_the_error_says_what_is_allowed_and_where_to_change_it() -> None:
    document = yaml.safe_load((ROOT / "Pulumi.roce100g.yaml").read_text())
    sections = {key.partition(":")[2]: value for key, value in document["config"].items()}
    parse(sections, "Pulumi.roce100g.yaml")
    sections["gpu"] |= {"version": "390.12", "package": _PACKAGE}
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.roce100g.yaml")
    assert [str(problem) for problem in caught.value.problems] == [
        "gpu.version = '390.12': is too old for CUDA 9.2 of image.base "
        "nvidia/cuda:9.2-cudnn7-devel-ubuntu16.04; allowed is 396.26 or later. Change gpu.version and the "
        "driver's source, or image.base to CUDA 9.0 or earlier"
    ]
