"""Steps of a killed run that stand in the state, and of which no script reached the host."""

from __future__ import annotations

from components.observation import HOST_STEPS
from settings import flat
from tests.components.harness import Program, World, lab_stack
from tests.nodes.node import Node
from tests.nodes.test_docker_host import seen

HOST = "clx-mld-41"
_BOOKKEEPING = ("generation", "node", "record")


def test_steps_that_never_began_are_taken_back_without_a_trace(node: Node) -> None:
    program = Program(World(lab_stack()))
    declared = {step: name for step in HOST_STEPS if (name := f"{HOST}/{step}") in program.by_name}
    assert {"ofed_stack.qos", "docker_host.engine", "training_job.dataset"} <= declared.keys()
    before = seen(node)
    for step, name in declared.items():
        values = flat.parse(program.stdin(name))
        node.remove(step, {key: value for key, value in values.items() if key not in _BOOKKEEPING})
        assert seen(node) == before, step
