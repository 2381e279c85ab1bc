"""Kernel module files without code: an ELF object with nothing but what depmod and modinfo read."""

from __future__ import annotations

import struct
from collections.abc import Mapping

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_IDENT = b"\x7fELF\x02\x01\x01" + b"\0" * 9
_RELOCATABLE, _X86_64 = 1, 62
_PROGBITS, _STRTAB = 1, 3
_NAMES = b"\0.modinfo\0.shstrtab\0"


def module(info: Mapping[str, str | list[str]]) -> bytes:
    """Return a module file whose .modinfo section has these entries; a list gives one entry per item."""
    entries = [
        f"{key}={value}"
        for key, values in info.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    modinfo = b"".join(entry.encode() + b"\0" for entry in entries)
    modinfo_at = _HEADER.size
    names_at = modinfo_at + len(modinfo)
    sections_at = (names_at + len(_NAMES) + 7) & ~7
    header = _HEADER.pack(
        _IDENT, _RELOCATABLE, _X86_64, 1, 0, 0, sections_at, 0, _HEADER.size, 0, 0, _SECTION.size, 3, 2
    )
    sections = [
        _SECTION.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        _SECTION.pack(_NAMES.index(b".modinfo"), _PROGBITS, 2, 0, modinfo_at, len(modinfo), 0, 0, 1, 0),
        _SECTION.pack(_NAMES.index(b".shstrtab"), _STRTAB, 0, 0, names_at, len(_NAMES), 0, 0, 1, 0),
    ]
    padding = b"\0" * (sections_at - names_at - len(_NAMES))
    return header + modinfo + _NAMES + padding + b"".join(sections)


def module_info(file: bytes) -> dict[str, str]:
    """Return the entries of a module file that `module` made, the last of a key that comes often."""
    sections_at = _HEADER.unpack_from(file)[6]
    _, _, _, _, offset, size, *_ = _SECTION.unpack_from(file, sections_at + _SECTION.size)
    entries = file[offset : offset + size].split(b"\0")
    return dict(entry.decode().split("=", 1) for entry in entries if b"=" in entry)
