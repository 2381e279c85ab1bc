"""How the program speaks with the engine: it waits for all answers in one go, and sends no debug messages.

The SDK itself waits for what is open by looking at all of it again after each answer: that grows with the
square of the hosts. And it sends four debug messages a resource, one after the other, which the engine drops
(docs/decisions/0021).
"""

from __future__ import annotations

import asyncio
import os

from pulumi import log
from pulumi.runtime.settings import SETTINGS


def no_debug_messages() -> None:
    """Have the SDK send no debug messages, unless ROCESTACK_DEBUG is set; for `pulumi --debug`, set it."""
    if not os.environ.get("ROCESTACK_DEBUG"):
        log.debug = _dropped


def _dropped(*_: object, **__: object) -> None:
    """Take a message and do nothing with it."""


async def answered() -> dict[str, object]:
    """Return once no output is open, or one failed; the SDK then goes on as ever.

    It is for `pulumi.run`, which takes what it returns as further outputs of the stack: there are none.
    """
    while True:
        with SETTINGS.lock:
            open_outputs = [one for one in SETTINGS.outputs if not one.done()]
        if not open_outputs:
            return {}
        done, _ = await asyncio.wait(open_outputs, return_when=asyncio.FIRST_EXCEPTION)
        # The SDK knows how a failure is told.
        if any(one.cancelled() or one.exception() is not None for one in done):
            return {}
