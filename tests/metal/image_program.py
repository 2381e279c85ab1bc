"""Two hosts with Docker and a ready image that comes to them, by the project's own components."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pulumi

from components.cluster import metal, open_cluster, report
from components.docker_host import DockerHost
from components.image_distribution import Built, distribute
from components.ofed_stack import OfedStack
from facts import checkpoint
from settings.loader import load_engine

# The engine interrupts the program when a step failed; it has said why.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
name = pulumi.get_stack()
stack = load_engine(name)
cluster = open_cluster(stack, name, checkpoint.read(name), metal(stack))
hosts = [
    DockerHost(cluster, context, [OfedStack(cluster, context, [])]) for context in cluster.hosts.values()
]
image = pulumi.ComponentResource("rocestack:components:Caffe2Image", "image")
built = Built("rocestack/test-image", "metal", pulumi.Output.from_input(Path("image_id").read_text()))
pulumi.export("image", distribute(cluster, built, image, hosts).reference)
report(cluster)
