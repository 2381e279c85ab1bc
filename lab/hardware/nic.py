"""The ConnectX card of a node: mst, mlxconfig, ibdev2netdev, show_gids, and the pause settings of ethtool."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.hardware.pci import CARD_DEVICE
from lab.hardware.state import CARD_ADDRESS, LINK_TYPES, Machine, State, output_of

RDMA_DEVICE = "mlx5_0"
MST_DEVICE = Path(f"/dev/mst/mt{CARD_DEVICE}_pciconf0")
_ETHTOOL = "/usr/sbin/ethtool"
FIRMWARE_VERSION = "16.21.2010"


def mst(arguments: Sequence[str]) -> int:
    """Make, remove or show the devices of Mellanox's software tools."""
    machine = Machine.here()
    match list(arguments):
        case ["start"]:
            print("Starting MST (Mellanox Software Tools) driver set")
            print("Loading MST PCI module - Success\nLoading MST PCI configuration module - Success")
            print("Create devices")
            if machine.fault("mst-fails") is not None:
                print("mst start: cannot create /dev/mst", file=sys.stderr)
                return 1
            if machine.has_card():
                MST_DEVICE.parent.mkdir(exist_ok=True)
                MST_DEVICE.touch()
            print("Unloading MST PCI module (unused) - Success")
        case ["stop"]:
            print("Stopping MST (Mellanox Software Tools) driver set")
            MST_DEVICE.unlink(missing_ok=True)
        case ["status", *_]:
            print(mst_status(MST_DEVICE.exists(), machine.has_card()), end="")
        case ["version"]:
            print("mst, mft 4.8.0-26, built on Sep 27 2017, 13:43:57. Git SHA Hash: d6d57f3")
        case _:
            print("Usage:\n    mst {start|stop|status|version}", file=sys.stderr)
            return 1
    return 0


def mst_status(started: bool, card: bool) -> str:
    """Return mst's answer to `mst status`."""
    word = "loaded" if started else "is not loaded"
    modules = f"    MST PCI module is not loaded\n    MST PCI configuration module {word}\n"
    text = f"MST modules:\n------------\n{modules}\n"
    if started:
        text += "MST devices:\n------------\n"
        if not card:
            return text + "\tNo MST devices were found nor MST modules were loaded\n\n"
        gap = " " * 35
        return text + (
            f"{MST_DEVICE!s:<33}- PCI configuration cycles access.\n"
            f"{gap}domain:bus:dev.fn={CARD_ADDRESS} addr.reg=88 data.reg=92\n"
            f"{gap}Chip revision is: 00\n\n"
        )
    return text + f"PCI Devices:\n------------\n\n{CARD_ADDRESS[5:] if card else ''}\n\n"


class _MftError(Exception):
    """A tool of MFT cannot go on; it says so and ends with 3."""


def mlxconfig(arguments: Sequence[str]) -> int:
    """Show or change the card's firmware settings; a change counts from the next boot."""
    machine = Machine.here()
    device, words, options = "", [], set()
    rest = iter(arguments)
    for one in rest:
        if one in ("-d", "--dev"):
            device = next(rest, "")
        elif one.startswith("-"):
            options.add(one)
        else:
            words.append(one)
    try:
        if device and not _is_card(machine, device):
            raise _MftError(f"Failed to open the device: {device}, No such file or directory")
        if not device and not MST_DEVICE.exists():
            raise _MftError("No devices found, mst might be stopped. You may need to run 'mst start'")
        shown = device or str(MST_DEVICE)
        match words:
            case ["q" | "query", *names]:
                _query(machine, shown, names, bool({"-e", "--enable_verbosity"} & options))
            case ["s" | "set", *assignments]:
                _set(machine, shown, assignments, bool({"-y", "--yes"} & options))
            case _:
                raise _MftError("Missing or unknown command, run: mlxconfig -h")
    except _MftError as error:
        print(f"-E- {error}", file=sys.stderr)
        return 3
    return 0


def _is_card(machine: Machine, device: str) -> bool:
    if not machine.has_card():
        return False
    if device.startswith("/dev/mst/"):
        return Path(device) == MST_DEVICE and MST_DEVICE.exists()
    return device in (CARD_ADDRESS, CARD_ADDRESS[5:], RDMA_DEVICE)


def _device_head(device: str, label: str) -> str:
    return (
        f"\nDevice #1:\n----------\n\n{'Device type:':<16}ConnectX5       \n{'Name:':<16}N/A\n"
        f"{'Description:':<16}N/A\n{label:<16}{device}\n\n"
    )


def _query(machine: Machine, device: str, names: Sequence[str], verbose: bool) -> None:
    firmware = machine.hardware()["firmware"]
    for name in names:
        if name not in firmware:
            raise _MftError(f"The Device doesn't support {name} parameter")
    chosen = {name: firmware[name] for name in (names or firmware)}
    print(query_text(device, chosen, verbose), end="")


def query_text(device: str, firmware: State, verbose: bool) -> str:
    """Return mlxconfig's table of some settings; `verbose` adds the default and the current value."""
    heads = ("Default", "Current", "Next Boot") if verbose else ("Next Boot",)
    keys = ("default", "current", "next") if verbose else ("next",)
    row = "{:<9}{:<36}" + "{:<16}" * len(heads)
    lines = [f"{'Configurations:':<45}" + "".join(f"{head:<16}" for head in heads)]
    differs = False
    for name, setting in firmware.items():
        mark = "*" if verbose and len({setting[key] for key in keys}) > 1 else ""
        differs = differs or bool(mark)
        lines.append(row.format(mark, name, *(LINK_TYPES.get(setting[key], setting[key]) for key in keys)))
    if differs:
        lines.append("The '*' shows parameters with next value different from default/current value.")
    return _device_head(device, "Device:") + "\n".join(lines) + "\n"


def _set(machine: Machine, device: str, assignments: Sequence[str], assumed: bool) -> None:
    changes: dict[str, int] = {}
    firmware = machine.hardware()["firmware"]
    for one in assignments:
        name, _, value = one.partition("=")
        if name not in firmware:
            raise _MftError(f"The Device doesn't support {name} parameter")
        if not value.isdigit() or int(value) not in LINK_TYPES:
            raise _MftError(f"Failed to set configuration: Bad value for parameter {name}: {value}")
        changes[name] = int(value)
    print(_device_head(device, "Device:"), end="")
    print(f"{'Configurations:':<45}{'Next Boot':<16}New")
    for name, new in changes.items():
        print(f"{'':<9}{name:<36}{LINK_TYPES[firmware[name]['next']]:<16}{LINK_TYPES[new]:<16}")
    print("\n Apply new Configuration? (y/n) [n] : ", end="")
    if not assumed and sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print()
        raise _MftError("Aborted by user")
    print("y" if assumed else "")
    if machine.fault("firmware-set-refused") is not None:
        print("Applying... Failed!")
        raise _MftError("Failed to set configuration: ME_REG_ACCESS_RES_NOT_AVAIL")
    with machine.change_hardware() as hardware:
        for name, new in changes.items():
            hardware["firmware"][name]["next"] = new
    print("Applying... Done!\n-I- Please reboot machine to load new configurations.")


def driver_in(machine: Machine) -> bool:
    """Return whether the card has its RDMA device: the card is there, and its driver is loaded."""
    return machine.has_card() and "mlx5_ib" in machine.runtime()["modules"]


def ibdev2netdev(arguments: Sequence[str]) -> int:
    """Print which interface belongs to which RDMA device, and whether its link is up."""
    machine = Machine.here()
    if not driver_in(machine):
        return 0
    state = "Up" if _link_is_up(machine.interface) else "Down"
    detail = f"{CARD_ADDRESS} {RDMA_DEVICE} (MT{CARD_DEVICE} - MCX556A-EDAT) " if "-v" in arguments else ""
    print(f"{detail or RDMA_DEVICE + ' '}port 1 ==> {machine.interface} ({state})")
    return 0


def _link_is_up(interface: str) -> bool:
    state = Path(f"/sys/class/net/{interface}/operstate")
    return state.exists() and state.read_text().strip() == "up"


def show_gids(arguments: Sequence[str]) -> int:
    """Print the table of the RDMA device's GIDs, which follow the interface's addresses."""
    machine = Machine.here()
    mac, addresses = "", []
    if driver_in(machine):
        links = json.loads(output_of("ip", "-j", "address", "show", "dev", machine.interface))
        mac = links[0]["address"]
        addresses = [one["local"] for one in links[0]["addr_info"] if one["family"] == "inet"]
    print(gid_table(machine.interface, mac, addresses), end="")
    return 0


def gids(mac: str, addresses: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return a port's GIDs in the order of their indexes: the GID, its IPv4 address, its RoCE version."""
    if not mac:
        return []
    found = []
    octets = [int(part, 16) for part in mac.split(":")]
    eui = bytes((octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
    local = ipaddress.IPv6Address(bytes.fromhex("fe80000000000000") + eui)
    for version in ("v1", "v2"):
        found.append((local.exploded, "", version))
    for address in addresses:
        mapped = ipaddress.IPv6Address(f"::ffff:{address}").exploded
        found += [(mapped, address, version) for version in ("v1", "v2")]
    return found


def gid_table(interface: str, mac: str, addresses: Sequence[str]) -> str:
    """Return show_gids' table."""
    lines = [
        "DEV\tPORT\tINDEX\tGID\t\t\t\t\tIPv4  \t\tVER\tDEV",
        "---\t----\t-----\t---\t\t\t\t\t------------  \t---\t---",
    ]
    found = gids(mac, addresses)
    for index, (gid, address, version) in enumerate(found):
        shown = f"{address}  \t" if address else "\t\t"
        lines.append(f"{RDMA_DEVICE}\t1\t{index}\t{gid}\t{shown}{version}\t{interface}")
    return "\n".join([*lines, f"n_gids_found={len(found)}"]) + "\n"


def ethtool(arguments: Sequence[str]) -> int:
    """Answer for the card's pause settings and driver; everything else is the real ethtool's."""
    machine = Machine.here()
    given = list(arguments)
    if len(given) > 1 and given[1] == machine.interface and "mlx5_core" in machine.runtime()["modules"]:
        match given:
            case ["-a" | "--show-pause", _]:
                print(pause_text(machine.interface, machine.runtime()["pause"]), end="")
                return 0
            case ["-A" | "--pause", _, *settings]:
                return _set_pause(machine, settings)
            case ["-i" | "--driver", _]:
                print(_driver_text(machine), end="")
                return 0
    os.execv(_ETHTOOL, ["ethtool", *given])  # noqa: S606  (it becomes the real one)


def _onoff(value: bool) -> str:
    return "on" if value else "off"


def pause_text(interface: str, pause: State) -> str:
    """Return ethtool's answer to `ethtool -a`."""
    return (
        f"Pause parameters for {interface}:\n"
        f"Autonegotiate:\t{_onoff(pause['autonegotiate'])}\n"
        f"RX:\t\t{_onoff(pause['rx'])}\nTX:\t\t{_onoff(pause['tx'])}\n\n"
    )


def _set_pause(machine: Machine, settings: Sequence[str]) -> int:
    if len(settings) % 2 or not settings:
        print("ethtool: bad command line argument(s)\nFor more information run ethtool -h", file=sys.stderr)
        return 1
    pairs = dict(zip(settings[::2], settings[1::2], strict=True))
    if not set(pairs) <= {"autoneg", "rx", "tx"} or not set(pairs.values()) <= {"on", "off"}:
        print("ethtool: bad command line argument(s)\nFor more information run ethtool -h", file=sys.stderr)
        return 1
    if pairs.get("autoneg") == "on":
        # The card negotiates no pause frames.
        print("netlink error: Invalid argument", file=sys.stderr)
        return 1
    wanted = {name: value == "on" for name, value in pairs.items() if name != "autoneg"}
    with machine.change_runtime() as runtime:
        if all(runtime["pause"][name] == value for name, value in wanted.items()):
            print("rx unmodified, ignoring\ntx unmodified, ignoring\nno pause parameters changed, aborting")
            return 78
        runtime["pause"].update(wanted)
    return 0


def _driver_text(machine: Machine) -> str:
    version = machine.runtime()["modules"]["mlx5_core"]["version"] or machine.runtime()["kernel"]
    yes = "\n".join(
        f"supports-{what}: {answer}"
        for what, answer in (
            ("statistics", "yes"), ("test", "yes"), ("eeprom-access", "no"),
            ("register-dump", "no"), ("priv-flags", "yes"),
        )
    )  # fmt: skip
    return (
        f"driver: mlx5_core\nversion: {version}\nfirmware-version: {FIRMWARE_VERSION} (MT_0000000008)\n"
        f"expansion-rom-version: \nbus-info: {CARD_ADDRESS}\n{yes}\n"
    )


def reload_card(arguments: Sequence[str]) -> int:
    """Do what a reload of the card's driver does to its runtime settings: all of them are lost."""
    machine = Machine.here()
    with machine.change_runtime() as runtime:
        runtime["pause"] = {"autonegotiate": False, "rx": True, "tx": True}
    for name in (f"mlnx_qos/{machine.interface}.json", "rdma_cm"):
        kept = Path("/run/rocestack-standins") / name
        if kept.is_dir():
            for file in sorted(kept.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
        elif kept.exists():
            kept.unlink()
    return 0
