"""Which of the lab's switches `python -m lab switch` means."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.errors import LabError
from lab.switch_service import chosen


@pytest.mark.parametrize(
    ("names", "arguments", "found"),
    [
        (["swx"], ["faults"], ("swx", ["faults"])),
        (["swx"], ["swx", "faults"], ("swx", ["faults"])),
        (["swx"], [], ("swx", [])),
        (["swx", "swy"], ["swy", "fault", "slow"], ("swy", ["fault", "slow"])),
    ],
)
def test_the_only_one_or_the_one_named(
    names: Sequence[str], arguments: Sequence[str], found: tuple[str, Sequence[str]]
) -> None:
    assert chosen(names, arguments) == found


def test_several_have_to_be_named() -> None:
    with pytest.raises(LabError, match="The lab has several switches: swx, swy") as caught:
        chosen(["swx", "swy"], ["faults"])
    assert "python -m lab switch swx faults" in str(caught.value)
