"""Faults that can be switched on in the simulated switch, and when each of them strikes.

The list is the file faults.json in the state folder: a list of objects with a `kind` and the settings of that
kind. `service.py` writes it; one may write it by hand.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

KINDS = {
    "reject": "refuses the command of that number",
    "drop": "ends the session at the command of that number, before or after it is carried out",
    "other-admin": "someone else gives `line` at the command of that number, before or after it",
    "full-flash": "no configuration file can be written",
    "link-down": "the port's link is down, whatever its cable says",
    "slow": "each prompt comes `seconds` late",
}
_AT_COMMANDS = ("reject", "drop", "other-admin")


class FaultError(Exception):
    """The list of faults is not what the switch understands; the text says where."""


@dataclass
class Fault:
    """One fault. The settings that its kind does not name are ignored.

    `command` counts from 1 at the moment the fault is switched on: only commands that change the switch, or
    all of them with `every`. `times` is how many commands in a row it strikes. `seen` is where its count
    stands.
    """

    kind: str
    command: int = 1
    times: int = 1
    every: bool = False
    when: str = "before"
    line: str = ""
    port: str = ""
    seconds: float = 0.0
    seen: int = 0

    def __post_init__(self) -> None:
        """Check the settings; raises FaultError for one that is wrong."""
        if self.kind not in KINDS:
            raise FaultError(f"kind is {self.kind!r}, but must be one of {', '.join(KINDS)}")
        if self.when not in ("before", "after"):
            raise FaultError(f"{self.kind}: when is {self.when!r}, but must be before or after")
        if self.command < 1 or self.times < 1:
            raise FaultError(f"{self.kind}: command and times count from 1")
        needed = {"other-admin": "line", "link-down": "port", "slow": "seconds"}.get(self.kind)
        if needed and not getattr(self, needed):
            raise FaultError(f"{self.kind}: {needed} is not set")

    def strikes(self, changing: bool) -> bool:
        """Count one command, and say whether the fault strikes at it."""
        if self.kind not in _AT_COMMANDS or not (changing or self.every):
            return False
        self.seen += 1
        return self.command <= self.seen < self.command + self.times


@dataclass(frozen=True)
class Strikes:
    """What happens at one command."""

    reject: bool = False
    drop: str = ""
    lines_before: tuple[str, ...] = ()
    lines_after: tuple[str, ...] = ()


def at_command(faults: list[Fault], changing: bool) -> Strikes:
    """Count one command in all faults, and return what happens at it."""
    struck = [fault for fault in faults if fault.strikes(changing)]
    others = [fault for fault in struck if fault.kind == "other-admin"]
    return Strikes(
        reject=any(fault.kind == "reject" for fault in struck),
        drop=next((fault.when for fault in struck if fault.kind == "drop"), ""),
        lines_before=tuple(fault.line for fault in others if fault.when == "before"),
        lines_after=tuple(fault.line for fault in others if fault.when == "after"),
    )


def flash_is_full(faults: list[Fault]) -> bool:
    """Return whether no configuration file can be written."""
    return any(fault.kind == "full-flash" for fault in faults)


def ports_down(faults: list[Fault]) -> frozenset[str]:
    """Return the ports whose link is down whatever their cable says."""
    return frozenset(fault.port for fault in faults if fault.kind == "link-down")


def delay(faults: list[Fault]) -> float:
    """Return by how many seconds a prompt comes late."""
    return max((fault.seconds for fault in faults if fault.kind == "slow"), default=0.0)


def from_settings(kind: str, settings: dict[str, str]) -> Fault:
    """Return the fault with settings as text ("command": "3"); raises FaultError for a wrong one."""
    values: dict[str, Any] = {}
    for name, text in settings.items():
        given = {each.name: each.default for each in fields(Fault) if each.default is not MISSING}
        if name not in given or name == "seen":
            raise FaultError(f"{kind}: {name} is not a setting; there are {', '.join(_setting_names())}")
        try:
            values[name] = text == "yes" if isinstance(given[name], bool) else type(given[name])(text)
        except ValueError:
            raise FaultError(f"{kind}: {name} is {text!r}, but must be a number") from None
    return Fault(kind, **values)


def _setting_names() -> list[str]:
    return [each.name for each in fields(Fault) if each.name not in ("kind", "seen")]


def to_json(faults: list[Fault]) -> list[dict[str, Any]]:
    """Return the faults as plain JSON values."""
    return [asdict(fault) for fault in faults]


def from_json(data: Any) -> list[Fault]:
    """Return the faults that `to_json` or a person wrote; raises FaultError for anything else."""
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        raise FaultError("it must be a list of objects")
    try:
        return [Fault(**each) for each in data]
    except TypeError as error:
        raise FaultError(str(error)) from None
