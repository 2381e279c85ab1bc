"""The hook on Redis: its words are told with the host's name, and a host that is away is told as that."""

from __future__ import annotations

import asyncio

import pulumi
import pytest

from components import redis_failure
from facts.ssh import Result, Unreachable
from settings import flat
from settings.models import HostAccess
from tests.components.harness import Program, World, lab_stack


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Result(0, "It says: bind failed\nIt was stopped.\n", ""), "It says: bind failed\nIt was stopped."),
        (Result(1, "", "rocestack: no docker here\n"), "rocestack: no docker here"),
        (Unreachable("connection refused"), "clx-mld-41 could not be asked why: connection refused."),
    ],
)
def test_why_redis_did_not_come_up(
    monkeypatch: pytest.MonkeyPatch, answer: Result | Unreachable, said: str
) -> None:
    told: list[str] = []
    asked: list[tuple[str, dict[str, str]]] = []

    async def run_script(access: HostAccess, script: str, stdin: str, deadline: float) -> Result:
        asked.append((access.name, flat.parse(stdin)))
        if isinstance(answer, Unreachable):
            raise answer
        return answer

    monkeypatch.setattr(redis_failure, "run_script", run_script)
    monkeypatch.setattr(pulumi.log, "error", told.append)
    context = Program(World(lab_stack())).cluster.hosts["clx-mld-41"]
    hook = redis_failure.says_why(context)
    args = pulumi.ErrorHookArgs(
        urn="u", id="i", name="clx-mld-41/redis", type="t", failed_operation="create", errors=["unhealthy"]
    )
    # The engine must not try again.
    assert asyncio.run(hook.callback(args)) is False  # type: ignore[arg-type]
    assert asked == [("clx-mld-41", {"name": "redis"})]
    assert told == [f"Redis on clx-mld-41 (root@127.0.0.1 port 22401) did not come up. {said}"]


def test_only_redis_has_it() -> None:
    program = Program(World(lab_stack()))
    having = {name for name, one in program.by_name.items() if "clx-mld-41-redis-why" in one.error_hooks}
    assert having == {"clx-mld-41/redis"}
