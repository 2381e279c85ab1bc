"""LLDP frames (IEEE 802.1AB): what a neighbour says of itself, and what the switch says of itself."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .fabric import Neighbour

ETHERTYPE = 0x88CC
# The nearest bridge keeps these frames to itself.
GROUP = bytes.fromhex("0180c200000e")
TTL_S = 120

_END, _CHASSIS, _PORT, _TTL, _PORT_TEXT, _NAME, _TEXT, _CAPABILITIES = range(8)
_CHASSIS_KINDS = {4: "Mac Address", 5: "Network Address", 6: "Interface Name", 7: "Local"}
_PORT_KINDS = {1: "Interface Alias", 3: "Mac Address", 4: "Network Address", 5: "Interface Name", 7: "Local"}
_MAC_KINDS = {_CHASSIS: 4, _PORT: 3}
# Bit by bit: other, repeater, bridge, WLAN, router, telephone, DOCSIS, station.
_LETTERS = "OPBWRTCS"
_BRIDGE = 1 << _LETTERS.index("B")


def decode(frame: bytes) -> Neighbour | None:
    """Return who sent the frame; None for one that is no LLDP, or lacks what every LLDP frame must have.

    A time to live of 0 says that the neighbour goes away.
    """
    if len(frame) < 14 or frame[12:14] != struct.pack("!H", ETHERTYPE):
        return None
    values = dict(_values(frame[14:]))
    chassis, port, ttl = (values.get(kind, b"") for kind in (_CHASSIS, _PORT, _TTL))
    if len(chassis) < 2 or len(port) < 2 or len(ttl) < 2:
        return None
    capabilities = values.get(_CAPABILITIES, b"")
    supported, enabled = struct.unpack("!HH", capabilities[:4]) if len(capabilities) >= 4 else (0, 0)
    return Neighbour(
        chassis=_identity(chassis, _CHASSIS),
        chassis_kind=f"{_CHASSIS_KINDS.get(chassis[0], 'Unknown')} ({chassis[0]})",
        port=_identity(port, _PORT),
        port_kind=f"{_PORT_KINDS.get(port[0], 'Unknown')} ({port[0]})",
        port_description=_text(values.get(_PORT_TEXT, b"")),
        system_name=_text(values.get(_NAME, b"")),
        system_description=_text(values.get(_TEXT, b"")),
        capabilities=_letters(supported),
        capabilities_enabled=_letters(enabled),
        ttl=int.from_bytes(ttl[:2], "big"),
    )


def encode(address: str, chassis: str, port: str, name: str, description: str) -> bytes:
    """Return a port's frame; `address` and `chassis` are hardware addresses, `port` is "Eth1/1"."""
    source = _octets(address)
    parts = (
        (_CHASSIS, b"\x04" + _octets(chassis)),
        (_PORT, b"\x05" + port.encode()),
        (_TTL, struct.pack("!H", TTL_S)),
        (_NAME, name.encode()),
        (_TEXT, description.encode()),
        (_CAPABILITIES, struct.pack("!HH", _BRIDGE, _BRIDGE)),
        (_END, b""),
    )
    body = b"".join(struct.pack("!H", kind << 9 | len(value)) + value for kind, value in parts)
    return GROUP + source + struct.pack("!H", ETHERTYPE) + body.ljust(46, b"\0")


def _values(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and value of each part, up to the end or to where the frame is cut off."""
    position = 0
    while position + 2 <= len(body):
        head = int.from_bytes(body[position : position + 2], "big")
        kind, length = head >> 9, head & 0x1FF
        value = body[position + 2 : position + 2 + length]
        if kind == _END or len(value) < length:
            return
        yield kind, value
        position += 2 + length


def _identity(value: bytes, kind: int) -> str:
    if value[0] == _MAC_KINDS[kind]:
        return value[1:].hex(":")
    return _text(value[1:])


def _text(value: bytes) -> str:
    """Return a neighbour's text on one line; it may have sent anything."""
    text = value.rstrip(b"\0").decode(errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _letters(bits: int) -> str:
    return ",".join(letter for place, letter in enumerate(_LETTERS) if bits >> place & 1)


def _octets(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))
