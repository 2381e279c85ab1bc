"""`command:remote:Command`: scripts that run on another host over SSH."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from engine.plugins.command import spec
from engine.plugins.command.connection import peer
from engine.plugins.command.lazy import LazySsh
from engine.plugins.command.output import Collector, Run, Variable, failure_text
from engine.plugins.common import schema, wire
from engine.plugins.common.errors import PartialFailure, PluginError
from engine.plugins.common.resource import Call, Resource

# sysexits.h: a temporary failure, to be tried again later.
TRY_AGAIN = "Process exited with status 75"


class TryAgain(PluginError):
    """A command that asks to be run again, as an error hook has the engine do."""


class RemoteCommand(Resource):
    """Runs `create`, `update` (else `create` again) and `delete` on a host."""

    spec = spec.REMOTE

    def __init__(self, ssh: LazySsh) -> None:
        self._ssh = ssh

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        id_ = new_id(call.name)
        command = wire.plain(inputs.get("create"))
        if command is None:
            return id_, outputs(inputs, None)
        started = asyncio.Event()
        try:
            return id_, outputs(inputs, await self._run(call, command, inputs, {}, started))
        except TryAgain as error:
            # What a hook has tried again may not leave a reason in the state: the engine keeps it there after
            # a try that ended well (pkg 3.259, CreateStep), and then updates what has not changed.
            raise PartialFailure(id_, outputs(inputs, None), []) from error
        except (PluginError, asyncio.CancelledError) as error:
            # Half of `create` may be on the host now. With a `delete`, the state keeps what undoes it.
            if started.is_set() and inputs.get("delete") is not None:
                reason = str(error) or "interrupted while `create` was running; it was ended"
                raise PartialFailure(id_, outputs(inputs, None), [reason]) from error
            raise

    async def update(
        self, call: Call, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        command = wire.plain(news.get("update"))
        if command is None:
            command = wire.plain(news.get("create"))
        if command is None:
            return {**news, "stdout": state.get("stdout", ""), "stderr": state.get("stderr", "")}
        return outputs(news, await self._run(call, command, news, state, asyncio.Event()))

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        command = wire.plain(state.get("delete"))
        if command is None:
            return
        started = asyncio.Event()
        try:
            await self._run(call, command, state, state, started)
        except PluginError as error:
            if started.is_set():
                raise
            raise PluginError(
                f"{error}. What {call.name} made stays there and in the state; "
                "run the same command again when the host answers"
            ) from error

    async def _run(
        self,
        call: Call,
        command: str,
        inputs: Mapping[str, Any],
        state: Mapping[str, Any],
        started: asyncio.Event,
    ) -> Collector:
        values = schema.typed(self.spec.inputs, inputs)
        host = peer(values["connection"])
        output = Collector(values.get("logging"), call.log.status)
        run = Run(command, values.get("stdin", ""), variables(values, state), output)
        failure, refused = await self._ssh.get().run(host, run, started, call.log.status)
        for name in refused:
            call.log.warning(
                f"{host.name} does not accept {name} (AcceptEnv in its sshd_config); "
                "addPreviousOutputInEnv: false leaves it out"
            )
        if failure is not None:
            kind = TryAgain if failure == TRY_AGAIN else PluginError
            raise kind(failure_text(failure, command, host.name, output))
        return output


def new_id(name: str) -> str:
    """Return a resource id as the official plugin makes them: the name and eight hexadecimal digits."""
    return name + secrets.token_hex(4)


def outputs(inputs: Mapping[str, Any], output: Collector | None) -> dict[str, Any]:
    """Return the state of a command: its inputs and what it printed."""
    printed = ("", "") if output is None else (output.stdout, output.stderr)
    return {**inputs, "stdout": printed[0], "stderr": printed[1]}


def variables(values: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[Variable, ...]:
    """Return the environment of a remote command: the given one, then what the last run printed."""
    found = [Variable(name, value) for name, value in sorted(values.get("environment", {}).items())]
    if values["addPreviousOutputInEnv"]:
        for name, key in (("PULUMI_COMMAND_STDOUT", "stdout"), ("PULUMI_COMMAND_STDERR", "stderr")):
            text = wire.plain(state.get(key))
            if text:
                found.append(Variable(name, text, optional=True))
    return tuple(found)
