"""A fabric for the simulated switch that a test makes up: links, addresses, neighbours and traffic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.switch.onyx_cli.fabric import Link, Neighbour, Traffic


class MemoryFabric:
    """The links of the ports `up` are up; `macs` has a port per address; `counted` has (direction, port)."""

    def __init__(
        self,
        up: Iterable[str] = (),
        macs: Mapping[str, str] | None = None,
        heard: Mapping[str, Neighbour] | None = None,
        counted: Mapping[tuple[str, str], dict[int, Traffic]] | None = None,
    ) -> None:
        self.up = set(up)
        self.macs = dict(macs or {})
        self.heard = dict(heard or {})
        self.counted = counted

    def link(self, port: str) -> Link:
        """Return a link with an address and counters that follow from the port's name."""
        number = int(port.split("/")[1])
        counters = {"rx_packets": number, "rx_bytes": 100 * number, "rx_errors": 0, "rx_dropped": 0}
        counters |= {"tx_packets": 2 * number, "tx_bytes": 200 * number, "tx_errors": 0, "tx_dropped": 0}
        up = port in self.up
        return Link(up, f"02:52:02:01:{number:02x}:00", 10000 if up else None, counters if up else {})

    def mac_table(self) -> list[tuple[str, str]]:
        """Return the made-up table."""
        return list(self.macs.items())

    def neighbours(self) -> dict[str, Neighbour]:
        """Return the made-up neighbours."""
        return self.heard

    def traffic(self, port: str, direction: str) -> dict[int, Traffic] | None:
        """Return the made-up traffic; None when the test made none up."""
        return None if self.counted is None else self.counted.get((direction, port), {})
