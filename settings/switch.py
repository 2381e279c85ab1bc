"""The section of a switch: how to reach it, which ports are ours, and which of its ways to configure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr

from settings.section import Name, Section, TcpPort

SwitchPort = Annotated[str, Field(pattern=r"^\d{1,2}/\d{1,2}(/\d)?$")]
# A port or a range of them in which only the last number differs.
PortRange = Annotated[str, Field(pattern=r"^\d{1,2}/\d{1,2}(/\d)?(-\d{1,2}/\d{1,2}(/\d)?)?$")]
HostKey = Annotated[str, Field(pattern=r"^(ssh|ecdsa)-[a-z0-9-]+ \S+")]
UserName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]*$")]


class SwitchTransport(StrEnum):
    """How the switch is talked to: its command line over SSH, or its JSON API over https."""

    SSH = "ssh"
    JSON_API = "json-api"


class JumpHost(Section):
    """A host on the way to the switch, logged in to with the key of the section `access`."""

    address: Annotated[str, Field(min_length=1)]
    port: TcpPort = 22
    user: UserName = "root"
    host_key: HostKey


class Switch(Section):
    """An Onyx switch. A lab makes what is needed to reach it, so it leaves all of that out.

    It is configured on the ports of its hosts' cables and on its `uplinks`, the ports that lead to the
    stack's other switches, or on all of `qos_ports` ("1/1-1/32") if given; these must then include the
    others. Keep `password` secret: ``pulumi config set --secret --path rocestack:switch.password`` (in a
    list ``'rocestack:switches[0].password'``); with `private_key_file` SSH logs in by key instead. `port`
    is 22, or 443 for the JSON API. The JSON API's certificate is pinned by `certificate_sha256`, as
    ``openssl x509 -fingerprint -sha256`` prints it. A switch whose release is older than `minimum_release`
    is refused. With `roce_command` the switch's own command `roce` (since 3.8.2000) sets what is otherwise
    set line by line.
    """

    name: Name
    user: UserName = "admin"
    address: str | None = None
    port: TcpPort | None = None
    transport: SwitchTransport = SwitchTransport.SSH
    host_key: HostKey | None = None
    certificate_sha256: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")] | None = None
    password: SecretStr | None = None
    private_key_file: Annotated[str, Field(min_length=1)] | None = None
    jump: JumpHost | None = None
    uplinks: tuple[PortRange, ...] = ()
    qos_ports: tuple[PortRange, ...] = ()
    minimum_release: Annotated[str, Field(pattern=r"^\d+(\.\d+)+$")] = "3.6.5000"
    roce_command: bool = False

    @property
    def reached_port(self) -> int:
        """The port that answers, the transport's own where none is set."""
        return self.port or (443 if self.transport is SwitchTransport.JSON_API else 22)

    def port_names(self) -> tuple[str, ...]:
        """Return `qos_ports` one by one, in order; ranges that lead nowhere give nothing."""
        return _one_by_one(self.qos_ports)

    def uplink_names(self) -> tuple[str, ...]:
        """Return `uplinks` one by one, in order; ranges that lead nowhere give nothing."""
        return _one_by_one(self.uplinks)


def switch_sections(switch: Switch | None, switches: Sequence[Switch] | None) -> list[tuple[str, Switch]]:
    """Return the switches of a stack, each with its path in the stack file, whichever key holds them."""
    one = [] if switch is None else [("switch", switch)]
    return one + [(f"switches[{index}]", each) for index, each in enumerate(switches or ())]


def port_order(port: str) -> tuple[int, ...]:
    """Return the sort key of a port's name."""
    return tuple(int(part) for part in port.split("/"))


def _one_by_one(ranges: Iterable[str]) -> tuple[str, ...]:
    names = {name for each in ranges for name in _expanded(each)}
    return tuple(sorted(names, key=port_order))


def _expanded(text: str) -> list[str]:
    first, _, last = text.partition("-")
    low, high = port_order(first), port_order(last or first)
    if low[:-1] != high[:-1]:
        return []
    stem = "/".join(str(part) for part in low[:-1])
    return [f"{stem}/{number}" for number in range(low[-1], high[-1] + 1)]
