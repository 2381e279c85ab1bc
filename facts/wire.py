"""RoCE packets counted on an interface by the kernel's packet filters: by direction, IP version and DSCP.

The filters are those of templates/ofed_stack/wire_read.sh. Each lets a packet go on, so one for any ToS
counts those of the two before it as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# By a filter's number: the IP version, and what it counts.
_FIRST, _KINDS = 47911, ("wanted", "zero", "all")
_NUMBERS = {_FIRST + place: divmod(place, len(_KINDS)) for place in range(2 * len(_KINDS))}
_ROCE_PORT = 4791
_DSCP_MASK = 0xFC


class WireError(ValueError):
    """An answer of tc that has not all of our counters; the message says what is missing."""


@dataclass(frozen=True)
class Packets:
    """RoCE packets one way. `marked` has the DSCP `dscp` over IPv4, `ipv4` and `ipv6` are all of a version.

    `zero` are those of either version with DSCP 0, `marked_ipv6` those of IPv6 with `dscp`.
    """

    dscp: int
    ipv4: int
    ipv6: int
    marked: int
    marked_ipv6: int
    zero: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.ipv4 + self.ipv6

    @property
    def unmarked(self) -> int:
        """Those that are not IPv4 with the wanted DSCP."""
        return self.total - self.marked

    def since(self, before: Packets) -> Packets | None:
        """Return what was counted since `before`; None where a counter was set back in the meantime."""
        if before.dscp != self.dscp:
            return None
        earlier = asdict(before)
        grown = {name: value - earlier[name] for name, value in asdict(self).items() if name != "dscp"}
        return Packets(dscp=self.dscp, **grown) if min(grown.values()) >= 0 else None


def parse(text: str) -> Packets:
    """Return what `tc -s -j filter show` says of one direction. Raises WireError."""
    try:
        listed = json.loads(text)
    except ValueError:
        raise WireError("the counters' list is no JSON") from None
    if not isinstance(listed, list):
        raise WireError("the counters' list is no list")
    counts: dict[tuple[int, int], int] = {}
    marks: dict[tuple[int, int], int | None] = {}
    for one in listed:
        # tc lists each filter's number once by itself, before what it has there.
        if isinstance(one, Mapping) and one.get("pref") in _NUMBERS and "options" in one:
            place = _NUMBERS[one["pref"]]
            counts[place], marks[place] = _packets(one["options"]), _dscp(one["options"])
    missing = [f"{number}" for number, place in _NUMBERS.items() if place not in counts]
    if missing:
        raise WireError(f"there is no counter {', '.join(missing)}")
    dscp = marks[0, 0]
    if dscp is None or [marks[place] for place in _NUMBERS.values()] != [dscp, 0, None] * 2:
        raise WireError(f"the counters are for the DSCPs {list(marks.values())}")
    return Packets(
        dscp=dscp,
        ipv4=counts[0, 2],
        ipv6=counts[1, 2],
        marked=counts[0, 0],
        marked_ipv6=counts[1, 0],
        zero=counts[0, 1] + counts[1, 1],
    )


def _dscp(options: Any) -> int | None:
    """Return the DSCP that a filter counts, None for any; tc prints the mask with it, or by itself."""
    keys = options["keys"]
    if "ip_tos" not in keys:
        return None
    tos, _, mask = str(keys["ip_tos"]).partition("/")
    try:
        bits, value = int(mask or keys["ip_tos_mask"], 16), int(tos, 0)
    except (KeyError, ValueError, TypeError):
        raise WireError("a counter has a ToS that cannot be read") from None
    if bits != _DSCP_MASK:
        raise WireError("a counter looks at other bits than the DSCP")
    return value >> 2


def _packets(options: Any) -> int:
    try:
        if options["keys"]["dst_port"] != _ROCE_PORT:
            raise WireError(f"a counter is for UDP port {options['keys']['dst_port']}, not {_ROCE_PORT}")
        return int(options["actions"][0]["stats"]["packets"])
    except (KeyError, IndexError, TypeError):
        raise WireError("a counter has no figure") from None
