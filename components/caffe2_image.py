"""Caffe2Image: the training image, built once and pulled by every host (guide: "Create or pull a base image")."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pulumi

from components.context import Cluster
from components.host_step import host_step, local_step
from components.image_context import content_tag, context_files, materialise

# The operator's machine, as it stands in the names of the steps that run there.
OPERATOR = "operator"
BUILD_STEP = "caffe2_image.build"
BASE_IMAGE = "rocestack/bullseye:base"
_CONTEXTS = Path(".engine/build")
_PHOTOGRAPHS = Path(".lab/photographs")


class Caffe2Image(pulumi.ComponentResource):
    """The image: built on the operator's engine, pushed to the stack's registry, pulled by digest.

    `image_id` (``sha256:…``) names the same content on every machine, and stays known while the registry is
    being repaired; so containers are declared with it, not with the registry's digest.
    """

    def __init__(
        self,
        cluster: Cluster,
        docker_hosts: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        stack = cluster.stack
        repository = stack.image.repository
        super().__init__("rocestack:components:Caffe2Image", repository, None, opts)
        files = context_files(stack.image.flavour.value, _PHOTOGRAPHS)
        self.tag = content_tag(files)
        folder = _CONTEXTS / self.tag
        materialise(files, folder)
        base = local_step(cluster, OPERATOR, "caffe2_image.base", {"base_image": BASE_IMAGE}, parent=self)
        build = local_step(
            cluster,
            OPERATOR,
            BUILD_STEP,
            {"base_image": BASE_IMAGE, "context_dir": str(folder), "image": repository, "tag": self.tag},
            parent=self,
            depends_on=[base, *docker_hosts],
            found=cluster.local_found.get(BUILD_STEP),
        )
        self.image_id = build.stdout.apply(last_line)
        push = local_step(
            cluster,
            OPERATOR,
            "caffe2_image.push",
            {
                "image": repository,
                "image_id": self.image_id,
                "registry": stack.registry.push_address,
                "tag": self.tag,
            },
            parent=self,
            depends_on=[cluster.registry_node] if cluster.registry_node is not None else [],
            generation=cluster.registry_generation,
        )
        digest = push.stdout.apply(last_line)
        self.pulled = {
            name: host_step(
                cluster,
                context,
                "caffe2_image.pull",
                {
                    "digest": digest,
                    "image_id": self.image_id,
                    "registry": stack.registry.address,
                    "repository": repository,
                },
                parent=self,
                depends_on=[*docker_hosts],
            )
            for name, context in cluster.hosts.items()
        }
        self.register_outputs(
            {"image": f"{repository}:{self.tag}", "image_id": self.image_id, "digest": digest}
        )


def last_line(text: str) -> str:
    """Return a step's result: by agreement the last line that it prints."""
    lines = text.strip().splitlines()
    if not lines:
        raise pulumi.RunError(
            "An image step printed no result, so there is no image to use. Hint: see its log above."
        )
    return lines[-1]
