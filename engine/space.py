"""Disk space that set-up takes: every amount stands here, and is checked before anything is made."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError

MEGABYTE = 1_000_000
# Measured on Debian 12, x86_64, and rounded up.
PYTHON_PACKAGES = 400 * MEGABYTE
CLI = 300 * MEGABYTE
CLI_BUILD = 4_500 * MEGABYTE
PLUGINS = 300 * MEGABYTE
WHEELS = 200 * MEGABYTE


@dataclass(frozen=True)
class Need:
    """Bytes that one part of set-up takes at a place, perhaps only for a while."""

    place: Path
    amount: int
    purpose: str


@dataclass(frozen=True)
class Disk:
    """The file system that a need falls on: its device number and its free bytes."""

    device: int
    free: int


def check(needs: Iterable[Need]) -> None:
    """Raise EngineError when a file system lacks the space for all that would be written to it."""
    wanted = list(needs)
    problem = shortage([(need, disk_of(need.place)) for need in wanted])
    if problem:
        raise EngineError(problem, "Free some space, then run the same command again. Nothing was changed.")


def shortage(needs: Iterable[tuple[Need, Disk]]) -> str:
    """Return what lacks space, in one sentence, or an empty text. Needs on one device add up."""
    by_device: dict[int, list[tuple[Need, Disk]]] = {}
    for need, disk in needs:
        by_device.setdefault(disk.device, []).append((need, disk))
    lacking = []
    for together in by_device.values():
        total, free = sum(need.amount for need, _ in together), together[0][1].free
        if total > free:
            parts = ", ".join(f"{need.purpose} {show(need.amount)}" for need, _ in together)
            lacking.append(f"{together[0][0].place} has {show(free)} free, {show(total)} is needed ({parts})")
    return f"No disk space: {'; '.join(lacking)}." if lacking else ""


def disk_of(place: Path) -> Disk:
    """Return the file system of a place, or of the nearest folder above it that exists."""
    while True:
        try:
            # Available: what a user who is not root may still write.
            found = os.statvfs(place)
            return Disk(place.stat().st_dev, found.f_bavail * found.f_frsize)
        except OSError:
            if place == place.parent:
                raise
            place = place.parent


def show(amount: int) -> str:
    """Return `1.4 GB` or `26 MB`."""
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"
