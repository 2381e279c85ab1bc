"""The switches of a stack without a lab, by the project's own component; no host is asked or configured."""

from __future__ import annotations

import dataclasses
import os
import signal

import pulumi

from components.cluster import metal, open_cluster
from components.report import tell
from components.switch_qos import SwitchQoS
from facts import checkpoint
from settings.loader import load_engine

# The engine interrupts the program when a step failed; it has said why.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
name = pulumi.get_stack()
stack = load_engine(name)
recorded = checkpoint.read(name)
machines = dataclasses.replace(metal(stack), absent=frozenset(host.name for host in stack.hosts))
cluster = open_cluster(stack, name, recorded, machines)
for context in cluster.switches.values():
    SwitchQoS(cluster, context)
tell(cluster)
