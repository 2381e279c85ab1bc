"""The wanted settings and the way to the switch, read from flat lines ``key: 'value'``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from onyx import ports as port_names
from onyx.errors import WantedError
from onyx.state import congestion, percent
from settings import flat

SSH = "ssh"
JSON_API = "json-api"
NO_ROCE = "none"
# Where the secrets come from: the environment, since all other lines are shown.
PASSWORD_VARIABLE = "ROCESTACK_SWITCH_PASSWORD"  # noqa: S105 - the variable's name, not a password
KEY_VARIABLE = "ROCESTACK_SWITCH_KEY"
JUMP_KEY_VARIABLE = "ROCESTACK_JUMP_KEY"

# Lines that travel with the settings but are no settings of the switch.
_BESIDE = ("generation", "node")
_DRIFT_PREFIX = "drift_"
# What belonged to us until this change and shall be as it was before us.
_FORMER_PREFIX = "former_"
# What is the same in every stack: LLDP for the cabling, no global pause beside PFC, and kept over a restart.
FIXED: Mapping[str, str] = {"lldp": "on", "global_pause": "off", "saved": "yes"}

T = TypeVar("T")


@dataclass(frozen=True)
class Jump:
    """A host on the way to the switch: SSH goes to it first. `private_key` is its key's text."""

    address: str
    port: int
    user: str
    host_key: str
    private_key: str = field(repr=False)


@dataclass(frozen=True)
class Access:
    """The way to the switch. `password` or `private_key` logs in; the JSON API takes a password only.

    `host_key` is the key that must answer over SSH, as in authorized_keys ("ssh-ed25519 AAAA…");
    `certificate_sha256` is the SHA-256 of the certificate that must answer over https, as hex digits.
    """

    address: str
    port: int
    user: str
    password: str = field(repr=False, default="")
    private_key: str = field(repr=False, default="")
    transport: str = SSH
    host_key: str = ""
    certificate_sha256: str = ""
    jump: Jump | None = None


@dataclass(frozen=True)
class Wanted:
    """All that the switch shall have, on `ports` only; classes and priorities are 0 to 7.

    `dscp_map` says which switch priority a DSCP has to lead to; it is checked, not set. `roce` is the mode of
    the switch's own command `roce`, which stands for pool, trust, ECN, strict class and PFC; "none" sets
    each by itself.
    """

    hostname: str
    ports: tuple[str, ...]
    pool: str
    pool_type: str
    pool_memory_percent: str
    pool_switch_priority: int
    trust: str
    dscp_map: tuple[tuple[int, int], ...]
    ecn_traffic_class: int
    ecn_minimum_kb: int
    ecn_maximum_kb: int
    strict_traffic_class: int
    pfc_priority: int
    roce: str = NO_ROCE
    minimum_release: str = "3.6.5000"

    @property
    def ecn(self) -> str:
        """The value of the marking class's congestion control."""
        return congestion("ecn", "absolute", self.ecn_minimum_kb, self.ecn_maximum_kb)

    def lines(self) -> dict[str, str]:
        """Return the settings as flat values, in the form in which found ones are compared with them."""
        values = {each.name: str(getattr(self, each.name)) for each in fields(self)}
        values |= {"ports": ",".join(self.ports), "dscp_map": dscp_text(dict(self.dscp_map))}
        return {**values, **FIXED}


def dscp_text(pairs: Mapping[int, int]) -> str:
    """Return a map from DSCP to switch priority as text: "26=3 48=6"."""
    return " ".join(f"{dscp}={priority}" for dscp, priority in sorted(pairs.items()))


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
    known = {*_READERS, *_ACCESS_KEYS, *FIXED, *(f"{_FORMER_PREFIX}{key}" for key in _READERS)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise WantedError(f"unknown setting {unknown[0]!r}: known are {', '.join(sorted(known))}")
    for key, value in FIXED.items():
        _take({key: values.get(key, value)}, key, _one_of(value))
    taken: dict[str, Any] = {key: _take(values, key, read) for key, read in _READERS.items()}
    wanted = Wanted(**taken)
    if wanted.ecn_minimum_kb > wanted.ecn_maximum_kb:
        raise WantedError(
            f"ecn_minimum_kb {wanted.ecn_minimum_kb} must not exceed ecn_maximum_kb {wanted.ecn_maximum_kb}"
        )
    return wanted


def read_former(values: Mapping[str, str], wanted: Wanted) -> Wanted | None:
    """Return what was ours until now, or None when nothing ceases to be. Raises WantedError."""
    former: dict[str, Any] = {
        key: _take(values, f"{_FORMER_PREFIX}{key}", read)
        for key, read in _READERS.items()
        if f"{_FORMER_PREFIX}{key}" in values
    }
    return replace(wanted, **former) if former else None


def read_access(values: Mapping[str, str], secrets: Mapping[str, str]) -> Access:
    """Return the way to the switch from flat values and the secrets by their variables' names.

    Raises WantedError, which names what is missing and never repeats a secret.
    """
    transport = _take(values, "transport", _one_of(SSH, JSON_API)) if "transport" in values else SSH
    password, key = secrets.get(PASSWORD_VARIABLE, ""), secrets.get(KEY_VARIABLE, "")
    if transport == JSON_API and not password:
        raise WantedError(f"the switch's password is missing: set the variable {PASSWORD_VARIABLE}")
    if not password and not key:
        raise WantedError(
            f"the switch's password is missing: set the variable {PASSWORD_VARIABLE} (or {KEY_VARIABLE})"
        )
    return Access(
        address=_take(values, "address", _word),
        port=_take(values, "port", _integer(1, 65535)),
        user=_take(values, "user", _word),
        password=password,
        private_key=key,
        transport=transport,
        host_key=_take(values, "host_key", _host_key) if transport == SSH else "",
        certificate_sha256=_take(values, "certificate_sha256", _sha256) if transport == JSON_API else "",
        jump=_jump(values, secrets) if "jump_address" in values else None,
    )


def _jump(values: Mapping[str, str], secrets: Mapping[str, str]) -> Jump:
    if not secrets.get(JUMP_KEY_VARIABLE):
        raise WantedError(f"the jump host's private key is missing: set the variable {JUMP_KEY_VARIABLE}")
    return Jump(
        address=_take(values, "jump_address", _word),
        port=_take(values, "jump_port", _integer(1, 65535)),
        user=_take(values, "jump_user", _word),
        host_key=_take(values, "jump_host_key", _host_key),
        private_key=secrets[JUMP_KEY_VARIABLE],
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


def _sha256(text: str) -> str:
    digits = text.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError(f"found {text!r}, allowed are 32 bytes as hex digits, with or without colons")
    return digits


def _ports(text: str) -> tuple[str, ...]:
    names = [port_names.normal(part) for part in text.split(",")]
    return tuple(sorted(set(names), key=port_names.order))


def _dscp_map(text: str) -> tuple[tuple[int, int], ...]:
    pairs = re.fullmatch(r"\d+=\d( \d+=\d)*", text)
    if pairs is None:
        raise ValueError(f"found {text!r}, allowed are pairs such as 26=3 48=6")
    split = (pair.split("=") for pair in text.split())
    return tuple(sorted((int(dscp), int(priority)) for dscp, priority in split))


def _release(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)+", text):
        raise ValueError(f"found {text!r}, allowed is a release such as 3.6.8012")
    return text


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


_ACCESS_KEYS = (
    *("address", "port", "user", "host_key", "transport", "certificate_sha256"),
    *("jump_address", "jump_port", "jump_user", "jump_host_key"),
)
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
    "dscp_map": _dscp_map,
    "ecn_traffic_class": _CLASS,
    "ecn_minimum_kb": _KILOBYTES,
    "ecn_maximum_kb": _KILOBYTES,
    "strict_traffic_class": _CLASS,
    "pfc_priority": _CLASS,
    "roce": _one_of(NO_ROCE, "lossless", "semi-lossless"),
    "minimum_release": _release,
}
