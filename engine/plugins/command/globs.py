"""Path patterns of assetPaths and archivePaths, in the syntax that the official plugin documents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


class BadPattern(ValueError):
    """A pattern that cannot be read."""


def select(paths: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the `paths` that the patterns choose, sorted.

    The patterns are tried in order on each path; one that begins with `!` takes the path out again.
    Raises BadPattern.

    >>> select(["a.js", "src/b.js", "src/secret.js"], ["**.js", "!**secret.*"])
    ['a.js', 'src/b.js']
    """
    rules = [(not text.startswith("!"), compiled(text.removeprefix("!"))) for text in patterns]
    chosen = []
    for path in sorted(paths):
        taken = False
        for includes, rule in rules:
            if rule.fullmatch(path):
                taken = includes
        if taken:
            chosen.append(path)
    return chosen


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern.

    `*` is anything but `/`, `**` anything, `?` one character but `/`, `[a-z]` and `[!a-z]` one of a
    class, `{a,b}` one of several, and a backslash takes the next character as it is. Raises BadPattern.
    """
    found, depth, position = [], 0, 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            anything = pattern.startswith("*", position)
            found.append(".*" if anything else "[^/]*")
            position += anything
        elif character == "?":
            found.append("[^/]")
        elif character == "[":
            end = pattern.find("]", position)
            if end < 0:
                raise BadPattern(f"the pattern {pattern!r} has a '[' without ']'")
            found.append(_class(pattern, pattern[position:end]))
            position = end + 1
        elif character == "{":
            depth += 1
            found.append("(?:")
        elif character == "}" and depth:
            depth -= 1
            found.append(")")
        elif character == "," and depth:
            found.append("|")
        elif character == "\\" and position < len(pattern):
            found.append(re.escape(pattern[position]))
            position += 1
        else:
            found.append(re.escape(character))
    if depth:
        raise BadPattern(f"the pattern {pattern!r} has a '{{' without '}}'")
    return re.compile("".join(found), re.DOTALL)


def _class(pattern: str, text: str) -> str:
    inverted, text = text.startswith("!"), text.removeprefix("!")
    bounds = text.split("-")
    if not text:
        raise BadPattern(f"the pattern {pattern!r} has an empty '[]'")
    if len(bounds) == 2 and all(len(bound) == 1 for bound in bounds):
        if bounds[0] > bounds[1]:
            raise BadPattern(f"the pattern {pattern!r} has the range [{text}], which is empty")
        inside = f"{re.escape(bounds[0])}-{re.escape(bounds[1])}"
    else:
        inside = re.escape(text)
    return f"[{'^' if inverted else ''}{inside}]"
