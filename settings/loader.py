"""The one loader of a stack's settings, from the engine's configuration or straight from the stack file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from settings.models import Stack
from settings.problem import Problem
from settings.rules import check

PROJECT = "rocestack"


class SettingsError(Exception):
    """All that is wrong with a stack's settings, as one text for a person."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = [f"{source} has {count}; nothing was changed:"]
        lines += [f"  {PROJECT}:{problem}" for problem in problems]
        super().__init__("\n".join(lines))


def parse(sections: Mapping[str, Any], source: str) -> Stack:
    """Return the stack that `sections` (section name to its plain data) describe.

    `source` names the file in errors. Raises SettingsError with every problem found, not only the first.
    """
    problems: list[Problem] = []
    valid: dict[str, Any] = {}
    types = get_type_hints(Stack, include_extras=True)
    for name, field in Stack.model_fields.items():
        if name not in sections:
            if field.is_required():
                problems.append(Problem(name, None, "is missing; see docs/reference/settings.md"))
            else:
                valid[name] = field.get_default(call_default_factory=True)
            continue
        try:
            valid[name] = TypeAdapter(types[name]).validate_python(sections[name])
        except ValidationError as error:
            problems += [_problem(name, detail) for detail in error.errors()]
    for name in sorted(set(sections) - set(Stack.model_fields)):
        allowed = ", ".join(sorted(Stack.model_fields))
        problems.append(Problem(name, sections[name], f"is not a known section; allowed: {allowed}"))
    problems += _switches_by_one_key(sections)
    if "switch" in sections and "switches" in sections:
        # Which of them the rest of the file means is not known.
        valid.pop("switch", None)
    problems += check(valid)
    if problems:
        raise SettingsError(source, problems)
    return Stack(**valid)


def _switches_by_one_key(sections: Mapping[str, Any]) -> list[Problem]:
    """Return the problem of a stack that has both keys for its switches, or neither."""
    allowed = "exactly one is allowed: switch (one section) or switches (a list of such sections)"
    if "switch" in sections and "switches" in sections:
        return [Problem("switches", sections["switches"], f"is given beside {PROJECT}:switch; {allowed}")]
    if "switch" not in sections and "switches" not in sections:
        return [Problem("switch", None, f"is missing, and so is {PROJECT}:switches; {allowed}")]
    return []


def _problem(section: str, detail: Any) -> Problem:
    path = section
    for step in detail["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    if detail["type"] == "extra_forbidden":
        return Problem(path, detail["input"], "is not a known setting")
    if detail["type"] == "missing":
        return Problem(path, None, "is missing")
    if path.endswith("password"):
        return Problem(path, "**********", "is no text")
    message = detail["msg"]
    return Problem(path, detail["input"], message[:1].lower() + message[1:])


def load_file(path: Path) -> Stack:
    """Return the stack of a `Pulumi.<stack>.yaml`, for what runs before the engine does.

    Raises SettingsError, also when the file is not there or is no YAML.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            path.name, [Problem("", str(path), f"cannot be read: {error.strerror}")]
        ) from None
    except yaml.YAMLError as error:
        raise SettingsError(path.name, [Problem("", str(path), f"is no valid YAML: {error}")]) from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise SettingsError(path.name, [Problem("", str(path), "has no `config:` mapping")])
    return parse(_own(config), path.name)


def load_engine(stack_name: str) -> Stack:
    """Return the stack of the configuration that the engine gave to the running program."""
    from pulumi.runtime import config  # noqa: PLC0415  (set-up reads settings without the SDK's start cost)

    everything = {**config.get_config_env(), **config.CONFIG.get()}
    return parse(
        {name: _decoded(value) for name, value in _own(everything).items()}, f"Pulumi.{stack_name}.yaml"
    )


def _own(config: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{PROJECT}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


def _decoded(value: Any) -> Any:
    """Return a section as data: the engine hands a structured value over as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value
