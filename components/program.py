"""The six components in their order: the switches beside each host's chain, then image, then training."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.caffe2_image import Caffe2Image
from components.context import Cluster
from components.docker_host import DockerHost
from components.gpu_host import GpuHost
from components.ofed_stack import OfedStack
from components.switch_qos import SwitchQoS
from components.training_job import TrainingJob


@dataclass(frozen=True)
class Declared:
    """What the outputs are taken from."""

    image: Caffe2Image
    job: TrainingJob


def declare(cluster: Cluster) -> Declared:
    """Declare the whole cluster: driver, then OFED, then Docker on each host; then image; then training.

    The training waits for every switch too, since it is what they were made ready for.

    Each component hands what it comes after to its first steps, which orders them at `up` and at destroy. It
    has no `depends_on` itself: where one that it depended on failed, the engine would skip the component,
    refuse its outputs and end the program, with all other hosts' steps (docs/decisions/0014).
    """
    switches = [SwitchQoS(cluster, context) for context in cluster.switches.values()]
    docker_hosts: list[pulumi.Resource] = []
    for context in cluster.hosts.values():
        gpu = GpuHost(cluster, context)
        ofed = OfedStack(cluster, context, [gpu])
        docker_hosts.append(DockerHost(cluster, context, [ofed]))
    image = Caffe2Image(cluster, docker_hosts)
    return Declared(image, TrainingJob(cluster, image, [*switches, image]))
