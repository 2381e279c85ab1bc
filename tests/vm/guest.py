"""Guests for tests: a pair of their own beside a lab's, reached by the project's own way over SSH."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from pydantic import SecretStr

from components.rendering import render
from facts.boot import REBOOT_STATUS, Wait
from facts.files import wanted_facts
from facts.reboot import await_reboot
from facts.ssh import Result, Unreachable, run_script
from lab.keys import ensure_keys, public_key
from lab.plan import Kind
from lab.vm import accelerator, process
from lab.vm.files import GuestFolder, VmFiles
from lab.vm.guests import start, stop
from lab.vm.image import media
from lab.vm.plan import Guest, plan_guests
from lab.vm.setup import load
from lab.wait import Target, wait
from settings import flat
from settings.models import HostAccess
from tests.waiting import wait_until

STACK = "vmtest"
PORT_BASE = 22540
SCRIPT_S = 300.0
BOOT_S = 900.0


def plan(files: VmFiles, count: int = 2, memory_mb: int = 1024) -> list[Guest]:
    """Return guests on ports of their own; the first two have the names of the stack's hosts."""
    choice = accelerator.read(files)
    assert choice is not None, "make vm-setup chooses an accelerator"
    names = [f"clx-vm-{41 + number}" for number in range(count)]
    ensure_keys(files.lab, names)
    keys = {host.name: public_key(files.lab.host_key(host.name)) for host in load().hosts}
    first = next(iter(plan_guests(load(), STACK, media(files), choice.accelerator, keys).values()))
    return [
        replace(first, name=name, place=place, port=PORT_BASE + place, guests=count, memory_mb=memory_mb)
        for place, name in enumerate(names, start=1)
    ]


class Machine:
    """One guest that a test starts and asks."""

    def __init__(self, guest: Guest, files: VmFiles, stack: str = STACK) -> None:
        self.guest = replace(guest, stack=stack)
        self.files = files

    @property
    def own(self) -> GuestFolder:
        return self.files.guest(self.guest.stack, self.guest.name)

    @property
    def pid(self) -> int | None:
        """The process that is the guest, None when there is none."""
        return process.running(self.own.pid)

    def start(self) -> str:
        return start(self.guest, self.files)

    def stop(self) -> None:
        stop(self.guest, self.files)

    def wait(self) -> float:
        """Wait until the guest's own SSH answers and its units are up; return the seconds."""
        key = public_key(self.files.lab.host_key(self.guest.name))
        target = Target(self.guest.name, Kind.GUEST, self.guest.port, key, self.guest.stack)
        return wait(target, self.files.lab, BOOT_S)

    @property
    def access(self) -> HostAccess:
        """How the components' steps log in."""
        lab = self.files.lab
        return HostAccess(
            name=self.guest.name,
            address="127.0.0.1",
            port=self.guest.port,
            user="root",
            host_key=public_key(lab.host_key(self.guest.name)),
            private_key=SecretStr(lab.client_key.read_text()),
            private_key_file=str(lab.client_key),
            known_hosts_file="",
        )

    def script(self, text: str, stdin: str = "", deadline: float = SCRIPT_S) -> Result:
        """Run `text` under bash in the guest and return how it ended."""
        return asyncio.run(run_script(self.access, text, stdin, deadline))

    def run(self, text: str, deadline: float = SCRIPT_S) -> str:
        """Run `text` under bash in the guest, which must end well; return what it printed."""
        done = self.script(text, deadline=deadline)
        assert done.status == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self, step: str, wanted: Mapping[str, str]) -> Result:
        """Run a step's own apply script with these settings, as the program does."""
        script = render(f"{step.replace('.', '/')}.apply.sh.j2")
        beside = {"generation": "1", "node": str(self.guest.generation)}
        lines = {**wanted, **wanted_facts(step, wanted), **beside}
        return self.script(script, flat.render(lines))

    def settle(self, step: str, wanted: Mapping[str, str]) -> tuple[Result, bool]:
        """Run a step, and once more in the next boot if it asks for one; return whether it did, too."""
        done = self.apply(step, wanted)
        if done.status != REBOOT_STATUS:
            return done, False
        asyncio.run(await_reboot(self.access, Wait(self.guest.name, step, "auto", BOOT_S), print))
        return self.apply(step, wanted), True

    def boot_id(self) -> str:
        return self.run("cat /proc/sys/kernel/random/boot_id").strip()

    def reboot(self) -> float:
        """Reboot as a person does, wait until the next boot is up; return the seconds until then."""
        before, begun = self.boot_id(), time.monotonic()
        self.script("systemd-run --on-active=1 systemctl reboot")

        def booted() -> bool:
            try:
                return self.boot_id() != before
            except Unreachable:
                return False

        wait_until(booted, BOOT_S, f"reboot of {self.guest.name}")
        self.wait()
        return time.monotonic() - begun
