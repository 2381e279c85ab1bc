"""`docker:index/container:Container`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from engine.plugins.common import schema, wire
from engine.plugins.common.diff import Change
from engine.plugins.common.errors import PartialFailure, PluginError
from engine.plugins.common.resource import Call, Observed, Resource
from engine.plugins.docker import container_body, container_extras, container_state, images, spec
from engine.plugins.docker.host import Host, Refused
from engine.plugins.docker.naming import label_map, with_defaults

# Marks a container in the state that was made but not brought up; the next update replaces it.
INCOMPLETE: Final = "__incomplete"
_IN_PLACE: Final = (
    "restart",
    "maxRetryCount",
    "memory",
    "memoryReservation",
    "memorySwap",
    "cpuShares",
    "cpuSet",
    "cpuPeriod",
    "cpuQuota",
)
_LIMITS: Final = set(_IN_PLACE) - {"restart", "maxRetryCount"}
_POLL_FIRST, _POLL_LONGEST = 0.1, 2.0
_LAST_LINES: Final = 10
_SETTLE_SECONDS: Final = 0.5


class Container(Resource):
    """A container. It is replaced old before new, because both have the same name and addresses."""

    spec = spec.CONTAINER

    def __init__(self, host: Host) -> None:
        self._host = host

    def check(self, call: Call, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        return with_defaults(self.spec.inputs, call, olds, news, named=True)

    def problems(self, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
        return container_extras.problems(wire.plain(inputs))

    def must_replace(self, changes: list[Change], state: Mapping[str, Any]) -> set[str]:
        found = super().must_replace(changes, state)
        # The engine takes a limit that is not given for one that stays: lifting it needs a new container.
        found |= {change.path for change in changes if change.kind == "delete" and change.path in _LIMITS}
        return found or ({"name"} if state.get(INCOMPLETE) else set())

    def delete_before_replace(self, inputs: Mapping[str, Any]) -> bool:
        return True

    def planned(self, inputs: dict[str, Any], state: Mapping[str, Any] | None) -> dict[str, Any]:
        decided = {name for name, prop in self.spec.inputs.items() if prop.computed}
        unknown = {name: wire.UNKNOWN for name in {*decided, *self.spec.outputs}}
        return {**(unknown if state is None else state), **inputs}

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        values = schema.typed(self.spec.inputs, inputs)
        body = container_body.create_body(values)
        files = container_extras.archive(values["uploads"]) if values.get("uploads") else b""
        await images.ensure(self._host, values["image"], values.get("platform"), call.log)
        made: list[str] = []
        try:
            await self._host.call(lambda client, stop: made.append(_make(client, values, body)))
            if files:
                await self._host.call(lambda client, stop: client.put_archive(made[0], "/", files))
            logs = await self._bring_up(call, made[0], values)
            return made[0], await self._outputs(made[0], inputs, {"containerLogs": logs})
        except (PluginError, asyncio.CancelledError) as error:
            if not made:
                raise
            # The state keeps the id, so that the next run replaces the container instead of meeting it.
            reason = str(error) or "interrupted before it was up"
            text = f"container {values['name']}: {reason}"
            raise PartialFailure(made[0], {**inputs, INCOMPLETE: True}, [text]) from error

    async def _bring_up(self, call: Call, id_: str, values: Mapping[str, Any]) -> str:
        await self._host.call(lambda client, stop: _connect(client, id_, values))
        if not values["start"]:
            return ""
        await self._host.call(lambda client, stop: client.start(id_))
        await self._host.call(lambda client, stop: _check_started(client, stop, id_, values))
        if values["wait"]:
            call.log.status("waiting until it is healthy")
            await self._wait_healthy(id_, values)
        if values["attach"]:
            call.log.status("waiting until it ends")
            return await self._host.call(lambda client, stop: _attend(client, stop, id_, values))
        return ""

    async def _wait_healthy(self, id_: str, values: Mapping[str, Any]) -> None:
        deadline, pause = time.monotonic() + values["waitTimeout"], _POLL_FIRST
        while True:
            state = (await self._host.call(lambda client, stop: client.inspect_container(id_)))["State"]
            health = state.get("Health")
            if health is None:
                raise PluginError("`wait` is set but the container has no health check; add `healthcheck`")
            if health["Status"] == "healthy":
                return
            if not state["Running"]:
                raise PluginError(f"it ended with status {state['ExitCode']} before it was healthy")
            if time.monotonic() > deadline:
                raise PluginError(f"it is not healthy after {values['waitTimeout']} s (waitTimeout)")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _POLL_LONGEST)

    async def _outputs(self, id_: str, inputs: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
        try:
            info = await self._host.call(lambda client, stop: client.inspect_container(id_))
        except Refused as error:
            if error.status != 404 or not wire.plain(inputs.get("rm")):
                raise
            return {**inputs, **more}
        filled = container_state.filled(inputs, info)
        ports = container_state.bound_ports(inputs, info)
        return {**filled, **inputs, **ports, **container_state.computed(info), **more}

    async def read(self, call: Call, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Observed:
        try:
            info = await self._host.call(lambda client, stop: client.inspect_container(id_))
        except Refused as error:
            if error.status != 404:
                raise
            # One that was told to remove itself, and need not run, has done as it was told.
            ended = inputs and wire.plain(inputs.get("rm")) and wire.plain(inputs.get("mustRun")) is False
            return Observed(id_, inputs, state) if ended else Observed("")
        if not inputs:
            # An import: what it was made from is not recorded anywhere, so its name and image must do.
            inputs = {"name": info["Name"].lstrip("/"), "image": info["Config"]["Image"]}
            inputs = with_defaults(self.spec.inputs, call, {}, inputs, named=False)
        seen = container_state.observed(inputs, info)
        outputs = {**state, **container_state.filled(seen, info), **seen, **container_state.computed(info)}
        outputs.update(container_state.bound_ports(seen, info))
        return Observed(info["Id"], seen, outputs)

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        before, after = schema.typed(self.spec.inputs, olds), schema.typed(self.spec.inputs, news)
        if any(before.get(name) != after.get(name) for name in _IN_PLACE):
            arguments = container_body.update_arguments(after)
            await self._host.call(lambda client, stop: client.update_container(id_, **arguments))
        if after["mustRun"] and after["start"] and not before["mustRun"]:
            await self._host.call(lambda client, stop: client.start(id_))
            await self._host.call(lambda client, stop: _check_started(client, stop, id_, after))
        return await self._outputs(id_, news, {"containerLogs": wire.plain(state.get("containerLogs")) or ""})

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        values = schema.typed(self.spec.inputs, state)
        await self._host.call(lambda client, stop: _remove(client, id_, values))


def _make(client: Any, values: Mapping[str, Any], body: dict[str, Any]) -> str:
    import docker.errors
    from docker.utils import version_lt

    for what, version in container_body.needs(values):
        # An older engine would leave it out and say nothing.
        if version_lt(client.api_version, version):
            raise PluginError(
                f"container {values['name']}: {what} needs API version {version}, "
                f"and this engine is spoken to with {client.api_version}; leave it out"
            )
    try:
        made = client.create_container_from_config(body, values["name"], values.get("platform"))
        return str(made["Id"])
    except docker.errors.APIError as error:
        text = f"Unable to create container {values['name']}: {error.explanation}"
        if error.status_code == 409:
            text += _owner_hint(client, values)
        raise Refused(text, error.status_code or 0) from error


def _owner_hint(client: Any, values: Mapping[str, Any]) -> str:
    import docker.errors

    try:
        there = client.inspect_container(values["name"])["Config"].get("Labels") or {}
    except docker.errors.APIError:
        return ""
    ours = label_map(values.get("labels"))
    if ours and all(there.get(name) == value for name, value in ours.items()):
        return (
            f" It carries this container's labels, so an earlier run left it: docker rm -f {values['name']}"
        )
    return " It does not carry this container's labels, so somebody else may need it."


def _connect(client: Any, id_: str, values: Mapping[str, Any]) -> None:
    """Join the networks one by one, in the order given, instead of the default bridge."""
    import docker.errors

    networks = container_body.endpoints(values)
    if not networks:
        return
    try:
        client.disconnect_container_from_network(id_, "bridge")
    except docker.errors.APIError as error:
        if "is not connected to" not in str(error.explanation):
            raise
    for name, arguments in networks:
        try:
            client.connect_container_to_network(id_, name, **arguments)
        except docker.errors.APIError as error:
            text = f"Unable to connect to network '{name}': {error.explanation}"
            raise Refused(text, error.status_code or 0) from error


def _check_started(client: Any, stop: threading.Event, id_: str, values: Mapping[str, Any]) -> None:
    """Refuse a container that must run and ends at once, or whose fixed MAC the engine ignored.

    One that must run is watched for half a second: what cannot work ends in that time.
    """
    must_run = values["mustRun"] and not values["attach"]
    deadline = time.monotonic() + (_SETTLE_SECONDS if must_run else 0)
    info = _running(client, id_, values)
    while info is not None and time.monotonic() < deadline and not stop.wait(_POLL_FIRST):
        info = _running(client, id_, values)
    if info is not None:
        _check_addresses(info, values)
    elif must_run and values.get("rm"):
        raise PluginError("it ended at once and removed itself (rm); mustRun: false allows that")
    elif must_run:
        raw = client.logs(id_, tail=_LAST_LINES).decode("utf-8", "replace").strip()
        state = client.inspect_container(id_)["State"]
        cause = state.get("Error") or f"status {state.get('ExitCode')}"
        raise PluginError(f"it ended at once ({cause}); mustRun: false allows that. Its last lines:\n{raw}")


def _running(client: Any, id_: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the inspection of a container that is up, else None; one that removes itself is then gone."""
    import docker.errors

    try:
        info = dict(client.inspect_container(id_))
    except docker.errors.NotFound:
        if values.get("rm"):
            return None
        raise
    if container_state.is_up(info):
        return info
    if values.get("rm"):
        _wait_gone(client, id_)
    return None


def _check_addresses(info: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    networks = info["NetworkSettings"]["Networks"]
    by_id = {item.get("NetworkID"): item for item in networks.values()}
    for item in values.get("networksAdvanced", []):
        wanted = item.get("macAddress")
        endpoint = networks.get(item["name"]) or by_id.get(item["name"]) or {}
        found = endpoint.get("MacAddress")
        if wanted and found and wanted.lower() != found.lower():
            raise PluginError(
                f"its MAC address on {item['name']} is {found}, wanted {wanted}: engines before version 25 "
                "ignore networksAdvanced.macAddress and derive it from the IPv4 address (02:42 and its bytes)"
            )


def _attend(client: Any, stop: threading.Event, id_: str, values: Mapping[str, Any]) -> str:
    pause = _POLL_FIRST
    while client.inspect_container(id_)["State"]["Running"]:
        if stop.wait(pause):
            return ""
        pause = min(pause * 2, _POLL_LONGEST)
    return client.logs(id_).decode("utf-8", "replace") if values["logs"] else ""


def _remove(client: Any, id_: str, values: Mapping[str, Any]) -> None:
    import docker.errors

    grace = values.get("destroyGraceSeconds", 0)
    try:
        if not values["attach"]:
            client.stop(id_, timeout=max(grace, 0))
        client.remove_container(id_, v=values["removeVolumes"], force=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if "is already in progress" not in str(error.explanation):
            text = f"Error deleting container {values['name']}: {error.explanation}"
            raise Refused(text, error.status_code or 0) from error
    _wait_gone(client, id_)


def _wait_gone(client: Any, id_: str) -> None:
    """Return when the engine has forgotten the container, so that its name and addresses are free."""
    import docker.errors

    pause, deadline = _POLL_FIRST, time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            client.inspect_container(id_)
        except docker.errors.NotFound:
            return
        time.sleep(pause)
        pause = min(pause * 2, _POLL_LONGEST)
    raise PluginError(f"the engine accepted to remove container {id_[:12]} but still has it after 60 s")
