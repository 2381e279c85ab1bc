"""Placeholders of a stack file are found wherever they stand, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from settings.placeholders import placeholders
from settings.section import Section


class _Inner(Section):
    sum: str = "ab" * 32
    secret: SecretStr = SecretStr("Correct-Horse 7")


class _Outer(Section):
    name: str = "clx-mld-41"
    number: int = 0
    nothing: str | None = None
    inners: tuple[_Inner, ...] = (_Inner(),)


@pytest.mark.parametrize("value", ["REPLACE-ME", "ssh-ed25519 REPLACE-ME", "https://replace-me.invalid/x"])
def test_words_are_found(value: str) -> None:
    assert placeholders(_Outer(name=value)) == ["name"]


@pytest.mark.parametrize("digits", [32, 64])
def test_sums_of_zeros_are_found(digits: int) -> None:
    assert placeholders(_Outer(inners=(_Inner(), _Inner(sum="0" * digits)))) == ["inners[1].sum"]


def test_a_secret_is_found_and_not_shown() -> None:
    found = placeholders(_Outer(inners=(_Inner(secret=SecretStr("REPLACE-ME")),)))
    assert found == ["inners[0].secret"]


@pytest.mark.parametrize("value", ["replaced", "0", "0" * 40, "0.0.0.0", ""])
def test_filled_in_values_are_none(value: str) -> None:
    assert placeholders(_Outer(name=value)) == []
