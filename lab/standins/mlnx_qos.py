#!/usr/bin/python3
"""Stand-in for Mellanox's mlnx_qos: a ConnectX card's QoS settings, kept in memory of this lab node.

Options, refusals and output follow mlnx_qos 1.2. The settings live under /run, so a reboot loses them as a
real card's runtime settings are lost. No frame is paused or scheduled by them: see lab/README.md.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from optparse import OptionParser
from pathlib import Path
from typing import Any, NoReturn

STATE = Path(os.environ.get("LAB_STANDIN_STATE", "/run/rocestack-standins/mlnx_qos"))
CARDS = Path(os.environ.get("LAB_STANDIN_SYSFS", "/run/lab-sysfs")) / "class/net"
HARDWARE = Path(os.environ.get("LAB_HARDWARE_DISK", "/var/lib/rocestack-lab")) / "hardware.json"
MAX_BUFFER = 262016

State = dict[str, Any]


def fresh() -> State:
    """Return the settings of a card that nobody touched since boot (mlx5's defaults)."""
    return {
        "dcbx": "os",
        "apps": [],  # (dscp, priority), newest first; any entry means trust state dscp
        "pfc": [0] * 8,
        "cable_len": 7,
        "prio_tc": [1, 0, 2, 3, 4, 5, 6, 7],
        "tsa": ["vendor"] * 8,
        "tc_bw": [0] * 8,
        "ratelimit": [0] * 8,
    }


def die(message: str, usage: OptionParser | None = None) -> NoReturn:
    """Say what is wrong on stdout and exit 1, as the original does."""
    print(message)
    if usage is not None:
        usage.print_usage()
    sys.exit(1)


def numbers(parser: OptionParser, text: str, top: int, what: str, count: str) -> list[int]:
    """Return the eight numbers 0..top in `text`, or exit with the original's message for this list.

    `what` names the list in the message about a wrong number, `count` in that about how many there are.
    """
    found: list[int] = []
    for item in text.split(","):
        if len(found) == 8:
            die(f"Too many items for {what}")
        try:
            number = int(item)
            if not 0 <= number <= top:
                raise ValueError(f"{number} is not in the range 0..{top}")
        except ValueError as error:
            die(f"Bad value for {what}: {error}", parser)
        found.append(number)
    if len(found) != 8:
        die(f"{count} must have 8 items")
    return found


def options_parser() -> OptionParser:
    """Return the parser of the original's options, those for buffers left out."""
    parser = OptionParser(usage="%prog -i <interface> [options]", version="%prog 1.2")
    parser.add_option("-i", "--interface", dest="intf", help="Interface name")
    parser.add_option("-f", "--pfc", metavar="LIST", help="PFC of priorities 0 to 7, each 0 or 1")
    parser.add_option("-p", "--prio_tc", metavar="LIST", help="traffic class of priorities 0 to 7")
    parser.add_option("-s", "--tsa", metavar="LIST", help="strict, ets or vendor for traffic classes 0 to 7")
    parser.add_option("-t", "--tcbw", metavar="LIST", help="bandwidth percents of traffic classes 0 to 7")
    parser.add_option("-r", "--ratelimit", metavar="LIST", help="limits (Gbps) of traffic classes 0 to 7")
    parser.add_option("-d", "--dcbx", help="os, fw or get")
    parser.add_option("--trust", help="pcp or dscp")
    parser.add_option("--dscp2prio", action="append", help="set,DSCP,PRIO or del,DSCP,PRIO or flush")
    parser.add_option("--cable_len", help="cable length in metres")
    parser.add_option("-P", "--get_pfc", metavar="PRIO", help="print 0 or 1: the PFC state of one priority")
    parser.add_option("-a", action="store_true", dest="printall", default=False, help="show all classes")
    return parser


def apply_pfc(parser: OptionParser, options: Any, state: State) -> None:
    """Set PFC and the cable length."""
    if options.cable_len:
        try:
            length = int(options.cable_len)
            if not 0 <= length <= 0xFFFF:
                raise ValueError(f"{length} is not in the range 0..65535")
        except ValueError as error:
            die(f"Bad value for cable_len: {error}", parser)
        state["cable_len"] = length
    if options.pfc:
        if HARDWARE.exists() and "mlnx_qos-refuses-pfc" in json.loads(HARDWARE.read_text())["faults"]:
            die("Netlink error: Operation not supported (95)")
        state["pfc"] = numbers(parser, options.pfc, 1, "PFC", "pfc list")


def apply_trust(parser: OptionParser, options: Any, state: State) -> None:
    """Set the trust state or the DSCP map; any entry in the map means that DSCP is trusted."""
    if options.dscp2prio and options.trust:
        die("trust and dscp2prio commands cannot be used at the same time.")
    for command in options.dscp2prio or []:
        if command == "flush":
            state["apps"] = []
            continue
        try:
            action, dscp_text, priority_text = command.split(",")
            dscp, priority = int(dscp_text), int(priority_text)
        except ValueError:
            die("Invalid dscp2prio command. Refer to the help.")
        if action not in ("set", "del") or not 0 <= dscp <= 63 or not 0 <= priority <= 7:
            die("Invalid dscp2prio command. Refer to the help.")
        if action == "set":
            state["apps"] = [[dscp, priority]] + [app for app in state["apps"] if app[0] != dscp]
        elif [dscp, priority] in state["apps"]:
            state["apps"].remove([dscp, priority])
        else:
            die("dscp2prio command failed")
    if options.trust not in (None, "pcp", "dscp"):
        die("Invalid trust state command. Refer to the help.")
    if options.trust == "pcp":
        state["apps"] = []
    if options.trust == "dscp" and not state["apps"]:
        # The firmware's default: the upper three bits of a DSCP are its priority.
        state["apps"] = [[dscp, dscp >> 3] for dscp in reversed(range(64))]


def apply_ets(parser: OptionParser, options: Any, state: State) -> None:
    """Set transmission selection, bandwidths and the map from priority to traffic class."""
    if options.tsa:
        names = options.tsa.split(",")
        if len(names) > 8:
            die("Too many items for TSA")
        for name in names:
            if name not in ("strict", "ets", "vendor"):
                print("Bad TSA value: ", name)
                parser.print_usage()
                sys.exit(1)
        if len(names) != 8:
            die("tsa list must have 8 items")
        state["tsa"] = names
        state["tc_bw"] = [bw if tsa == "ets" else 0 for bw, tsa in zip(state["tc_bw"], names, strict=True)]
    if options.tcbw:
        percents = numbers(parser, options.tcbw, 100, "ETS BW", "tcbw list")
        if any(bw and tsa != "ets" for bw, tsa in zip(percents, state["tsa"], strict=True)):
            die("ETS BW for a strict/vendor TC must be 0", parser)
        state["tc_bw"] = percents
    if options.prio_tc:
        state["prio_tc"] = numbers(parser, options.prio_tc, 7, "UP => TC mapping", "prio_tc list")
    asked = options.tsa or options.tcbw or options.prio_tc
    if asked and "ets" in state["tsa"] and sum(state["tc_bw"]) != 100:
        # The driver refuses it; the tool shows netlink's answer.
        die("Netlink error: Bad value. see dmesg.")


def apply_rest(parser: OptionParser, options: Any, state: State) -> None:
    """Set the DCBX mode and the rate limits."""
    if options.dcbx in ("os", "fw"):
        state["dcbx"] = options.dcbx
    elif options.dcbx not in (None, "get"):
        die("Invalid dcbx mode command. Refer to the help.")
    if options.ratelimit:
        state["ratelimit"] = numbers(parser, options.ratelimit, 1000000, "ratelimit", "ratelimit")


def show(state: State, printall: bool) -> None:
    """Print the settings in the original's form."""
    print("DCBX mode: OS controlled" if state["dcbx"] == "os" else "DCBX mode: Firmware controlled")
    print("Priority trust state: " + ("dscp" if state["apps"] else "pcp"))
    if state["apps"]:
        print("dscp2prio mapping:")
        for priority in range(8):
            dscps = [f"{dscp:02d}," for dscp, of in state["apps"] if of == priority]
            for start in range(0, len(dscps), 8):
                print(f"\tprio:{priority} dscp:" + "".join(dscps[start : start + 8]))
    # The driver gives lossless priorities a receive buffer of their own.
    lossless = any(state["pfc"])
    sizes = [MAX_BUFFER // 2, MAX_BUFFER // 2] if lossless else [MAX_BUFFER, 0]
    buffers = "".join(f"{size}," for size in sizes + [0] * 6)
    print(f"Receive buffer size (bytes): {buffers}max_buffer_size={MAX_BUFFER}")
    print(f"Cable len: {state['cable_len']}")
    row = "   ".join(str(bit) for bit in state["pfc"]) + "   "
    print("PFC configuration:\n\tpriority    0   1   2   3   4   5   6   7")
    print(f"\tenabled     {row}\n\tbuffer      {row}")
    classes: dict[int, list[int]] = {tc: [] for tc in range(8)} if printall else {}
    for priority, tc in enumerate(state["prio_tc"]):
        classes.setdefault(tc, []).append(priority)
    for tc, priorities in classes.items():
        limit = f"{float(state['ratelimit'][tc]):.1f} Gbps" if state["ratelimit"][tc] else "unlimited"
        tsa = state["tsa"][tc]
        share = f", bw: {state['tc_bw'][tc]}%" if tsa == "ets" else ""
        print(f"tc: {tc} ratelimit: {limit}, tsa: {tsa}{share}")
        for priority in priorities:
            print(f"\t priority:  {priority}")


def main() -> None:
    """Read the options, change what they ask for, print the settings."""
    parser = options_parser()
    options, arguments = parser.parse_args()
    if arguments:
        die("Bad arguments", parser)
    if options.intf is None:
        die("Interface name is required", parser)
    changes = (
        options.pfc,
        options.cable_len,
        options.trust,
        options.dscp2prio,
        options.tsa,
        options.tcbw,
        options.prio_tc,
        options.ratelimit,
        None if options.dcbx == "get" else options.dcbx,
    )
    changing = any(change is not None for change in changes)
    if not (CARDS / options.intf / "ecn").is_dir():
        # Not a ConnectX interface (or none at all): the kernel's DCB calls fail.
        if changing:
            die("Netlink error: Operation not supported (95)")
        print("Priority trust state is not supported on your system")
        print("Buffers commands are not supported on your system")
        print("Rate limit is not supported on your system!")
        die("ETS features are not supported on your system")
    if changing and os.geteuid() != 0:
        die("Netlink error: Operation not permitted (1)")

    file = STATE / f"{options.intf}.json"
    if not changing:
        state = json.loads(file.read_text()) if file.exists() else fresh()
    else:
        STATE.mkdir(parents=True, exist_ok=True)
        with open(STATE / f"{options.intf}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = json.loads(file.read_text()) if file.exists() else fresh()
            # As the original: what came before the first refusal stays set.
            for apply in (apply_rest, apply_pfc, apply_trust, apply_ets):
                apply(parser, options, state)
                new = file.with_suffix(".new")
                new.write_text(json.dumps(state))
                new.replace(file)
    if options.get_pfc is not None:
        if not options.get_pfc.isdigit() or int(options.get_pfc) > 7:
            die("Bad value for get_pfc", parser)
        print(state["pfc"][int(options.get_pfc)])
        return
    show(state, options.printall)


if __name__ == "__main__":
    main()
