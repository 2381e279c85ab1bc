"""The virtual machines of a lab: what kind of lab it is, and how large its guests are."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.section import Section


class LabBackend(StrEnum):
    """What a lab's hosts are: containers on the operator's kernel, or virtual machines with their own."""

    CONTAINER = "container"
    VM = "vm"


class Accelerator(StrEnum):
    """What runs a guest: the processor itself (`kvm`), QEMU's emulation (`tcg`), or what set-up found."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


class Guests(Section):
    """What each virtual machine of a lab gets of the operator's; memory is taken as the guest uses it.

    `auto` takes `kvm` where a guest was seen to boot with it, else `tcg`.
    """

    memory_mb: Annotated[int, Field(ge=768, le=262_144)] = 2048
    vcpus: Annotated[int, Field(ge=1, le=64)] = 1
    accelerator: Accelerator = Accelerator.AUTO
