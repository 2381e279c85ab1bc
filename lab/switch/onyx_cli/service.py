"""What the lab's operator does to the simulated switch behind its command line: faults, release, counters."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from .__main__ import STATE_FOLDER, open_store
from .fabric import AGENT_FILE, SYSFS, MachineFabric
from .faults import KINDS, Fault, FaultError, from_settings
from .names import existing
from .release import Release
from .store import FileStore

_USAGE = """\
usage: faults                                the faults that are switched on
       fault <kind> [<setting>=<value> …]    switch a fault on
       clear                                 switch all faults off
       release [<release>]                   show or set the release that the switch claims to run
       counters                              packets and bytes by port, direction and DSCP, as JSON
kinds and their settings:
       reject       command=<n> [times=<n>]                            {reject}
       drop         command=<n> [times=<n>] [when=before|after]        {drop}
       other-admin  line=<command> command=<n> [when=before|after]     {other-admin}
       full-flash                                                      {full-flash}
       link-down    port=<port>                                        {link-down}
       slow         seconds=<seconds>                                  {slow}
A command's number counts from 1 from now on, and only commands that change the switch; with every=yes all.
"""


def main(arguments: list[str]) -> int:
    """Carry out one command and return the exit status."""
    folder = Path(os.environ.get("ONYX_STATE_DIR", STATE_FOLDER))
    if os.geteuid() == 0 and folder.stat().st_uid != 0:
        # The files have to stay writable for the sessions, which are the switch's user's.
        os.setgid(folder.stat().st_gid)
        os.setuid(folder.stat().st_uid)
    fabric = MachineFabric(
        Path(os.environ.get("ONYX_SYSFS", SYSFS)), Path(os.environ.get("ONYX_AGENT_FILE", AGENT_FILE))
    )
    try:
        print(_carry_out(open_store(fabric), fabric, arguments), end="")
    except (FaultError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except _UsageError:
        print(usage(), end="", file=sys.stderr)
        return 64
    return 0


def usage() -> str:
    """Return the commands and the kinds of faults."""
    return _USAGE.format(**KINDS)


class _UsageError(Exception):
    """The arguments are no command."""


def _carry_out(store: FileStore, fabric: MachineFabric, arguments: list[str]) -> str:
    match arguments:
        case ["faults"]:
            with store.faults() as switched_on:
                return "".join(f"{_shown(fault)}\n" for fault in switched_on)
        case ["fault", kind, *settings] if all("=" in setting for setting in settings):
            fault = from_settings(kind, dict(setting.split("=", 1) for setting in settings))
            with store.faults() as switched_on:
                switched_on.append(fault)
            return f"on: {_shown(fault)}\n"
        case ["clear"]:
            with store.faults() as switched_on:
                switched_on.clear()
            return ""
        case ["release"]:
            return f"{store.release.text}\n"
        case ["release", text]:
            store.set_release(Release(text))
            return ""
        case ["counters"]:
            return json.dumps(_counters(store, fabric), indent=1) + "\n"
    raise _UsageError


def _shown(fault: Fault) -> str:
    """Return the fault as one line, with the settings of its kind."""
    at = [f"command={fault.command}", f"times={fault.times}", f"every={'yes' if fault.every else 'no'}"]
    settings = {
        "reject": at,
        "drop": [*at, f"when={fault.when}"],
        "other-admin": [*at, f"when={fault.when}", f"line={fault.line}"],
        "link-down": [f"port={fault.port}"],
        "slow": [f"seconds={fault.seconds:g}"],
    }.get(fault.kind, [])
    counted = [f"({fault.seen} commands so far)"] if "command" in "".join(settings) else []
    return " ".join([fault.kind, *settings, *counted])


def _counters(store: FileStore, fabric: MachineFabric) -> dict[str, dict[str, dict[int, list[int]] | None]]:
    """Return packets and bytes by port, direction and DSCP; null where nothing counts them."""
    with store.locked() as switch:
        splits = switch.running.splits
    found: dict[str, dict[str, dict[int, list[int]] | None]] = {}
    for port in existing(splits):
        ways = {way: fabric.traffic(port, way) for way in ("rx", "tx")}
        found[port] = {
            way: None
            if rows is None
            else {dscp: [row.packets, row.bytes] for dscp, row in sorted(rows.items())}
            for way, rows in ways.items()
        }
    return found
