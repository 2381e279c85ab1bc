"""What a resource type of a plugin has to provide, and what it is told about each call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.plugins.common import schema, wire
from engine.plugins.common.diff import Change


class Logger(Protocol):
    """Where a call's progress goes."""

    def status(self, text: str) -> None:
        """Show `text` in the resource's Info column until the next one."""

    def warning(self, text: str) -> None:
        """Show `text` as a warning that stays."""


@dataclass(frozen=True)
class Call:
    """The resource that an operation is for. `seed` makes generated names repeatable in one run."""

    urn: str
    name: str
    log: Logger
    seed: bytes = b""


@dataclass(frozen=True)
class Observed:
    """What a read found. `id` is empty when the resource is gone."""

    id: str
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)


class Resource(ABC):
    """One resource type. Values are those of `wire`; create, update and delete may raise PluginError."""

    spec: schema.ResourceType

    def check(self, call: Call, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Return the inputs to record: `news`, which fit the schema, with what the type adds."""
        return schema.with_secrets(self.spec.inputs, news)

    def problems(self, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return (property path, reason) for what the schema allows and this type cannot do."""
        return []

    def relevant(self, changes: list[Change]) -> list[Change]:
        """Return those of the changed inputs that are a reason to do anything."""
        return changes

    def must_replace(self, changes: list[Change], state: Mapping[str, Any]) -> set[str]:
        """Return the paths of the changes that need a new resource; `state` are the recorded outputs."""
        return {change.path for change in changes if change.replaces}

    def delete_before_replace(self, inputs: Mapping[str, Any]) -> bool:
        """Return whether the old resource has to go before the new one can be made."""
        return False

    def planned(self, inputs: dict[str, Any], state: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the outputs to show in a preview of a create (`state` is None) or an update."""
        return {**inputs, **{name: wire.UNKNOWN for name in self.spec.outputs}}

    @abstractmethod
    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Make the resource; return its id and outputs."""

    @abstractmethod
    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        """Change the resource in place from inputs `olds` to `news`; return its outputs."""

    @abstractmethod
    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        """Remove the resource; it is no error if it is gone already."""

    async def read(self, call: Call, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Observed:
        """Return what is there now. A type that cannot look returns what was recorded."""
        return Observed(id_, inputs, state)
