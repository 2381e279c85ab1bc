"""The analyzer that Pulumi's engine talks to: it shows every resource, the rules answer.

The protocol is served from the SDK's own gRPC stubs, so the pack needs no further plugin and no package
beside what the program runs on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from policy import fabric, rules
from policy.resource import Resource, decode

NAME = "rocestack"
VERSION = "1.0.0"
_PARENT_CHECK_SECONDS = 1.0
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True)
class Policy:
    """One rule: its name, what it holds for, and the function that says what is wrong with a resource."""

    name: str
    description: str
    judge: Callable[[Resource], Iterable[str]]


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """Judges each resource before the engine acts on it; every rule is mandatory.

    The fabric's halves are kept as they come, so the second one is judged together with the first: also
    where an update runs without a preview, before it is applied.
    """

    def __init__(self) -> None:
        self._halves: dict[str, Resource] = {}
        self._lock = threading.Lock()
        self.policies = (
            Policy("host-key", "Every login over SSH checks the host's key.", rules.host_key),
            Policy("remove-twin", "Every command that makes something has a delete.", rules.has_remove),
            Policy("not-privileged", "No container is privileged.", rules.not_privileged),
            Policy("no-secret-in-script", "No script's text holds a secret.", rules.no_secret_in_scripts),
            Policy("lossless-fabric", "PFC, DSCP and ECN agree on switch and hosts.", self._fabric),
        )

    def _fabric(self, resource: Resource) -> list[str]:
        if not fabric.is_half(resource):
            return []
        with self._lock:
            # What the other kind's halves say of themselves was told before, and those of its own kind say
            # nothing of this one: so a host is judged with the switches alone, not with all other hosts.
            step = resource.name.rpartition("/")[2]
            others = [one for one in self._halves.values() if not one.name.endswith(f"/{step}")]
            known = [self._halves[resource.name]] if resource.name in self._halves else []
            before = set(fabric.lossless([*others, *known]))
            self._halves[resource.name] = resource
            return [one for one in fabric.lossless([*others, resource]) if one not in before]

    def Handshake(
        self, request: analyzer_pb2.AnalyzerHandshakeRequest, context: Any
    ) -> analyzer_pb2.AnalyzerHandshakeResponse:
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def ConfigureStack(
        self, request: analyzer_pb2.AnalyzerStackConfigureRequest, context: Any
    ) -> analyzer_pb2.AnalyzerStackConfigureResponse:
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest, context: Any) -> empty_pb2.Empty:
        names = ", ".join(sorted(request.policyConfig))
        context.abort(
            grpc.StatusCode.INVALID_ARGUMENT, f"the policy pack {NAME} has no settings; found: {names}"
        )
        raise AssertionError("abort returned")

    def Cancel(self, request: empty_pb2.Empty, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetAnalyzerInfo(self, request: empty_pb2.Empty, context: Any) -> analyzer_pb2.AnalyzerInfo:
        return analyzer_pb2.AnalyzerInfo(
            name=NAME,
            displayName=NAME,
            version=VERSION,
            description=str(sys.modules["policy"].__doc__),
            policies=[
                analyzer_pb2.PolicyInfo(
                    name=one.name,
                    description=one.description,
                    enforcementLevel=analyzer_pb2.MANDATORY,
                    policy_type=analyzer_pb2.POLICY_TYPE_RESOURCE,
                )
                for one in self.policies
            ],
        )

    def Analyze(self, request: analyzer_pb2.AnalyzeRequest, context: Any) -> analyzer_pb2.AnalyzeResponse:
        resource = Resource(request.type, request.name, decode(request.properties))
        return analyzer_pb2.AnalyzeResponse(
            diagnostics=[
                analyzer_pb2.AnalyzeDiagnostic(
                    policyName=one.name,
                    policyPackName=NAME,
                    policyPackVersion=VERSION,
                    description=one.description,
                    message=sentence,
                    enforcementLevel=analyzer_pb2.MANDATORY,
                    urn=request.urn,
                )
                for one in self.policies
                for sentence in one.judge(resource)
            ]
        )

    def AnalyzeStack(
        self, request: analyzer_pb2.AnalyzeStackRequest, context: Any
    ) -> analyzer_pb2.AnalyzeResponse:
        # Everything was judged before it was applied.
        return analyzer_pb2.AnalyzeResponse()

    def Remediate(self, request: analyzer_pb2.AnalyzeRequest, context: Any) -> analyzer_pb2.RemediateResponse:
        # The pack says what is wrong; it never changes what a program asked for.
        return analyzer_pb2.RemediateResponse()


def serve() -> None:
    """Serve the rules on a free loopback port until the engine ends. Stdout gets the port, nothing else."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = grpc.server(ThreadPoolExecutor(4), options=_UNLIMITED)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    parent = os.getppid()
    # An engine that was killed cannot say so; this process then belongs to another parent.
    while not ended.wait(_PARENT_CHECK_SECONDS) and os.getppid() == parent:
        continue
    server.stop(grace=0)
