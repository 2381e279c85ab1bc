"""Faults: which there are, what switching one says, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import faults
from lab.errors import LabError
from lab.hardware.faults import _ACTIONS, FAULTS, UNTIL_REBOOT

README = Path(__file__).parents[2] / "lab" / "README.md"


def test_every_fault_is_in_the_readme() -> None:
    listed = re.findall(r"^\| `([a-z_-]+)(?: [A-Z]+)?` \|", README.read_text(), re.MULTILINE)
    assert set(FAULTS) <= set(listed)
    assert len(FAULTS) >= 10
    assert set(_ACTIONS) | set(UNTIL_REBOOT) <= set(FAULTS)


@pytest.mark.parametrize(
    ("name", "state", "argument", "message"),
    [
        ("no-such-fault", "on", "", "There is no fault 'no-such-fault'"),
        ("no-gpu", "maybe", "", "not 'maybe'"),
        ("no-gpu", "on", "5", "takes no argument"),
        ("ofed-install-fails", "off", "5", "takes no argument when it is switched off"),
        ("ofed-install-fails", "on", "many", "takes a number"),
    ],
)
def test_what_is_refused(name: str, state: str, argument: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        faults.find(name, state, argument)


def test_a_fault_with_its_argument() -> None:
    assert faults.find("ofed-install-fails", "on", "172") is FAULTS["ofed-install-fails"]


def test_the_listing_says_where_each_is_on() -> None:
    lines = faults.listing({"clx-mld-42": ["no-gpu"], "clx-mld-41": ["no-gpu"], "vendor": []}).splitlines()
    assert len(lines) == len(FAULTS)
    assert [line for line in lines if "[on:" in line] == [
        f"{'no-gpu':<28} {'node':<7} {FAULTS['no-gpu'].what}  [on: clx-mld-41, clx-mld-42]"
    ]
