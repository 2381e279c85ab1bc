"""Talks to a plugin as the engine does: starts it, speaks its protocol, and collects what it logs."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from engine.plugins.common import wire

ROOT = Path(__file__).parents[2]
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Failed(Exception):
    """The plugin answered with an error. `id` is set when it says that something was made all the same."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.details())
        self.code = error.code()
        self.id = ""
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                detail = status_pb2.Status.FromString(value).details[0]
                partial = provider_pb2.ErrorResourceInitFailed()
                detail.Unpack(partial)
                self.id = partial.id
                self.outputs = wire.decode(partial.properties)


class Log(engine_pb2_grpc.EngineServicer):
    """The engine's log service."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:
        self.lines.append(request.message)
        return empty_pb2.Empty()


class PluginProcess:
    """A running plugin. Use it as a context manager."""

    def __init__(
        self, name: str, config: dict[str, Any] | None = None, env: dict[str, str] | None = None
    ) -> None:
        self.log = Log()
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        engine_pb2_grpc.add_EngineServicer_to_server(self.log, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"engine.plugins.{name}", f"127.0.0.1:{port}"],
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/local/bin:/usr/bin:/bin", **(env or {})},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        channel = grpc.insecure_channel(f"127.0.0.1:{int(self.first_line)}", options=_UNLIMITED)
        self.stub = provider_pb2_grpc.ResourceProviderStub(channel)
        self._channel = channel
        self.ask("Configure", provider_pb2.ConfigureRequest(args=wire.encode(config or {})))

    def __enter__(self) -> PluginProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self.process.terminate()
        self.process.wait(timeout=30)
        self._server.stop(0)

    def ask(self, method: str, request: Any) -> Any:
        """Call a method of the protocol."""
        try:
            return getattr(self.stub, method)(request, timeout=120)
        except grpc.RpcError as error:
            raise Failed(error) from None

    def check(self, token: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the checked inputs; raise AssertionError with the reasons if they do not fit."""
        request = provider_pb2.CheckRequest(urn=urn(token), news=wire.encode(inputs), randomSeed=b"seed")
        answer = self.ask("Check", request)
        assert not answer.failures, "; ".join(failure.reason for failure in answer.failures)
        return wire.decode(answer.inputs)

    def create(
        self, token: str, inputs: dict[str, Any], *, timeout: float = 0, preview: bool = False
    ) -> tuple[str, dict[str, Any]]:
        """Check and create; return id and outputs."""
        checked = self.check(token, inputs)
        request = provider_pb2.CreateRequest(
            urn=urn(token), properties=wire.encode(checked), timeout=timeout, preview=preview
        )
        answer = self.ask("Create", request)
        return answer.id, wire.decode(answer.properties)

    def update(
        self, token: str, id_: str, state: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]
    ) -> dict[str, Any]:
        """Check and update; return the outputs."""
        request = provider_pb2.UpdateRequest(
            id=id_,
            urn=urn(token),
            olds=wire.encode(state),
            old_inputs=wire.encode(olds),
            news=wire.encode(self.check(token, news)),
        )
        return wire.decode(self.ask("Update", request).properties)

    def diff(self, token: str, olds: dict[str, Any], news: dict[str, Any]) -> Any:
        """Check the new inputs and compare."""
        request = provider_pb2.DiffRequest(
            urn=urn(token), old_inputs=wire.encode(olds), news=wire.encode(self.check(token, news))
        )
        return self.ask("Diff", request)

    def read(self, token: str, id_: str, inputs: dict[str, Any], state: dict[str, Any]) -> Any:
        """Read; return the raw answer."""
        request = provider_pb2.ReadRequest(
            id=id_, urn=urn(token), inputs=wire.encode(inputs), properties=wire.encode(state)
        )
        return self.ask("Read", request)

    def delete(self, token: str, id_: str, state: dict[str, Any]) -> None:
        """Delete."""
        self.ask("Delete", provider_pb2.DeleteRequest(id=id_, urn=urn(token), properties=wire.encode(state)))

    def schema(self) -> dict[str, Any]:
        """Return the schema document."""
        document: dict[str, Any] = json.loads(self.ask("GetSchema", provider_pb2.GetSchemaRequest()).schema)
        return document

    def cancel(self) -> None:
        """Cancel, as Ctrl-C does."""
        self.ask("Cancel", empty_pb2.Empty())


def urn(token: str) -> str:
    """Return a resource's name in the engine."""
    return f"urn:pulumi:test::tests::{token}::thing"


class Background:
    """Runs a call in a thread; `result` waits for it and raises what it raised."""

    def __init__(self, work: Any) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,))
        self._thread.start()

    def _run(self, work: Any) -> None:
        try:
            self._value = work()
        except BaseException as error:
            self._error = error

    @property
    def ended(self) -> bool:
        """Whether the call has returned or raised."""
        return not self._thread.is_alive()

    def result(self) -> Any:
        """Return what the call returned."""
        self._thread.join(timeout=120)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._value


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Poll until `true` says so; fail with `what` after half a minute."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)
