"""How the switch reads a command line: rules of words, abbreviations, and what it answers to others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .names import Refused

# A mode holds its own commands and those of the modes before it.
EXEC, ENABLE, CONFIG = 0, 1, 2

_INTEGER = re.compile(r"^\d+$")
_NUMBER = re.compile(r"^\d+(\.\d+)?$")


@dataclass(frozen=True)
class Rule:
    """One command: its words, the least mode that has it, and what carries it out.

    A word is a literal (that may be abbreviated), alternatives ("on|off"), an optional literal ("[force]"),
    an integer with its range ("<0-7>"), a decimal with its range ("<0.0-100.0>"), any word ("<name>"), or all
    words that are left ("<text...>", at least one; the value is the list of them).
    The action gets the values of all words that are not plain literals, in order. Releases before `since` do
    not have the command.
    """

    words: tuple[str, ...]
    mode: int
    action: Callable[..., Any]
    since: tuple[int, ...] = ()


def rule(text: str, mode: int, action: Callable[..., Any], since: tuple[int, ...] = ()) -> Rule:
    """Return the rule whose words are those of `text`."""
    return Rule(tuple(text.split()), mode, action, since)


@dataclass(frozen=True)
class _Reading:
    """How far a line went along a rule: `exact` counts words written in full, `bad` is the refused word."""

    rule: Rule
    matched: int
    exact: int
    values: tuple[Any, ...]
    complete: bool
    bad: str | None = None
    out_of_range: str | None = None


def match(
    line: Sequence[str], rules: Iterable[Rule], mode: int, release: tuple[int, ...]
) -> tuple[Rule, tuple[Any, ...]]:
    """Return the rule that `line` means and the values for its action; later releases' commands are unknown.

    Raises Refused with the switch's own words when none fits, the line stops too early, a value is out of
    its range, or abbreviations leave a choice.
    """
    known = (candidate for candidate in rules if candidate.mode <= mode and candidate.since <= release)
    readings = [_read(line, candidate) for candidate in known]
    whole = [reading for reading in readings if reading.complete]
    if whole:
        best = max(reading.exact for reading in whole)
        chosen = [reading for reading in whole if reading.exact == best]
        if len(chosen) > 1:
            raise Refused(f'% Ambiguous command "{" ".join(line)}".\nType "?" for help.')
        return chosen[0].rule, chosen[0].values
    raise Refused(_refusal(line, readings))


def _refusal(line: Sequence[str], readings: list[_Reading]) -> str:
    furthest = max((reading.matched for reading in readings), default=0)
    so_far = " ".join(line[:furthest])
    hint = f'Type "{so_far} ?" for help.' if so_far else 'Type "?" for help.'
    near = [reading for reading in readings if reading.matched == furthest]
    if any(reading.bad is None for reading in near):
        return f"% Incomplete command.\n{hint}"
    for reading in near:
        if reading.out_of_range is not None:
            return f'% Value "{reading.bad}" is out of range: allowed is {reading.out_of_range}.\n{hint}'
    return f'% Unrecognized command "{line[furthest]}".\n{hint}'


def _read(line: Sequence[str], candidate: Rule) -> _Reading:
    position, exact = 0, 0
    values: list[Any] = []
    for word in candidate.words:
        optional = word.startswith("[")
        if position == len(line):
            if optional:
                continue
            return _Reading(candidate, position, exact, (), complete=False)
        if word.endswith("...>"):
            return _Reading(candidate, len(line), exact, (*values, list(line[position:])), complete=True)
        given = line[position]
        fits, value, in_full = _fits(given, word.strip("[]"))
        if not fits:
            if optional:
                continue
            allowed = word.strip("<>") if _is_range(word) and _NUMBER.match(given) else None
            return _Reading(candidate, position, exact, (), complete=False, bad=given, out_of_range=allowed)
        if word.startswith("<") or "|" in word:
            values.append(value)
        exact += in_full
        position += 1
    if position < len(line):
        return _Reading(candidate, position, exact, (), complete=False, bad=line[position])
    return _Reading(candidate, position, exact, tuple(values), complete=True)


def _is_range(word: str) -> bool:
    return word.startswith("<") and "-" in word


def _fits(given: str, word: str) -> tuple[bool, Any, bool]:
    """Return whether `given` fits the rule's `word`, its value, and whether it is written in full."""
    if word.startswith("<"):
        fits, value = _value(given, word.strip("<>"))
        return fits, value, False
    choices = word.split("|")
    if given in choices:
        return True, given, True
    starting = [choice for choice in choices if choice.startswith(given)]
    return len(starting) == 1, starting[0] if starting else None, False


def _value(given: str, kind: str) -> tuple[bool, Any]:
    low, dash, high = kind.partition("-")
    if not dash:
        return True, given
    if "." in kind:
        return bool(_NUMBER.match(given)) and float(low) <= float(given) <= float(high), given
    fits = bool(_INTEGER.match(given)) and int(low) <= int(given) <= int(high)
    return fits, int(given) if fits else None
