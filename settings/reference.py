"""The reference of all settings, made from the models: `python -m settings.reference` prints it."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from settings.models import Stack

_HEAD = """# Settings

A stack is one file, `Pulumi.<stack>.yaml`; each section below is a key `rocestack:<section>` in it. This page
is made from the models in `settings/` by `python -m settings.reference`.
"""


def render() -> str:
    """Return the reference as Markdown."""
    parts = [_HEAD]
    told: dict[type[BaseModel], str] = {}
    for name, field in Stack.model_fields.items():
        model = _model(field.annotation)
        if model is None:
            raise TypeError(f"section {name} has no model")
        needed = field.description or ("required" if field.is_required() else "optional")
        if model in told:
            text = f"A list of sections as `{told[model]}` is one.\n"
        else:
            text = f"{_description(model)}\n\n{_table(model)}"
            told[model] = name
        parts.append(f"## {name} ({needed})\n\n{text}")
    return "\n".join(parts)


def _table(model: type[BaseModel]) -> str:
    lines = ["| setting | type | allowed | default |", "|---|---|---|---|"]
    for path, field in _fields(model, ""):
        default = "required" if field.is_required() else _default(field)
        lines.append(f"| `{path}` | {_type(field.annotation)} | {_allowed(field)} | {default} |")
    return "\n".join(lines) + "\n"


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = _model(field.annotation)
        if inner is None:
            yield prefix + name, field
        else:
            yield from _fields(inner, f"{prefix}{name}.")


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation such as `Lab | None` or `tuple[Host, ...]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part)) is not None), None)


def _plain(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        return _plain(next(part for part in get_args(annotation) if part is not type(None)))
    if hasattr(annotation, "__metadata__"):
        return get_args(annotation)[0]
    return annotation


def _type(annotation: Any) -> str:
    plain = _plain(annotation)
    if isinstance(plain, type) and issubclass(plain, Enum):
        return "choice"
    if get_origin(plain) is Literal:
        return "choice"
    names = {
        str: "text",
        bool: "true or false",
        int: "whole number",
        float: "number",
        SecretStr: "secret text",
    }
    return names.get(plain, getattr(plain, "__name__", str(plain)).replace("IPv4", "IPv4 "))


def _allowed(field: FieldInfo) -> str:
    plain = _plain(field.annotation)
    if isinstance(plain, type) and issubclass(plain, Enum):
        return ", ".join(f"`{one.value}`" for one in plain)
    if get_origin(plain) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(plain))
    inner = get_args(field.annotation)
    metadata = [*field.metadata, *(one for part in inner for one in getattr(part, "__metadata__", ()))]
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    words = []
    for one in metadata:
        for part in getattr(one, "metadata", None) or [one]:
            words += [f"{word} {getattr(part, sign)}" for sign, word in signs.items() if hasattr(part, sign)]
            pattern = getattr(part, "pattern", None)
            if pattern is not None:
                words.append(f"`{str(pattern).replace('|', chr(92) + '|')}`")
    return ", ".join(words)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _description(model: type[BaseModel]) -> str:
    text = (model.__doc__ or "").strip()
    return "\n".join(line.strip() for line in text.splitlines()).replace("``", "`")


if __name__ == "__main__":
    print(render(), end="")
