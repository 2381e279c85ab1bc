"""Caffe2Image: the training image, built once and brought to every host, or built by each of them.

Guide: "Create or pull a base image and run Container".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components.context import Cluster
from components.image_build import (
    BUILD_STEP,
    build_everywhere,
    build_on_host,
    build_on_operator,
    builder_of,
    plan_tag,
)
from components.image_check import host_checks, json_line
from components.image_context import ImagePlan, image_plan
from components.image_distribution import Built, Distributed, built_everywhere, distribute, last_line
from settings.registry import Distribution

# What the proof says of the hosts' images.
_SAME = "the same bytes on every host"
_ALIKE = "alike by the hash of what they were built from (the tag), each host's own bytes"


class Caffe2Image(pulumi.ComponentResource):
    """The image: built once on the stack's builder, then brought to all hosts (image_distribution.py).

    `image_ids` has the id (``sha256:…``) by host. It is one id and names the same bytes on every machine, but
    where every host builds its own (`build-everywhere`): those are alike by content alone. An id stays known
    while the registry is repaired; so containers are declared with it, not with the registry's digest.
    `pulled` has the resource per host after which the image is there. `checks` is what the build found in the
    image (its operators and versions, and devices of the machine that built it), by host where each built
    one, and `host_checks` per host what a container of it gets there; both are told, and no resource's input.
    """

    def __init__(self, cluster: Cluster, after: Sequence[pulumi.Resource]) -> None:
        stack = cluster.stack
        self._repository = stack.image.repository
        super().__init__("rocestack:components:Caffe2Image", self._repository)
        plan = image_plan(stack.image)
        self.tag = plan_tag(plan)
        everywhere = stack.image.distribution is Distribution.BUILD_EVERYWHERE
        distributed = (
            self._everywhere(cluster, plan, after) if everywhere else self._once(cluster, plan, after)
        )
        self.alike = _ALIKE if everywhere else _SAME
        self.reference, self.pulled = distributed.reference, distributed.on_host
        self.digest = distributed.digest
        self.host_checks = host_checks(cluster, self.image_ids, self.pulled, self)
        self.register_outputs(
            {"reference": self.reference, "image_ids": self.image_ids, "checks": self.checks}
        )

    def _once(self, cluster: Cluster, plan: ImagePlan, after: Sequence[pulumi.Resource]) -> Distributed:
        builder = builder_of(cluster)
        if builder is None:
            build = build_on_operator(cluster, plan, self, after)
        else:
            _, build = build_on_host(cluster, builder, plan, self, after)
        image_id = build.stdout.apply(last_line)
        self.image_ids = dict.fromkeys(cluster.hosts, image_id)
        self.checks: pulumi.Output[dict[str, Any]] = build.stdout.apply(found_in_image)
        return distribute(cluster, Built(self._repository, self.tag, image_id, builder), self, after)

    def _everywhere(self, cluster: Cluster, plan: ImagePlan, after: Sequence[pulumi.Resource]) -> Distributed:
        builds = build_everywhere(cluster, plan, self, after)
        self.image_ids = {name: build.stdout.apply(last_line) for name, build in builds.items()}
        self.checks = pulumi.Output.all(
            **{name: build.stdout.apply(found_in_image) for name, build in builds.items()}
        )
        built = {
            name: Built(self._repository, self.tag, image_id, cluster.hosts[name])
            for name, image_id in self.image_ids.items()
        }
        return built_everywhere(cluster, built, self)

    @property
    def anywhere(self) -> pulumi.Output[str]:
        """The image by a name that every host knows: its one id, or its own name and tag."""
        if self.alike == _ALIKE:
            return pulumi.Output.from_input(self.reference)
        return next(iter(self.image_ids.values()))

    def told(self) -> pulumi.Output[dict[str, Any]]:
        """Return what the proof says of the image; `id` is a mapping by host where each built its own."""
        return pulumi.Output.all(
            alike=self.alike,
            checks=self.checks,
            digest=self.digest,
            id=pulumi.Output.all(**self.image_ids) if self.alike == _ALIKE else self.anywhere,
            reference=self.reference,
        )


def found_in_image(text: str) -> dict[str, str]:
    """Return what the check found in the image: by agreement the line before the build's last."""
    otherwise = f"The build of the image did not say what is in it. Hint: see the log of {BUILD_STEP} above."
    return json_line(text, -2, otherwise)
