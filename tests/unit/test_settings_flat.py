"""The flat text: what goes in comes out, and what could not come out does not go in."""

from __future__ import annotations

import pytest

from settings import flat


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mtu": "9000"},
        {"b": "2", "a": "1"},
        {"empty": ""},
        {"note": "it's 'quoted'"},
        {"odd": "a: 'b', $x `y` \\ \"z\""},
    ],
)
def test_round_trip(values: dict[str, str]) -> None:
    assert flat.parse(flat.render(values)) == values


def test_lines_are_sorted_and_quoted() -> None:
    assert flat.render({"b": "it's", "a": "1"}) == "a: '1'\nb: 'it''s'\n"


@pytest.mark.parametrize(
    ("values", "named"),
    [({"Bad": "1"}, "'Bad'"), ({"a-b": "1"}, "'a-b'"), ({"a": "1\n2"}, "'a'"), ({"": "1"}, "''")],
)
def test_refuses_what_cannot_be_read_back(values: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        flat.render(values)


@pytest.mark.parametrize("text", ["a: 1\n", "a: '1'\nnonsense\n", "A: '1'\n"])
def test_refuses_foreign_text(text: str) -> None:
    with pytest.raises(ValueError, match="not a setting line"):
        flat.parse(text)
