"""Two hosts with Docker and a small image that the stack builds, by the project's own components."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pulumi

from components import caffe2_image
from components.caffe2_image import Caffe2Image
from components.cluster import metal, open_cluster, report
from components.docker_host import DockerHost
from components.image_context import ImagePlan
from components.ofed_stack import OfedStack
from facts import checkpoint
from settings.loader import load_engine
from tests.nodes.tiny_image import base_settings, build_settings, write_context

# The engine interrupts the program when a step failed; it has said why.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
# The real image takes minutes; this one goes the same way.
context = Path("context")
write_context(context)
plan = ImagePlan(context={".": context}, build=build_settings(), base=base_settings())
caffe2_image.image_plan = lambda _: plan  # type: ignore[assignment]
name = pulumi.get_stack()
stack = load_engine(name)
cluster = open_cluster(stack, name, checkpoint.read(name), metal(stack))
hosts = [
    DockerHost(cluster, context, [OfedStack(cluster, context, [])]) for context in cluster.hosts.values()
]
image = Caffe2Image(cluster, hosts)
pulumi.export("image", image.told())
report(cluster)
