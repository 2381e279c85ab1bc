"""What the virtual machines of a stack are, worked out from its settings alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab.errors import LabError
from lab.plan import ports
from settings.models import Stack

# Two guests are joined by a pair of sockets; more of them by a program that switches (lab/vm/switch.py).
_PAIR = 2
_TEXTS = ("name", "stack", "image", "loader", "data", "data_interface", "accelerator", "fingerprint")
_NUMBERS = ("port", "memory_mb", "vcpus", "place", "guests", "generation", "start")


@dataclass(frozen=True)
class Media:
    """The files that guests start from, by their names below `.lab/vm/images`."""

    image: str
    loader: str
    data: str


@dataclass(frozen=True)
class Guest:
    """One virtual machine. `place` counts the stack's guests from 1, `port` is its SSH on loopback.

    `generation` counts how often it was made, each time with an empty disk; `start` how often one that had
    died was started again. `fingerprint` names what its disk is made from and what it is called.
    """

    name: str
    stack: str
    place: int
    guests: int
    port: int
    memory_mb: int
    vcpus: int
    data_interface: str
    image: str
    loader: str
    data: str
    accelerator: str
    fingerprint: str = ""
    generation: int = 1
    start: int = 1

    @property
    def management_mac(self) -> str:
        return f"52:54:00:52:01:{self.place:02x}"

    @property
    def data_mac(self) -> str:
        return f"52:54:00:52:02:{self.place:02x}"

    @property
    def switched(self) -> bool:
        """Whether its data frames go through the switching program."""
        return self.guests > _PAIR

    @property
    def data_sockets(self) -> tuple[str, str]:
        """The names of the guest's own end of its data link, and of the other end."""
        other = f"switch-{self.place}" if self.switched else f"data-{_PAIR + 1 - self.place}"
        return f"data-{self.place}", other

    def lines(self) -> dict[str, str]:
        """Return the guest as a step's settings; `guest_from` reads them."""
        return {key: str(getattr(self, key)) for key in (*_TEXTS, *_NUMBERS)}


def guest_from(lines: Mapping[str, str]) -> Guest:
    """Return the guest in a step's settings; LabError when one is missing or wrong."""
    try:
        numbers = {key: int(lines[key]) for key in _NUMBERS}
        return Guest(**{key: lines[key] for key in _TEXTS}, **numbers)  # type: ignore[arg-type]
    except (KeyError, ValueError) as error:
        raise LabError(
            f"`lab vm` did not understand its input: {error}",
            f"it wants the lines {', '.join((*_TEXTS, *_NUMBERS))} on stdin.",
        ) from None


def plan_guests(
    stack: Stack, stack_name: str, media: Media, accelerator: str, keys: Mapping[str, str]
) -> dict[str, Guest]:
    """Return the guests of a stack by name, each in its first generation.

    `keys` has, for each guest, the text of the keys that it gets: with others it is another guest.
    """
    if stack.lab is None:
        raise LabError("This stack has no lab: it names metal.", "choose the stack `vmlab`.")
    size, published = stack.lab.guests, ports(stack)
    guests = {}
    for place, host in enumerate(stack.hosts, start=1):
        guest = Guest(
            name=host.name,
            stack=stack_name,
            place=place,
            guests=len(stack.hosts),
            port=published[host.name],
            memory_mb=size.memory_mb,
            vcpus=size.vcpus,
            data_interface=stack.network.data_interface,
            image=media.image,
            loader=media.loader,
            data=media.data,
            accelerator=accelerator,
        )
        guests[host.name] = replace(guest, fingerprint=_fingerprint(guest, keys[host.name]))
    return guests


def _fingerprint(guest: Guest, keys: str) -> str:
    """Return what names the guest's disk: its size in memory and its start leave the disk as it is."""
    values = [guest.name, guest.image, guest.data_interface, keys]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]
