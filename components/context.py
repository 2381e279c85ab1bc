"""What a component is told of the machines: how to reach them, what was applied, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from facts.checkpoint import Checkpoint
from facts.drift import Difference
from facts.observe import HostObservation
from onyx.state import Neighbours
from settings.models import Host, HostAccess, Stack, SwitchAccess
from settings.switch import Switch


@dataclass(frozen=True)
class HostContext:
    """One host: its settings, its access, what was found there, and the lab node under it, if any.

    `node_generation` counts how often a lab node was made; metal's hosts keep '1'. It stands in each
    step's stdin, so that a new node is configured in the same `up` that makes it.
    """

    host: Host
    access: HostAccess
    observation: HostObservation | None = None
    node: pulumi.Resource | None = None
    node_generation: str = "1"

    @property
    def where(self) -> str:
        """Where the host's SSH answers, for a person."""
        return f"{self.access.user}@{self.access.address} port {self.access.port}"

    @property
    def unreachable(self) -> bool:
        """Whether the host was asked and did not answer."""
        return self.observation is not None and self.observation.state == "unreachable"


@dataclass(frozen=True)
class SwitchContext:
    """One switch: its settings, its access, what was found there and who is behind its ports.

    `found` is None where it was not asked or did not answer; `unreachable` then says why.
    """

    switch: Switch
    access: SwitchAccess
    found: Mapping[str, str] | None = None
    unreachable: str | None = None
    node: pulumi.Resource | None = None
    node_generation: str = "1"
    neighbours: Neighbours = field(default_factory=Neighbours)
    foreign: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Where the switch's SSH answers, for a person."""
        return f"{self.access.user}@{self.access.address} port {self.access.port}"


@dataclass
class Cluster:
    """The whole cluster as the program sees it.

    `drift` collects what the steps report, `unsettled` what is neither drift nor in sync: facts that wait for
    a reboot, and those that cannot be observed and need not be.
    """

    stack: Stack
    stack_name: str
    hosts: Mapping[str, HostContext]
    switches: Mapping[str, SwitchContext]
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    local_found: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drift: list[Difference] = field(default_factory=list)
    unsettled: list[Difference] = field(default_factory=list)
    # What all steps that may reboot have in common (components/reboot.py).
    reboot_hook: pulumi.ErrorHook | None = None

    def switch_of(self, host: Host) -> SwitchContext:
        """The switch at the other end of a host's cable."""
        return self.switches[self.stack.switch_of(host).name]
