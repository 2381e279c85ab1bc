"""The gRPC server of a plugin: takes the engine's requests, answers from the plugin's resource types."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from engine.plugins.common import diff, schema, wire
from engine.plugins.common.enginelog import CallLog, EngineLog
from engine.plugins.common.errors import PartialFailure, PluginError
from engine.plugins.common.resource import Call, Resource

T = TypeVar("T")
_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}
_CLEAN_UP_SECONDS = 20
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """A provider plugin: `name` and `version` as the official one's, and the types it serves."""

    functions: ClassVar[Mapping[str, schema.FunctionType]] = MappingProxyType({})
    hints: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What to use instead of an official resource type that this plugin does not serve."""

    def __init__(self, name: str, version: str, resources: Mapping[str, Resource]) -> None:
        self.name = name
        self.version = version
        self.resources = resources
        self.log = EngineLog()
        self._running: set[asyncio.Task[Any]] = set()
        self._cancelled = False

    # What a plugin may add.

    def check_config(self, config: dict[str, Any]) -> list[tuple[str, str]]:
        """Return (property, reason) for each wrong provider setting; secrets are unwrapped."""
        return []

    async def configure(self, config: dict[str, Any]) -> None:
        """Take the provider's settings. Nothing may be connected here: a dead host must not fail it."""

    async def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        """Answer a function call of the program. `args` fit the schema of the function."""
        raise PluginError(f"the function {token!r} is not served by {self.title}")

    async def close(self) -> None:
        """Give back what the plugin holds."""

    @property
    def title(self) -> str:
        """The plugin's name in messages."""
        return f"the drop-in {self.name} plugin {self.version}"

    # The protocol.

    async def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: Any
    ) -> provider_pb2.ProviderHandshakeResponse:
        await self.log.connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    async def Attach(self, request: plugin_pb2.PluginAttach, context: Any) -> empty_pb2.Empty:
        await self.log.connect(request.address)
        return empty_pb2.Empty()

    async def GetPluginInfo(self, request: empty_pb2.Empty, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.version)

    async def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: Any
    ) -> provider_pb2.GetSchemaResponse:
        types = {token: resource.spec for token, resource in self.resources.items()}
        document = schema.package_schema(self.name, self.version, types, self.functions)
        return provider_pb2.GetSchemaResponse(schema=json.dumps(document))

    async def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: Any
    ) -> provider_pb2.CheckResponse:
        wrong = self.check_config(wire.plain(wire.decode(request.news)))
        failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in wrong]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    async def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        # Other settings reach the same resources another way; they are never a reason to replace them.
        changes = diff.compare({}, wire.decode(request.old_inputs), wire.decode(request.news))
        return _diff_response(changes, set(), False)

    async def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Any
    ) -> provider_pb2.ConfigureResponse:
        await self._guard(context, self.configure(wire.plain(wire.decode(request.args))))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    async def Invoke(self, request: provider_pb2.InvokeRequest, context: Any) -> provider_pb2.InvokeResponse:
        args = wire.plain(wire.decode(request.args))
        function = self.functions.get(request.tok)
        wrong = schema.problems(function.inputs, args, self.title) if function else []
        if wrong:
            failures = [provider_pb2.CheckFailure(property=path, reason=text) for path, text in wrong]
            return provider_pb2.InvokeResponse(failures=failures)
        answer = await self._guard(context, self.invoke(request.tok, args))
        return provider_pb2.InvokeResponse(**{"return": wire.encode(answer)})

    async def Check(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        async def check() -> provider_pb2.CheckResponse:
            resource = self._resource(request.urn)
            news = wire.decode(request.news)
            wrong = schema.problems(resource.spec.inputs, news, self.title) or resource.problems(news)
            if wrong:
                failures = [provider_pb2.CheckFailure(property=path, reason=text) for path, text in wrong]
                return provider_pb2.CheckResponse(failures=failures)
            call = self._call(request.urn, request.randomSeed)
            return provider_pb2.CheckResponse(
                inputs=wire.encode(resource.check(call, wire.decode(request.olds), news))
            )

        return await self._guard(context, check())

    async def Diff(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        async def compare() -> provider_pb2.DiffResponse:
            resource = self._resource(request.urn)
            state = wire.decode(request.olds)
            olds = wire.decode(request.old_inputs) or state
            news = wire.decode(request.news)
            changes = resource.relevant(diff.compare(resource.spec.inputs, olds, news))
            replaces = resource.must_replace(changes, state)
            return _diff_response(changes, replaces, resource.delete_before_replace(news))

        return await self._guard(context, compare())

    async def Create(self, request: provider_pb2.CreateRequest, context: Any) -> provider_pb2.CreateResponse:
        async def create(call: Call, resource: Resource) -> provider_pb2.CreateResponse:
            inputs = wire.decode(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(properties=wire.encode(resource.planned(inputs, None)))
            id_, outputs = await resource.create(call, inputs)
            return provider_pb2.CreateResponse(id=id_, properties=wire.encode(outputs))

        return await self._operate(context, request.urn, request.timeout, create)

    async def Update(self, request: provider_pb2.UpdateRequest, context: Any) -> provider_pb2.UpdateResponse:
        async def update(call: Call, resource: Resource) -> provider_pb2.UpdateResponse:
            state, news = wire.decode(request.olds), wire.decode(request.news)
            if request.preview:
                outputs = resource.planned(news, state)
            else:
                olds = wire.decode(request.old_inputs)
                outputs = await resource.update(call, request.id, state, olds, news)
            return provider_pb2.UpdateResponse(properties=wire.encode(outputs))

        return await self._operate(context, request.urn, request.timeout, update)

    async def Delete(self, request: provider_pb2.DeleteRequest, context: Any) -> empty_pb2.Empty:
        async def delete(call: Call, resource: Resource) -> empty_pb2.Empty:
            await resource.delete(call, request.id, wire.decode(request.properties))
            return empty_pb2.Empty()

        return await self._operate(context, request.urn, request.timeout, delete)

    async def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:
        async def read(call: Call, resource: Resource) -> provider_pb2.ReadResponse:
            inputs, state = wire.decode(request.inputs), wire.decode(request.properties)
            found = await resource.read(call, request.id, inputs, state)
            if not found.id:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=found.id, properties=wire.encode(found.outputs), inputs=wire.encode(found.inputs)
            )

        return await self._operate(context, request.urn, request.timeout, read)

    async def Cancel(self, request: empty_pb2.Empty, context: Any) -> empty_pb2.Empty:
        # The engine itself waits for the operations; a Cancel that is slow to answer counts as a crash.
        self._cancel_operations()
        return empty_pb2.Empty()

    # How operations run.

    def _cancel_operations(self) -> list[asyncio.Task[Any]]:
        self._cancelled = True
        running = list(self._running)
        for task in running:
            # Once: a second time would interrupt its cleaning up.
            if not task.cancelling():
                task.cancel()
        return running

    async def stop_operations(self) -> None:
        """Cancel what is running, wait until it has cleaned up after itself, and refuse what follows."""
        running = self._cancel_operations()
        if running:
            await asyncio.wait(running, timeout=_CLEAN_UP_SECONDS)

    def _resource(self, urn: str) -> Resource:
        token = urn.split("::")[2].rsplit("$", 1)[-1]
        if token not in self.resources:
            served = ", ".join(sorted(self.resources))
            text = f"the resource type {token!r} is not served by {self.title}"
            hint = f"; {self.hints[token]}" if token in self.hints else ""
            raise PluginError(f"{text}{hint}; it serves: {served}")
        return self.resources[token]

    def _call(self, urn: str, seed: bytes = b"") -> Call:
        return Call(urn, urn.rsplit("::", 1)[-1], CallLog(self.log, urn), seed)

    async def _operate(
        self, context: Any, urn: str, timeout: float, work: Callable[[Call, Resource], Awaitable[T]]
    ) -> T:
        async def operate() -> T:
            call = self._call(urn)
            try:
                async with asyncio.timeout(timeout or None) as limit:
                    return await work(call, self._resource(urn))
            except TimeoutError as error:
                if limit.expired():
                    text = f"not finished after the {timeout:g} s that custom_timeouts allow"
                    raise PluginError(text) from error
                raise
            finally:
                await self.log.flush()

        return await self._guard(context, operate())

    async def _guard(self, context: Any, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` as a task that Cancel can stop; turn each failure into one readable gRPC error."""
        if self._cancelled:
            work.close()
            await context.abort(grpc.StatusCode.CANCELLED, "cancelled before it began")
        task = asyncio.create_task(work)
        self._running.add(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Either Cancel stopped the task, or the engine hung up on this call: stop the work then too.
            if not task.done():
                if not task.cancelling():
                    task.cancel()
                await asyncio.wait([task])
            error = None if task.cancelled() else task.exception()
            if isinstance(error, PartialFailure):
                await _abort_partial(context, error)
            await context.abort(grpc.StatusCode.CANCELLED, str(error or "cancelled"))
        except PartialFailure as error:
            await _abort_partial(context, error)
        except PluginError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except grpc.RpcError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, f"the engine did not answer: {error}")
        except Exception as error:
            if os.environ.get("ROCESTACK_PLUGIN_DEBUG"):
                traceback.print_exc()
            text = f"{self.title} failed inside ({type(error).__name__}: {error}); "
            await context.abort(grpc.StatusCode.INTERNAL, text + "set ROCESTACK_PLUGIN_DEBUG=1 to see where")
        finally:
            self._running.discard(task)
        raise AssertionError("abort returned")


async def _abort_partial(context: Any, error: PartialFailure) -> None:
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=wire.encode(error.outputs), reasons=error.reasons
        ),
        type_url_prefix="type.googleapis.com/",
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error), details=[detail])
    await context.abort(code, str(error), (("grpc-status-details-bin", status.SerializeToString()),))


def _diff_response(
    changes: list[diff.Change], replaces: set[str], delete_first: bool
) -> provider_pb2.DiffResponse:
    # A path may need a replacement although its value is the same: what was made is incomplete.
    changes = changes + [diff.Change(path, "update") for path in replaces - {item.path for item in changes}]
    some = provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE
    detailed = {
        change.path: provider_pb2.PropertyDiff(
            kind=_KINDS[change.kind, change.path in replaces], inputDiff=True
        )
        for change in changes
    }
    return provider_pb2.DiffResponse(
        changes=some,
        replaces=sorted(replaces),
        diffs=sorted({change.path.split("[")[0].split(".")[0] for change in changes}),
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=delete_first and bool(replaces),
    )


def serve(plugin: Plugin) -> None:
    """Serve `plugin` on a free loopback port until the engine ends. Stdout gets the port, nothing else."""
    asyncio.run(_serve(plugin, sys.argv[1:]))


async def _serve(plugin: Plugin, argv: list[str]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_report_stray_error)
    ended = asyncio.Event()
    # The engine ends its plugins with SIGINT; a Ctrl-C in the terminal reaches only the engine, which
    # then calls Cancel.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    addresses = [argument for argument in argv if not argument.startswith("-")]
    if addresses:
        await plugin.log.connect(addresses[-1])
    server = grpc.aio.server(options=_UNLIMITED)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    parent = os.getppid()
    while not ended.is_set():
        # An engine that was killed cannot say so; its plugin then belongs to another parent.
        if os.getppid() != parent:
            break
        try:
            await asyncio.wait_for(ended.wait(), timeout=1)
        except TimeoutError:
            continue
    await plugin.stop_operations()
    await server.stop(grace=1)
    await plugin.close()
    await plugin.log.close()


def _report_stray_error(loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
    if os.environ.get("ROCESTACK_PLUGIN_DEBUG"):
        loop.default_exception_handler(details)
