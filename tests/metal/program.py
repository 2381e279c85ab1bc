"""The hosts of a stack without a lab, by the project's own components; no switch, image and training."""

from __future__ import annotations

import os
import signal

import pulumi

from components.cluster import metal, open_cluster, report
from components.docker_host import DockerHost
from components.gpu_host import GpuHost
from components.ofed_stack import OfedStack
from facts import checkpoint
from settings.loader import load_engine

# The engine interrupts the program when a step failed; it has said why.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
name = pulumi.get_stack()
stack = load_engine(name)
recorded = checkpoint.read(name)
cluster = open_cluster(stack, name, recorded, metal(stack))
for context in cluster.hosts.values():
    gpu = GpuHost(cluster, context)
    ofed = OfedStack(cluster, context, [gpu])
    DockerHost(cluster, context, [ofed])
report(cluster)
pulumi.export("hosts", {one.access.name: one.where for one in cluster.hosts.values()})
