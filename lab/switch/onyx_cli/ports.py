"""The switch's ports as the machine has them: link state and counters of the interfaces swp1 … swp32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys/class/net")
_COUNTERS = ("rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_bytes", "tx_dropped")


@dataclass(frozen=True)
class Link:
    """A port's link: whether a cable is there and up, its hardware address, and its counters."""

    up: bool = False
    address: str = "00:00:00:00:00:00"
    counters: tuple[tuple[str, int], ...] = tuple((name, 0) for name in _COUNTERS)


def read_link(port: str, sysfs: Path = SYSFS) -> Link:
    """Return the link of `port` ("1/7" is the interface swp7); without such an interface it is down."""
    folder = sysfs / f"swp{port.split('/')[1]}"
    try:
        state = (folder / "operstate").read_text().strip()
        address = (folder / "address").read_text().strip()
        counters = tuple((name, int((folder / "statistics" / name).read_text())) for name in _COUNTERS)
    except OSError:
        # No interface of that name, or it was unplugged while we read.
        return Link()
    return Link(state in ("up", "unknown"), address, counters)
