"""What can go wrong on a machine of the lab: faults that are switched on and off there."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.hardware.state import Machine

NODE, VENDOR = "node", "vendor"
_TOOL_PLACES = ("/usr/local/sbin/mlnx_qos", "/usr/bin/mlnx_qos")
_SLOW_SSH = Path("/etc/ssh/sshd_config.d/lab-fault.conf")
_APT_LOCKER = "lab-apt-locked"
_LOCK_DEADLINE_S = 30


@dataclass(frozen=True)
class Fault:
    """One fault: the machines that can have it, what it does, and the argument that it takes."""

    where: str
    what: str
    argument: str = ""
    default: str = ""


FAULTS: dict[str, Fault] = {
    "link-down": Fault(NODE, "the cable is pulled: no carrier at the data interface; a reboot plugs it in"),
    "no-gpu": Fault(NODE, "no GPU on the PCI bus"),
    "no-card": Fault(NODE, "no ConnectX card on the PCI bus"),
    "gpu-fell-off": Fault(
        NODE, "the last GPU is lost: nvidia-smi ends with status 15 until a person steps in"
    ),
    "nouveau-returns": Fault(NODE, "the next boot loads nouveau whatever the initramfs says"),
    "secure-boot-on": Fault(NODE, "the firmware wants signatures, which modules built by dkms do not have"),
    "driver-module-missing": Fault(NODE, "modprobe does not find the nvidia module that dkms built"),
    "dkms-build-fails": Fault(NODE, "dkms builds nothing, and ends with status 10"),
    "ofed-install-fails": Fault(NODE, "mlnxofedinstall ends with this code", "CODE", "1"),
    "openibd-fails": Fault(NODE, "openibd cannot load the card's driver"),
    "mst-fails": Fault(NODE, "mst start makes no devices"),
    "firmware-set-refused": Fault(NODE, "mlxconfig set is refused by the firmware"),
    "mlnx_qos-refuses-pfc": Fault(NODE, "mlnx_qos -f ends with a netlink error"),
    "no-mlnx_qos": Fault(NODE, "the tool mlnx_qos is not there"),
    "apt-locked": Fault(NODE, "another program holds dpkg's lock; a reboot ends it"),
    "disk-full": Fault(NODE, "no space is left below /var/cache; a reboot ends it"),
    "sshd-slow": Fault(NODE, "each login takes this long", "SECONDS", "5"),
    "wrong-checksum": Fault(VENDOR, "each .iso and .deb arrives with its last byte changed"),
    "vendor-unreachable": Fault(VENDOR, "each download ends with HTTP status 503"),
    "vendor-slow": Fault(VENDOR, "each download begins after this long", "SECONDS", "5"),
}

# What a reboot ends by itself: a mount, a process, and the engine's end of a cable that is made anew.
UNTIL_REBOOT = ("link-down", "apt-locked", "disk-full")


def fault(arguments: Sequence[str]) -> int:
    """`is NAME` prints its argument or ends with 1; `set NAME on|off [ARGUMENT]` switches; `list` prints."""
    machine = Machine.here()
    match list(arguments):
        case ["is", name]:
            argument = machine.fault(name)
            if argument is None:
                return 1
            print(argument)
        case ["set", name, "on" | "off" as state, *rest] if name in FAULTS:
            switch(machine, name, (rest[0] if rest else FAULTS[name].default) if state == "on" else None)
        case ["list"]:
            for name, argument in sorted(machine.hardware()["faults"].items()):
                print(f"{name} {argument}".rstrip())
        case _:
            print("usage: fault is NAME | set NAME on|off [ARGUMENT] | list", file=sys.stderr)
            return 64
    return 0


def switch(machine: Machine, name: str, argument: str | None) -> None:
    """Switch a fault on with its argument, or off (None)."""
    with machine.change_hardware() as hardware:
        if argument is None:
            hardware["faults"].pop(name, None)
        else:
            hardware["faults"][name] = argument
    if name in _ACTIONS:
        _ACTIONS[name](argument)


def _hide_mlnx_qos(argument: str | None) -> None:
    for place in map(Path, _TOOL_PLACES):
        hidden = place.with_name(".mlnx_qos.hidden")
        if argument is not None and place.exists():
            place.rename(hidden)
        elif argument is None and hidden.exists():
            hidden.rename(place)


def _lock_apt(argument: str | None) -> None:
    if argument is None:
        subprocess.run(["systemctl", "stop", _APT_LOCKER], check=False)
        return
    hold = (
        "import fcntl, time; "
        "locks = [open(f'/var/lib/dpkg/{name}', 'w') for name in ('lock-frontend', 'lock')]; "
        "[fcntl.lockf(lock, fcntl.LOCK_EX) for lock in locks]; time.sleep(86400)"
    )
    subprocess.run(
        ["systemd-run", "--quiet", "--collect", f"--unit={_APT_LOCKER}", "python3", "-c", hold], check=True
    )
    end = time.monotonic() + _LOCK_DEADLINE_S
    while not _locked() and time.monotonic() < end:
        time.sleep(0.1)


def _locked() -> bool:
    with open("/var/lib/dpkg/lock-frontend", "w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _fill_disk(argument: str | None) -> None:
    if argument is None:
        subprocess.run(["umount", "/var/cache"], check=True)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "full", "/var/cache"], check=True)
    try:
        Path("/var/cache/full").write_bytes(b"\0" * 65536)
    except OSError:
        return


def _slow_sshd(argument: str | None) -> None:
    if argument is None:
        _SLOW_SSH.unlink(missing_ok=True)
    else:
        # It finds no key, and only then the usual file is read.
        _SLOW_SSH.write_text(
            f"AuthorizedKeysCommand /usr/bin/sleep {argument}\nAuthorizedKeysCommandUser root\n"
        )
    subprocess.run(["systemctl", "reload", "ssh"], check=True)


_ACTIONS: dict[str, Callable[[str | None], None]] = {
    "no-mlnx_qos": _hide_mlnx_qos,
    "apt-locked": _lock_apt,
    "disk-full": _fill_disk,
    "sshd-slow": _slow_sshd,
}
