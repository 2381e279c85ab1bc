"""Caffe2Image: the training image, built once and pulled by every host.

Guide: "Create or pull a base image and run Container".
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
from pulumi_command import local

from components.context import Cluster
from components.host_step import local_step
from components.image_context import ImagePlan, image_plan
from components.image_distribution import OPERATOR, Built, distribute, last_line

BUILD_STEP = "caffe2_image.build"


class Caffe2Image(pulumi.ComponentResource):
    """The image: built on the operator's engine, then brought to all hosts (image_distribution.py).

    `image_id` (``sha256:…``) names the same content on every machine, and stays known while the registry is
    being repaired; so containers are declared with it, not with the registry's digest. `pulled` has the
    resource per host after which the image is there. `checks` is what the build found in the image (its
    operators and versions, and devices of the machine that built it); it is told, and no resource's input.
    """

    def __init__(self, cluster: Cluster, after: Sequence[pulumi.Resource]) -> None:
        stack = cluster.stack
        repository = stack.image.repository
        super().__init__("rocestack:components:Caffe2Image", repository)
        build = self._build(cluster, after)
        self.image_id = build.stdout.apply(last_line)
        self.checks = build.stdout.apply(found_in_image)
        distributed = distribute(cluster, Built(repository, self.tag, self.image_id), self, after)
        self.reference, self.pulled = distributed.reference, distributed.on_host
        self.digest = distributed.digest
        self.register_outputs({"reference": self.reference, "image_id": self.image_id, "checks": self.checks})

    def _build(self, cluster: Cluster, after: Sequence[pulumi.Resource]) -> local.Command:
        plan = image_plan(cluster.stack.image)
        settings = _settings(plan)
        self.tag = settings["tag"]
        base = local_step(cluster, OPERATOR, "caffe2_image.base", plan.base, parent=self, depends_on=after)
        return local_step(
            cluster,
            OPERATOR,
            BUILD_STEP,
            {**settings, "present": "yes"},
            parent=self,
            found=cluster.local_found.get(BUILD_STEP),
            depends_on=[base],
        )


def _settings(plan: ImagePlan) -> dict[str, str]:
    try:
        return plan.settings()
    except OSError as error:
        raise pulumi.RunError(
            f"The training image cannot be put together: {error.filename}: {error.strerror}. "
            "Hint: compare the checkout with its commit: git status."
        ) from None


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
