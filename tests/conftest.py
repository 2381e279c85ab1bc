"""What every test may rely on."""

from __future__ import annotations

import asyncio

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give the thread an open event loop: Pulumi's test runner takes it, and `asyncio.run` takes it away."""
    policy = asyncio.get_event_loop_policy()
    try:
        closed = policy.get_event_loop().is_closed()
    except RuntimeError:
        closed = True
    if closed:
        policy.set_event_loop(policy.new_event_loop())
