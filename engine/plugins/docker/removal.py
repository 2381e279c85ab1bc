"""Removing what a container that was just removed may still hold for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from engine.plugins.common.errors import PluginError
from engine.plugins.docker.host import Refused

_IN_USE_SECONDS: Final = 30
_POLL_FIRST, _POLL_LONGEST = 0.1, 2.0


def remove_when_free(
    remove: Callable[[], None], in_use: Callable[[Any], bool], what: str, stop: threading.Event
) -> None:
    """Call `remove` until it works, as long as the engine's error is `in_use`; at most 30 s.

    It is no error if the thing is gone already. Raises Refused with the engine's reason, and PluginError
    when `stop` is set meanwhile; `what` names the thing in both.
    """
    import docker.errors

    pause, deadline = _POLL_FIRST, time.monotonic() + _IN_USE_SECONDS
    while True:
        try:
            return remove()
        except docker.errors.NotFound:
            return None
        except docker.errors.APIError as error:
            if not in_use(error) or time.monotonic() > deadline:
                text = f"Unable to remove {what}: {error.explanation}"
                raise Refused(text, error.status_code or 0) from error
        if stop.wait(pause):
            raise PluginError(f"the removal of {what} was cancelled")
        pause = min(pause * 2, _POLL_LONGEST)
