"""What the lab's machines are found to be, and which generation they get for it."""

from __future__ import annotations

from typing import Any

import pytest

from lab.observe import NodeState, State, judge
from lab.program import next_generation


def _container(name: str, state: str = "running", generation: str | None = "2") -> dict[str, Any]:
    labels = {"rocestack.node": name}
    if generation is not None:
        labels["rocestack.generation"] = generation
    return {"State": state, "Labels": labels}


@pytest.mark.parametrize(
    ("containers", "recorded", "state", "generation"),
    [
        ([_container("a")], {"a": 2}, "present", 2),
        ([_container("a", "restarting")], {"a": 2}, "present", 2),
        ([_container("a", "exited")], {"a": 2}, "stopped", 2),
        ([_container("a", "created")], {"a": 2}, "stopped", 2),
        ([], {"a": 2}, "absent", None),
        ([_container("b")], {"a": 2}, "absent", None),
        # Another generation than the recorded one is not the machine that was configured.
        ([_container("a")], {"a": 1}, "absent", 2),
        ([_container("a")], {}, "absent", 2),
        ([_container("a", generation=None)], {"a": 2}, "absent", None),
        ([_container("a", generation="x")], {"a": 2}, "absent", None),
        ([{"State": "running", "Labels": None}], {"a": 2}, "absent", None),
    ],
)
def test_states(
    containers: list[dict[str, Any]], recorded: dict[str, int], state: State, generation: int | None
) -> None:
    assert judge(containers, ["a"], recorded) == {"a": NodeState("a", state, generation)}


@pytest.mark.parametrize(
    ("recorded", "found", "changed", "expected"),
    [
        (0, NodeState("a", "absent"), False, 1),
        (1, NodeState("a", "present", 1), False, 1),
        (1, NodeState("a", "stopped", 1), False, 1),
        (1, NodeState("a", "absent"), False, 2),
        (1, NodeState("a", "present", 1), True, 2),
        # An `up` was cut off after it made a container and before that was recorded.
        (0, NodeState("a", "absent", 1), False, 2),
        (2, NodeState("a", "absent", 5), False, 6),
    ],
)
def test_generations(recorded: int, found: NodeState, changed: bool, expected: int) -> None:
    assert next_generation(recorded, found, changed) == expected
