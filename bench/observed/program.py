"""The stack of light hosts: the project's own observation and steps, as far as a light host can hold them."""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
from pathlib import Path

import pulumi

from bench.observed.steps import OWN_STEPS, read_stack, wanted
from components.answers import answered, no_debug_messages
from components.cluster import metal, open_cluster, report
from components.gpu_host import GpuHost
from components.host_step import host_step
from facts import checkpoint


class LightHost(pulumi.ComponentResource):
    """One host's steps beside those of GpuHost."""

    def __init__(self, name: str) -> None:
        super().__init__("rocestack:bench:LightHost", name)


def _peak() -> None:
    """Write the most memory that this process had, in MB."""
    Path("peak").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


atexit.register(_peak)
# The engine interrupts the program when a step failed; it has said why.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
no_debug_messages()
name = pulumi.get_stack()
stack = read_stack(json.loads(Path("settings.json").read_text()))
recorded = checkpoint.read(name)
cluster = open_cluster(stack, name, recorded, metal(stack))
for context in cluster.hosts.values():
    gpu = GpuHost(cluster, context)
    own = LightHost(context.host.name)
    values = wanted(stack, name, context.host)
    last: pulumi.Resource = gpu
    for step in OWN_STEPS:
        last = host_step(cluster, context, step, values[step], parent=own, depends_on=[last])
report(cluster)
pulumi.export("drift", [str(one) for one in cluster.drift])
pulumi.run(answered)
