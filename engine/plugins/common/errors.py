"""Errors of the plugins: each is one sentence for the person who runs Pulumi, never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class PluginError(Exception):
    """An operation failed. The text says what happened, where, and how to go on."""


class PartialFailure(PluginError):
    """A resource was made but is not as wanted, so the state must keep it.

    `id` and `outputs` go into the state with the failure's `reasons`; the next update or destroy
    then finds the resource instead of leaving it behind.
    """

    def __init__(self, id_: str, outputs: dict[str, Any], reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.id = id_
        self.outputs = outputs
        self.reasons = list(reasons)
