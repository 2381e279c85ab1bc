"""`command:local:Command` and `command:local:run`: scripts that run on the machine where Pulumi runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any

from engine.plugins.command import spec
from engine.plugins.command.gather import gather, restored
from engine.plugins.command.output import Collector, failure_text
from engine.plugins.command.remote import new_id, outputs
from engine.plugins.common import schema, wire
from engine.plugins.common.errors import PartialFailure, PluginError
from engine.plugins.common.resource import Call, Logger, Observed, Resource

_GRACE_SECONDS = 5.0
_SHELL = ["/bin/sh", "-c"]


class LocalCommand(Resource):
    """Runs `create`, `update` (else `create` again) and `delete` here, in the program's folder."""

    spec = spec.LOCAL

    async def create(self, call: Call, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        id_ = new_id(call.name)
        command = wire.plain(inputs.get("create"))
        if command is None:
            return id_, outputs(inputs, None)
        try:
            return id_, await self._run(call, command, inputs, {})
        except (PluginError, asyncio.CancelledError) as error:
            # As for remote commands: with a `delete`, the state keeps what undoes half a `create`.
            if inputs.get("delete") is not None:
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
            kept: dict[str, Any] = {name: state[name] for name in ("stdout", "stderr") if name in state}
            return {**outputs(news, None), **kept, **await self._restored(state)}
        return await self._run(call, command, news, state)

    async def delete(self, call: Call, id_: str, state: dict[str, Any]) -> None:
        command = wire.plain(state.get("delete"))
        if command is not None:
            await run(command, schema.typed(self.spec.inputs, state), state, call.log)

    async def read(self, call: Call, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Observed:
        return Observed(id_, inputs, {**state, **await self._restored(state)})

    async def _restored(self, state: dict[str, Any]) -> dict[str, Any]:
        values = schema.typed(self.spec.inputs, state)
        return await asyncio.to_thread(restored, values, state)

    async def _run(
        self, call: Call, command: str, inputs: Mapping[str, Any], state: Mapping[str, Any]
    ) -> dict[str, Any]:
        values = schema.typed(self.spec.inputs, inputs)
        output = await run(command, values, state, call.log)
        return {**outputs(inputs, output), **await asyncio.to_thread(gather, values)}


async def invoke(args: dict[str, Any], log: Logger) -> dict[str, Any]:
    """Answer the function `command:local:run`: it runs each time, in a preview too. Raises PluginError."""
    values = schema.typed(spec.RUN.inputs, args)
    output = await run(values["command"], values, {}, log)
    return {**outputs(args, output), **await asyncio.to_thread(gather, values)}


async def run(command: str, values: Mapping[str, Any], state: Mapping[str, Any], log: Logger) -> Collector:
    """Run a command to its end and return what it printed. Raises PluginError if it fails."""
    output = Collector(values.get("logging"), log.status)
    arguments = [*(values.get("interpreter") or _SHELL), command]
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=values.get("dir"),
            env={**os.environ, **environment(values, state)},
            stdin=asyncio.subprocess.PIPE if values.get("stdin") else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A group of its own, so that ending it ends what it started too.
            start_new_session=True,
        )
    except OSError as error:
        where = values.get("dir") or "the program's folder"
        raise PluginError(f"cannot run {arguments[0]!r} in {where}: {error}") from error
    try:
        await asyncio.gather(
            _feed(process, values.get("stdin", "")),
            _collect(process.stdout, output, error=False),
            _collect(process.stderr, output, error=True),
        )
        status = await process.wait()
    except asyncio.CancelledError:
        await asyncio.shield(asyncio.create_task(_end(process)))
        raise
    finally:
        output.end()
    if status != 0:
        cause = f"exit status {status}" if status > 0 else f"signal: {signal.Signals(-status).name}"
        raise PluginError(failure_text(cause, command, "this machine", output))
    return output


def environment(values: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, str]:
    """Return what a local command's environment has on top of ours."""
    added: dict[str, str] = dict(values.get("environment", {}))
    if values["addPreviousOutputInEnv"]:
        for name, key in (("PULUMI_COMMAND_STDOUT", "stdout"), ("PULUMI_COMMAND_STDERR", "stderr")):
            text = wire.plain(state.get(key))
            if text:
                added[name] = text
    return added


async def _feed(process: asyncio.subprocess.Process, text: str) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(text.encode())
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        # The command ended without reading its input; its exit status says whether that is wrong.
        pass
    process.stdin.close()


async def _collect(stream: asyncio.StreamReader | None, output: Collector, *, error: bool) -> None:
    while stream is not None and (data := await stream.read(65536)):
        output.feed(data, error=error)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command's whole session: first asked to, then forced to."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    await process.wait()
