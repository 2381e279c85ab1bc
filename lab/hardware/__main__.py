"""All stand-in tools in one program: ``python3 -m lab.hardware TOOL ARGUMENT…``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

# Which module has a tool; only that one is read, because some tools run often.
TOOLS = {
    "boot": "boot", "lspci": "pci", "lsmod": "modules", "modprobe": "modules", "modinfo": "modules",
    "rmmod": "modules", "mst": "nic", "mlxconfig": "nic", "ibdev2netdev": "nic", "show_gids": "nic",
    "ethtool": "nic", "reload_card": "nic", "nvidia_smi": "gpu", "nvidia_debugdump": "gpu",
    "fault": "faults", "mokutil": "boot", "dkms": "dkms",
    "nvidia_ctk": "container", "vendor_web": "web",
}  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Run one tool and return its status."""
    if not arguments or arguments[0].replace("-", "_") not in TOOLS:
        print(f"usage: python3 -m lab.hardware {'|'.join(TOOLS)} …", file=sys.stderr)
        return 64
    name = arguments[0].replace("-", "_")
    tool: Callable[[Sequence[str]], int] = getattr(import_module(f"lab.hardware.{TOOLS[name]}"), name)
    return tool(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
