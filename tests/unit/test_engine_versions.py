"""Versions: read from the files that pin them, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import go_build, pulumi_cli, versions
from engine.errors import EngineError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.259.0", (3, 259, 0)),
        ("v3.261.0-alpha.x1\n", (3, 261, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go1.25", (1, 25)),
        ("devel", None),
        ("", None),
    ],
)
def test_parse(text: str, version: versions.Version | None) -> None:
    assert versions.parse(text) == version


@pytest.mark.parametrize(
    ("found", "usable"),
    [
        ((3, 259, 0), True),
        ((3, 272, 1), True),
        ((3, 258, 9), False),
        ((2, 300, 0), False),
        ((4, 0, 0), False),
        (None, False),
    ],
)
def test_an_installed_cli_is_used_from_the_pinned_version_on(
    found: versions.Version | None, usable: bool
) -> None:
    assert pulumi_cli.usable(found, (3, 259, 0)) is usable


def test_module_version_reads_block_and_single_line() -> None:
    block = "module m\n\nrequire (\n\texample.org/a/v3 v3.1.2 // indirect\n)\n"
    single = "module m\n\nrequire example.org/a/v3 v3.1.2\n"
    assert versions.module_version(block, "example.org/a/v3") == "3.1.2"
    assert versions.module_version(single, "example.org/a/v3") == "3.1.2"


def test_a_missing_pin_is_named() -> None:
    with pytest.raises(EngineError, match=r"go\.mod requires no version of example\.org/b"):
        versions.module_version("module m\n", "example.org/b")
    with pytest.raises(EngineError, match=r"requirements\.txt pins no version of pulumi-command"):
        versions.package_version("pulumi==3.1.0\npulumi-command>=1\n", "pulumi-command")


def test_the_checkout_pins_everything_that_set_up_asks_for() -> None:
    pins = go_build.Pins.of(pulumi_cli.Checkout(ROOT))
    assert versions.parse(pins.cli_version) is not None
    assert versions.parse(pins.host_version) is not None
    assert versions.parse(f"go{go_build.GO_FROM_PYPI}") >= pins.go_minimum  # type: ignore[operator]
    assert set(versions.pinned_plugins(ROOT)) == {"command", "docker"}
