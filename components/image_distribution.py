"""How the image that was built once comes to every host, and is the same one there.

Guide: "Create or pull a base image and run Container", which every host did by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.context import Cluster
from components.host_step import host_step, local_step

# The operator's machine, as it stands in the names of the steps that run there.
OPERATOR = "operator"
PULL_STEP = "caffe2_image.pull"


@dataclass(frozen=True)
class Built:
    """The image on the engine that built it: its name there, and its id (``sha256:…``)."""

    repository: str
    tag: str
    image_id: pulumi.Output[str]


@dataclass(frozen=True)
class Distributed:
    """The image's name for a person, and the resource per host after which the image is there."""

    reference: str
    on_host: Mapping[str, pulumi.Resource]


def distribute(cluster: Cluster, built: Built, parent: pulumi.Resource) -> Distributed:
    """Declare the steps that bring the image to all hosts."""
    registry = cluster.stack.registry
    push = local_step(
        cluster,
        OPERATOR,
        "caffe2_image.push",
        {
            "image": built.repository,
            "image_id": built.image_id,
            "registry": registry.push_address,
            "tag": built.tag,
        },
        parent=parent,
        generation=cluster.registry_generation,
        depends_on=[cluster.registry_node] if cluster.registry_node is not None else [],
    )
    digest = push.stdout.apply(last_line)
    pulled = {
        name: host_step(
            cluster,
            host,
            PULL_STEP,
            {
                "digest": digest,
                "image_id": built.image_id,
                "registry": registry.address,
                "repository": built.repository,
            },
            parent=parent,
        )
        for name, host in cluster.hosts.items()
    }
    return Distributed(f"{registry.address}/{built.repository}:{built.tag}", pulled)


def last_line(text: str) -> str:
    """Return a step's result: by agreement the last line that it prints."""
    lines = text.strip().splitlines()
    if not lines:
        raise pulumi.RunError(
            "An image step printed no result, so there is no image to use. Hint: see its log above."
        )
    return lines[-1]
