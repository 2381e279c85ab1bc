"""The cluster, left to right: settings, observation, components in their order, outputs."""

from __future__ import annotations

import pulumi

from components.caffe2_image import Caffe2Image
from components.cluster import open_cluster, report
from components.docker_host import DockerHost
from components.gpu_host import GpuHost
from components.ofed_stack import OfedStack
from components.switch_qos import SwitchQoS
from components.training_job import TrainingJob
from facts import checkpoint
from settings.loader import SettingsError, load_engine


def after(*resources: pulumi.Resource) -> pulumi.ResourceOptions:
    """Return the options of a component that waits for `resources`."""
    return pulumi.ResourceOptions(depends_on=list(resources))


def main() -> None:
    """Declare the whole stack."""
    name = pulumi.get_stack()
    try:
        stack = load_engine(name)
        recorded = checkpoint.read(name)
    except (SettingsError, checkpoint.CheckpointError) as error:
        raise pulumi.RunError(str(error)) from None
    machines = None
    if stack.lab is not None:
        from lab.program import open_lab  # noqa: PLC0415  (metal needs nothing of the lab)

        machines = open_lab(stack, name, recorded)
    cluster = open_cluster(stack, name, recorded, machines)

    SwitchQoS(cluster)
    docker_hosts = []
    for context in cluster.hosts.values():
        gpu = GpuHost(cluster, context)
        ofed = OfedStack(cluster, context, after(gpu))
        docker_hosts.append(DockerHost(cluster, context, after(ofed)))
    image = Caffe2Image(cluster, docker_hosts, after(*docker_hosts))
    job = TrainingJob(cluster, image, after(image))

    report(cluster)
    pulumi.export("hosts", {one.access.name: one.where for one in cluster.hosts.values()})
    pulumi.export("switch", cluster.switch.where)
    pulumi.export("image", image.reference)
    pulumi.export("training", job.figures)
    pulumi.export("standins", machines.standins if machines is not None else [])


main()
