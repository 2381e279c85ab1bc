"""The reference of facts in docs/ is what the catalog says, and the probe tells what the catalog promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facts.catalog import steps
from facts.reference import render
from facts.rendering import TEMPLATES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "facts.md"
OBSERVED = [
    (name, key)
    for name, step in steps().items()
    if (TEMPLATES / f"{name.replace('.', '/')}.probe.sh.j2").is_file()
    for key in step.facts
]


def test_page_is_current() -> None:
    assert PAGE.read_text() == render(), "run: python -m facts.reference > docs/reference/facts.md"


def test_no_setting_is_both_observed_and_not() -> None:
    for name, step in steps().items():
        assert not step.facts.keys() & step.without.keys(), name
        assert all(step.without.values()), name


def _shell(name: str) -> str:
    """Return a step's probe with the parts that it includes, and what every step has."""
    texts, todo = [], [f"{name.replace('.', '/')}.probe.sh.j2"]
    while todo:
        text = (TEMPLATES / todo.pop()).read_text()
        texts.append(text)
        todo += re.findall(r'include "([^"]+)"', text)
    return "\n".join([*texts, (TEMPLATES / "facts/host_files.sh.j2").read_text()])


@pytest.mark.parametrize(("name", "key"), OBSERVED)
def test_the_probe_has_a_line_for_each_fact(name: str, key: str) -> None:
    text = _shell(name)
    told = re.search(rf'\b(fact|fact_kept|file_fact|file_fact_if) "?{key}"? ', text)
    listed = re.search(rf"^qos_keys=\([^)]*\b{key}\b", text, re.MULTILINE)
    each = re.search(rf"for key in [^;]*\b{key}\b[^;]*; do\n *fact ", text)
    assert told or listed or each
