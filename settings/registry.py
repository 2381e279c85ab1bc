"""The image registry of a stack, and how the image comes from the machine that built it to all hosts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.section import Section

# host:port of a registry, as it stands before the first slash of an image's name.
RegistryAddress = Annotated[str, Field(pattern=r"^[a-z0-9.-]+:\d{1,5}$")]


class Distribution(StrEnum):
    """How the image comes to the hosts.

    `registry` pushes it once, and every host pulls it by its digest. `stream` sends it over SSH to each host,
    all at once, and needs no registry. `build-everywhere` has every host build it for itself, of the same
    context: the images are alike by their content's hash, and not the same bytes.
    """

    REGISTRY = "registry"
    STREAM = "stream"
    BUILD_EVERYWHERE = "build-everywhere"


class RegistryServer(StrEnum):
    """Whose registry it is: one that the stack names, or one of ours on the head host."""

    NAMED = "named"
    HEAD_HOST = "head-host"


class Registry(Section):
    """The image registry, for image.distribution `registry` alone.

    A `named` one has TLS and is reached at `address` by the hosts and at `push_address` by the operator's
    engine; `ca_file` is the PEM file of its CA's certificate on the operator's machine. One on the
    `head-host` needs none of the three: the stack installs it there, it serves the data network on `port`,
    for reading alone, and the operator pushes over SSH (docs/how-to/image.md).
    """

    server: RegistryServer = RegistryServer.NAMED
    address: RegistryAddress | None = None
    push_address: RegistryAddress | None = None
    ca_file: Annotated[str, Field(min_length=1)] | None = None
    port: Annotated[int, Field(ge=1024, le=65535)] = 5000


@dataclass(frozen=True)
class NamedRegistry:
    """A registry that the stack names, with all three of its settings."""

    address: str
    push_address: str
    ca_file: str


def named_registry(registry: Registry | None) -> NamedRegistry | None:
    """Return the registry that the stack names, or None where it names none.

    Raises ValueError for one with a setting missing, which the loader lets no stack have.
    """
    if registry is None or registry.server is not RegistryServer.NAMED:
        return None
    if registry.address is None or registry.push_address is None or registry.ca_file is None:
        raise ValueError("a named registry needs address, push_address and ca_file")
    return NamedRegistry(registry.address, registry.push_address, registry.ca_file)
