"""Releases that a vendor's software is made for: by the names of its files and URLs, else by the table."""

from __future__ import annotations

from typing import Any

import pytest

from settings.gpu import Gpu
from settings.ofed import Ofed
from settings.support import driver_releases, named_release, ofed_releases

SUM = "0" * 64
KEY = {"key_url": "http://vendor/key", "key_fingerprint": "0" * 40}


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("nvidia-driver-local-repo-ubuntu1604-390.12_1.0-1_amd64.deb", "ubuntu16.04"),
        ("MLNX_OFED_LINUX-4.2-1.2.0.0-ubuntu16.04-x86_64.iso", "ubuntu16.04"),
        ("nvidia-driver-local-repo-debian12-390.12_1.0-1_amd64.deb", "debian12"),
        ("MLNX_OFED_LINUX-23.10-3.2.2.0-debian12.5-x86_64.iso", "debian12"),
        ("http://mirror/cuda/repos/ubuntu2204/x86_64/", "ubuntu22.04"),
        ("http://mirror/doca/2.9.1/ubuntu24.04/x86_64/", "ubuntu24.04"),
        ("NVIDIA-Linux-x86_64-390.12.run", None),
        ("http://mirror/docker/linux/ubuntu/", None),
        ("kubuntu1604.iso", None),
    ],
)
def test_the_release_in_a_name(text: str, release: str | None) -> None:
    assert named_release(text) == release


@pytest.mark.parametrize(
    ("gpu", "releases"),
    [
        ({}, "any"),
        (
            {"driver": "local-repo", "package": {"source": "/share/x-ubuntu1604-390.deb", "sha256": SUM}},
            "ubuntu16.04",
        ),
        ({"driver": "local-repo", "package": {"source": "/ubuntu1604/x.deb", "sha256": SUM}}, "any"),
        ({"driver": "local-repo"}, "any"),
        ({"driver": "repo", "repository": {"url": "http://m/debian12/", "suite": "./", **KEY}}, "debian12"),
    ],
)
def test_what_the_driver_is_made_for(gpu: dict[str, Any], releases: str) -> None:
    assert driver_releases(Gpu.model_validate(gpu)) == releases


@pytest.mark.parametrize(
    ("ofed", "releases"),
    [
        ({}, "any"),
        ({"flavour": "mlnx_ofed", "version": "4.9-0.1.7.0"}, "debian8 debian9 debian10"),
        ({"flavour": "mlnx_ofed", "version": "4.2-1.2.0.0"}, "ubuntu16.04"),
        ({"flavour": "mlnx_ofed", "version": "99.1-0.0.0.0"}, "any"),
        (
            {
                "flavour": "mlnx_ofed",
                "version": "4.2-1.2.0.0",
                "iso": {"source": "http://vendor/o-debian12-x86_64.iso", "sha256": SUM},
            },
            "debian12",
        ),
        (
            {"flavour": "doca_ofed", "repository": {"url": "http://m/ubuntu24.04/", "suite": "./", **KEY}},
            "ubuntu24.04",
        ),
    ],
)
def test_what_each_ofed_is_made_for(ofed: dict[str, Any], releases: str) -> None:
    assert ofed_releases(Ofed.model_validate(ofed)) == releases
