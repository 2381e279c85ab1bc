"""What a stack file leaves to the operator: values that no file of ours can know, marked, so never used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

# In any text, in small letters too where a field takes no others; digests have no room for words.
_MARK = re.compile(r"replace-me|^0{32}$|^0{64}$", re.IGNORECASE)


def placeholders(model: BaseModel) -> list[str]:
    """Return where values still have to be filled in, as paths of the stack file, in its order.

    For example ``switch.password`` and ``hosts[0].host_key``.
    """
    return [path for path, text in _texts("", model) if _MARK.search(text)]


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _texts(f"{path}.{name}" if path else name, getattr(value, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _texts(f"{path}[{index}]", item)
    elif isinstance(value, SecretStr):
        yield path, value.get_secret_value()
    elif isinstance(value, str):
        yield path, value
