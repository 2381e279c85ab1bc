"""Waiting for the engine's answers: all that is open at the SDK, or up to the first failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from pulumi.runtime.settings import SETTINGS

from components.answers import answered


@pytest.fixture
def outputs() -> Iterator[set[asyncio.Task[None]]]:
    kept = set(SETTINGS.outputs)
    SETTINGS.outputs.clear()
    yield SETTINGS.outputs
    SETTINGS.outputs.clear()
    SETTINGS.outputs.update(kept)


def test_it_waits_for_what_is_open_and_for_what_that_opens(outputs: set[asyncio.Task[None]]) -> None:
    done: list[str] = []

    async def second() -> None:
        await asyncio.sleep(0)
        done.append("second")

    async def first() -> None:
        await asyncio.sleep(0)
        outputs.add(asyncio.ensure_future(second()))
        done.append("first")

    async def program() -> dict[str, object]:
        outputs.add(asyncio.ensure_future(first()))
        # A server of callbacks never ends, and is no output.
        forever = asyncio.ensure_future(asyncio.Event().wait())
        async with asyncio.timeout(10):
            found = await answered()
        assert not forever.done()
        return found

    assert asyncio.run(program()) == {}
    assert done == ["first", "second"]


def test_a_failure_ends_the_wait_and_stays_for_the_sdk(outputs: set[asyncio.Task[None]]) -> None:
    async def fails() -> None:
        raise RuntimeError("no such resource")

    async def waits() -> None:
        await asyncio.Event().wait()

    async def program() -> bool:
        failing = asyncio.ensure_future(fails())
        forever = asyncio.ensure_future(waits())
        outputs.update((failing, forever))
        async with asyncio.timeout(10):
            await answered()
        assert {failing, forever} <= outputs
        with pytest.raises(RuntimeError, match="no such resource"):
            failing.result()
        return forever.done()

    assert asyncio.run(program()) is False


def test_nothing_open_is_no_wait(outputs: set[asyncio.Task[None]]) -> None:
    assert asyncio.run(answered()) == {}
