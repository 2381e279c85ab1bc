"""The command that runs a guest: pure, so that all of it is seen in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.vm.plan import Guest

PROGRAM = "qemu-system-x86_64"
# What an emulated processor is. One with all features is several times slower: programs then choose vector
# and cipher instructions that are fast on hardware, and are carried out one by one here.
_EMULATED = "qemu64"


@dataclass(frozen=True)
class Paths:
    """The files and sockets of one guest on this machine."""

    image: Path
    loader: Path
    data: Path
    disk: Path
    console: Path
    pid: Path
    sockets: Path
    host_key: Path
    client_key_pub: Path

    def control(self, guest: Guest) -> Path:
        """The socket on which QEMU takes orders (QMP)."""
        return self.sockets / f"control-{guest.place}"


def command(guest: Guest, paths: Paths) -> list[str]:
    """Return the command that starts the guest and leaves it running.

    Slots on the PCI bus are fixed, so that a guest finds its hardware as it left it.
    """
    return [
        PROGRAM,
        *("-name", f"rocestack-{guest.stack}-{guest.name}"),
        *_machine(guest),
        *_disks(paths),
        *_management(guest),
        *_data_link(guest, paths),
        *("-device", "virtio-rng-pci,addr=0x6"),
        *_identity(guest, paths),
        *("-chardev", f"file,id=console,path={_escaped(paths.console)},append=on"),
        *("-serial", "chardev:console"),
        *("-qmp", f"unix:{_escaped(paths.control(guest))},server=on,wait=off"),
        *("-daemonize", "-pidfile", str(paths.pid)),
    ]


def _machine(guest: Guest) -> list[str]:
    accelerated = guest.accelerator == "kvm"
    return [
        *("-machine", "q35"),
        *("-accel", "kvm" if accelerated else "tcg,thread=multi"),
        *("-cpu", "host" if accelerated else _EMULATED),
        *("-smp", str(guest.vcpus), "-m", str(guest.memory_mb)),
        *("-nodefaults", "-no-user-config", "-display", "none"),
    ]


def _disks(paths: Paths) -> list[str]:
    """The boot disc, the guest's own disk, and the data set's archives for reading.

    What the guest writes may wait in this machine's memory (cache=unsafe): its data outlive the guest, but
    not a crash of this machine.
    """
    return [
        *("-drive", f"file={_escaped(paths.loader)},format=raw,if=none,id=loader,media=cdrom,readonly=on"),
        *("-device", "ide-cd,drive=loader,bootindex=0"),
        *("-drive", f"file={_escaped(paths.disk)},format=qcow2,if=none,id=root,cache=unsafe,discard=unmap"),
        *("-device", "virtio-blk-pci,drive=root,addr=0x4"),
        *("-drive", f"file={_escaped(paths.data)},format=raw,if=none,id=data,readonly=on"),
        *("-device", "virtio-blk-pci,drive=data,addr=0x5"),
    ]


def _management(guest: Guest) -> list[str]:
    """SSH from loopback into the guest, and no way out of it."""
    forward = f"hostfwd=tcp:127.0.0.1:{guest.port}-:22"
    return [
        *("-netdev", f"user,id=management,restrict=on,{forward}"),
        *("-device", f"virtio-net-pci,netdev=management,mac={guest.management_mac},addr=0x2,romfile="),
    ]


def _data_link(guest: Guest, paths: Paths) -> list[str]:
    """The data network: each frame is one datagram between sockets of this machine."""
    here, there = (_escaped(paths.sockets / name) for name in guest.data_sockets)
    link = f"local.type=unix,local.path={here},remote.type=unix,remote.path={there}"
    return [
        *("-netdev", f"dgram,id=data,{link}"),
        *("-device", f"virtio-net-pci,netdev=data,mac={guest.data_mac},addr=0x3,romfile="),
    ]


def _identity(guest: Guest, paths: Paths) -> list[str]:
    """What makes the image this guest; lab/vm/guest/rootfs/usr/lib/rocestack-lab/identity reads it."""
    texts = {
        "hostname": guest.name,
        "data_interface": guest.data_interface,
        "management_mac": guest.management_mac,
        "data_mac": guest.data_mac,
    }
    public = paths.host_key.with_name(paths.host_key.name + ".pub")
    files = {"host_key": paths.host_key, "host_key_pub": public, "client_key_pub": paths.client_key_pub}
    options: list[str] = []
    for name, text in texts.items():
        options += ["-fw_cfg", f"name=opt/rocestack/{name},string={text}"]
    for name, path in files.items():
        options += ["-fw_cfg", f"name=opt/rocestack/{name},file={_escaped(path)}"]
    return options


def _escaped(path: Path) -> str:
    """Return a path as it stands in an option: QEMU takes a comma for the option's end."""
    return str(path).replace(",", ",,")
