"""The wanted settings and the way to the switch, read from flat lines ``key: 'value'``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from onyx import ports as port_names
from onyx.errors import WantedError
from onyx.state import percent
from settings import flat

# Lines that travel with the settings but are no settings of the switch.
_BESIDE = ("generation", "node")
_DRIFT_PREFIX = "drift_"

T = TypeVar("T")


@dataclass(frozen=True)
class Access:
    """The way to the switch, and the part of it that is ours (its wired ports and its pool).

    `host_key` is the key that must answer, as in authorized_keys ("ssh-ed25519 AAAA…").
    """

    address: str
    port: int
    user: str
    host_key: str
    password: str = field(repr=False)
    ports: tuple[str, ...]
    pool: str = "roce"


@dataclass(frozen=True)
class Wanted:
    """All that the switch shall have, on the wired `ports` only; classes and priorities are 0 to 7."""

    hostname: str
    ports: tuple[str, ...]
    pool: str
    pool_type: str
    pool_memory_percent: str
    pool_switch_priority: int
    trust: str
    ecn_traffic_class: int
    ecn_minimum_kb: int
    ecn_maximum_kb: int
    strict_traffic_class: int
    pfc_priority: int

    def lines(self) -> dict[str, str]:
        """Return the settings as flat values, in the form in which found ones are compared with them."""
        values = {each.name: str(getattr(self, each.name)) for each in fields(self)}
        return {**values, "ports": ",".join(self.ports)}


def parse_lines(text: str) -> dict[str, str]:
    """Return the settings in flat lines, without what only travels with them. Raises WantedError."""
    try:
        values = flat.parse(text)
    except ValueError as error:
        raise WantedError(f"the settings cannot be read: {error}") from error
    return {
        key: value
        for key, value in values.items()
        if key not in _BESIDE and not key.startswith(_DRIFT_PREFIX)
    }


def read_wanted(values: Mapping[str, str]) -> Wanted:
    """Return the settings from flat values. Raises WantedError that names the key and what is allowed."""
    known = {each.name for each in fields(Wanted)} | set(_ACCESS_KEYS)
    unknown = sorted(set(values) - known)
    if unknown:
        raise WantedError(f"unknown setting {unknown[0]!r}: known are {', '.join(sorted(known))}")
    taken: dict[str, Any] = {key: _take(values, key, read) for key, read in _READERS.items()}
    wanted = Wanted(**taken)
    if wanted.ecn_minimum_kb > wanted.ecn_maximum_kb:
        raise WantedError(
            f"ecn_minimum_kb {wanted.ecn_minimum_kb} must not exceed ecn_maximum_kb {wanted.ecn_maximum_kb}"
        )
    return wanted


def read_access(values: Mapping[str, str], password: str) -> Access:
    """Return the way to the switch from flat values and the password. Raises WantedError."""
    return Access(
        address=_take(values, "address", _word),
        port=_take(values, "port", _integer(1, 65535)),
        user=_take(values, "user", _word),
        host_key=_take(values, "host_key", _host_key),
        password=password,
        ports=_take(values, "ports", _ports),
        pool=_take(values, "pool", _word),
    )


def _take(values: Mapping[str, str], key: str, read: Callable[[str], T]) -> T:
    if key not in values:
        raise WantedError(f"the setting {key!r} is missing")
    try:
        return read(values[key])
    except ValueError as error:
        raise WantedError(f"setting {key!r}: {error}") from error


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:-]+", text):
        raise ValueError(f"found {text!r}, allowed is one word of letters, digits and . _ : -")
    return text


def _host_key(text: str) -> str:
    if not re.match(r"^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+", text):
        raise ValueError(f"found {text!r}, allowed is a public host key such as ssh-ed25519 AAAA…")
    return text


def _ports(text: str) -> tuple[str, ...]:
    names = [port_names.normal(part) for part in text.split(",")]
    return tuple(sorted(set(names), key=port_names.order))


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"found {text!r}, allowed is a whole number from {low} to {high}")
        return int(text)

    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"found {text!r}, allowed is one of {', '.join(allowed)}")
        return text

    return read


def _percent(text: str) -> str:
    try:
        value = percent(text)
    except ValueError as error:
        raise ValueError(f"found {text!r}, allowed is a percentage such as 50.00") from error
    if not 0 < float(value) <= 100:
        raise ValueError(f"found {text!r}, allowed is more than 0 and at most 100 per cent")
    return value


_ACCESS_KEYS = ("address", "port", "user", "host_key")
_CLASS = _integer(0, 7)
_KILOBYTES = _integer(1, 65535)
_READERS: dict[str, Callable[[str], object]] = {
    "hostname": _word,
    "ports": _ports,
    "pool": _word,
    "pool_type": _one_of("lossless", "lossy"),
    "pool_memory_percent": _percent,
    "pool_switch_priority": _CLASS,
    "trust": _one_of("L2", "L3", "both", "port"),
    "ecn_traffic_class": _CLASS,
    "ecn_minimum_kb": _KILOBYTES,
    "ecn_maximum_kb": _KILOBYTES,
    "strict_traffic_class": _CLASS,
    "pfc_priority": _CLASS,
}
