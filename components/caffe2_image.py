"""Caffe2Image: the training image, built once and pulled by every host.

Guide: "Create or pull a base image and run Container".
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi

from components.context import Cluster
from components.image_build import BUILD_STEP, build_on_host, build_on_operator, builder_of
from components.image_context import image_plan
from components.image_distribution import Built, distribute, last_line


class Caffe2Image(pulumi.ComponentResource):
    """The image: built once on the stack's builder, then brought to all hosts (image_distribution.py).

    `image_id` (``sha256:…``) names the same content on every machine, and stays known while the registry is
    being repaired; so containers are declared with it, not with the registry's digest. `pulled` has the
    resource per host after which the image is there. `checks` is what the build found in the image (its
    operators and versions, and devices of the machine that built it); it is told, and no resource's input.
    """

    def __init__(self, cluster: Cluster, after: Sequence[pulumi.Resource]) -> None:
        stack = cluster.stack
        repository = stack.image.repository
        super().__init__("rocestack:components:Caffe2Image", repository)
        plan, builder = image_plan(stack.image), builder_of(cluster)
        self.tag = plan.tag()
        if builder is None:
            build = build_on_operator(cluster, plan, self, after)
        else:
            _, build = build_on_host(cluster, builder, plan, self, after)
        self.image_id = build.stdout.apply(last_line)
        self.checks = build.stdout.apply(found_in_image)
        distributed = distribute(cluster, Built(repository, self.tag, self.image_id, builder), self, after)
        self.reference, self.pulled = distributed.reference, distributed.on_host
        self.digest = distributed.digest
        self.register_outputs({"reference": self.reference, "image_id": self.image_id, "checks": self.checks})


def found_in_image(text: str) -> dict[str, str]:
    """Return what the check found in the image: by agreement the line before the build's last, as JSON."""
    lines = text.strip().splitlines()
    try:
        found = json.loads(lines[-2])
    except (IndexError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise pulumi.RunError(
            f"The build of the image did not say what is in it. Hint: see the log of {BUILD_STEP} above."
        )
    return {str(key): str(value) for key, value in found.items()}
