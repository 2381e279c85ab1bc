"""The one error type of the set-up: what happened, and how to go on."""

from __future__ import annotations


class EngineError(Exception):
    """A set-up step cannot be done.

    `what` is one sentence: what happened and where. `hint` says how to go on; it may be empty.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  {self.hint}" if self.hint else self.what
