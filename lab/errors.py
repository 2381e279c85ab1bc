"""The one error of the lab: a sentence for the operator and, where there is one, a way on."""

from __future__ import annotations


class LabError(Exception):
    """What happened and where; `hint` says what is allowed or how to go on."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  Hint: {self.hint}" if self.hint else self.what
