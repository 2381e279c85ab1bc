"""Caffe2Image: the training image, built once and pulled by every host.

Guide: "Create or pull a base image and run Container".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pulumi
from pulumi_command import local

from components.context import Cluster
from components.host_step import host_step, local_step
from components.image_context import content_tag, context_files
from settings.models import ImageFlavour, Stack

# The operator's machine, as it stands in the names of the steps that run there.
OPERATOR = "operator"
BUILD_STEP = "caffe2_image.build"
PULL_STEP = "caffe2_image.pull"
BASE_IMAGE = "rocestack/bullseye"
# Eight real photographs that set-up brings; the image turns them into the training's dataset.
PHOTOGRAPHS = ".lab/photographs"
_SHARD_SCRIPT = "templates/training_job/shard.sh"
# The guide's relu_op_test is not in Debian's Caffe2; its successor holds the same test.
_TEST_MODULE = "caffe2.python.operator_test.activation_ops_test"
_TEST = "TestActivations.test_relu"


class Caffe2Image(pulumi.ComponentResource):
    """The image: built on the operator's engine, pushed to the stack's registry, pulled by digest.

    `image_id` (``sha256:…``) names the same content on every machine, and stays known while the registry is
    being repaired; so containers are declared with it, not with the registry's digest. `pulled` has the
    resource per host after which the image is there.
    """

    def __init__(self, cluster: Cluster, after: Sequence[pulumi.Resource]) -> None:
        stack = cluster.stack
        repository = stack.image.repository
        super().__init__("rocestack:components:Caffe2Image", repository)
        build = (
            self._from_source(cluster, after) if _is_source(stack) else self._from_packages(cluster, after)
        )
        self.image_id = build.stdout.apply(last_line)
        self.reference = f"{stack.registry.address}/{repository}:{self.tag}"
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
            generation=cluster.registry_generation,
            depends_on=[cluster.registry_node] if cluster.registry_node is not None else [],
        )
        digest = push.stdout.apply(last_line)
        self.pulled = {
            name: host_step(
                cluster,
                host,
                PULL_STEP,
                {
                    "digest": digest,
                    "image_id": self.image_id,
                    "registry": stack.registry.address,
                    "repository": repository,
                },
                parent=self,
            )
            for name, host in cluster.hosts.items()
        }
        self.register_outputs({"reference": self.reference, "image_id": self.image_id})

    def _from_packages(self, cluster: Cluster, after: Sequence[pulumi.Resource]) -> local.Command:
        context = f"templates/caffe2_image/{cluster.stack.image.flavour.value}"
        self.tag = _tag(context)
        base = local_step(
            cluster,
            OPERATOR,
            "caffe2_image.base",
            {"base_image": BASE_IMAGE},
            parent=self,
            depends_on=after,
        )
        return local_step(
            cluster,
            OPERATOR,
            BUILD_STEP,
            {
                "base_image": BASE_IMAGE,
                "context_dir": context,
                "image": cluster.stack.image.repository,
                "photographs_dir": PHOTOGRAPHS,
                "present": "yes",
                "shard_script": _SHARD_SCRIPT,
                "tag": self.tag,
                "test": _TEST,
                "test_module": _TEST_MODULE,
            },
            parent=self,
            found=cluster.local_found.get(BUILD_STEP),
            depends_on=[base],
        )

    def _from_source(self, cluster: Cluster, after: Sequence[pulumi.Resource]) -> local.Command:
        """Return the guide's own build, planned like any other; its script says that it is not there yet."""
        image = cluster.stack.image
        self.tag = image.flavour.value
        return local_step(
            cluster,
            OPERATOR,
            "caffe2_image.source",
            {"base": image.base, "image": image.repository, "tag": self.tag},
            parent=self,
            depends_on=after,
        )


def _is_source(stack: Stack) -> bool:
    return stack.image.flavour is ImageFlavour.SOURCE


def _tag(context: str) -> str:
    """Return the tag of what the build would read now."""
    try:
        return content_tag(
            context_files(
                {
                    "build": Path("templates/caffe2_image/build.apply.sh.j2"),
                    "context": Path(context),
                    "photographs": Path(PHOTOGRAPHS),
                    "shard": Path(_SHARD_SCRIPT),
                }
            )
        )
    except OSError as error:
        raise pulumi.RunError(
            f"The training image cannot be put together: {error.filename}: {error.strerror}. "
            "Hint: run `make setup`; it brings the photographs."
        ) from None


def last_line(text: str) -> str:
    """Return a step's result: by agreement the last line that it prints."""
    lines = text.strip().splitlines()
    if not lines:
        raise pulumi.RunError(
            "An image step printed no result, so there is no image to use. Hint: see its log above."
        )
    return lines[-1]
