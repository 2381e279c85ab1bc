"""The engine's log: progress lines of a resource reach the user's screen in the order they were sent."""

from __future__ import annotations

import asyncio
import threading

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class EngineLog:
    """A connection to the engine's log service. Without an engine, messages are dropped."""

    def __init__(self) -> None:
        self._channel: grpc.aio.Channel | None = None
        self._queue: asyncio.Queue[engine_pb2.LogRequest] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    async def connect(self, address: str) -> None:
        """Send to the engine at `address` (host:port) from now on; a second call changes nothing."""
        if self._channel is None and address:
            self._channel = grpc.aio.insecure_channel(address)
            stub = engine_pb2_grpc.EngineStub(self._channel)
            self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
            self._sender = asyncio.create_task(self._send(stub))

    def put(self, severity: engine_pb2.LogSeverity.ValueType, text: str, urn: str, *, passing: bool) -> None:
        """Queue a message, from any thread. `passing` ones show in the Info column only."""
        if self._loop is None:
            return
        request = engine_pb2.LogRequest(severity=severity, message=text, urn=urn, ephemeral=passing)
        if threading.get_ident() == self._thread:
            self._queue.put_nowait(request)
        else:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, request)

    async def flush(self) -> None:
        """Return when all messages are with the engine, or it stopped answering."""
        if self._sender is not None and not self._sender.done():
            waiting = asyncio.create_task(self._queue.join())
            await asyncio.wait([waiting, self._sender], timeout=5, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    async def close(self) -> None:
        """End the connection."""
        if self._sender is not None:
            self._sender.cancel()
        if self._channel is not None:
            await self._channel.close()

    async def _send(self, stub: engine_pb2_grpc.EngineStub) -> None:
        while True:
            request = await self._queue.get()
            try:
                await stub.Log(request, timeout=5)
            except grpc.RpcError:
                # A log line is no reason to fail an operation; without an engine nobody reads it.
                return
            finally:
                self._queue.task_done()


class CallLog:
    """The log of one resource's operation."""

    def __init__(self, log: EngineLog, urn: str) -> None:
        self._log = log
        self._urn = urn

    def status(self, text: str) -> None:
        """Show `text` in the resource's Info column until the next one."""
        self._log.put(engine_pb2.INFO, text, self._urn, passing=True)

    def warning(self, text: str) -> None:
        """Show `text` as a warning that stays."""
        self._log.put(engine_pb2.WARNING, text, self._urn, passing=False)
