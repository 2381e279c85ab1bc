"""The program itself under the policy pack's rules, declared against Pulumi's mocks."""

from __future__ import annotations

from typing import Any

import pytest

from policy import fabric
from policy.resource import SIGNATURE_KEY, Resource, Secret
from policy.server import Analyzer
from tests.components.harness import ROOT, Program, World, lab_stack


def _inputs(value: Any) -> Any:
    """Return what the mocks recorded as the rules take it: secrets marked."""
    if isinstance(value, dict):
        if SIGNATURE_KEY in value:
            return Secret(_inputs(value["value"]))
        return {key: _inputs(item) for key, item in value.items()}
    return [_inputs(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> list[Resource]:
    monkeypatch.chdir(ROOT)
    program = Program(World(lab_stack()))
    return [Resource(one.type, one.name, _inputs(dict(one.inputs))) for one in program.by_urn.values()]


def test_the_program_conforms(declared: list[Resource]) -> None:
    found = [
        sentence
        for policy in Analyzer().policies
        for resource in declared
        for sentence in policy.judge(resource)
    ]
    assert found == []


def test_the_rules_see_what_they_judge(declared: list[Resource]) -> None:
    halves = [one.name for one in declared if fabric.is_half(one)]
    assert len(halves) == 1 + len(lab_stack().hosts)
    assert any(isinstance(one.inputs.get("connection"), Secret | dict) for one in declared)
    keyless = [
        Resource(one.type, one.name, {**one.inputs, "connection": {"host": "h"}})
        for one in declared
        if one.type == "command:remote:Command"
    ]
    analyzer = Analyzer()
    assert keyless
    for one in keyless:
        assert [policy.name for policy in analyzer.policies if list(policy.judge(one))] == ["host-key"]
