"""Where the training image is built: on the operator's engine, or on that of a host, by the same scripts.

A host's engine is driven from the operator's machine through SSH (docs/decisions/0040).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_command import local

from components.context import Cluster, HostContext
from components.head_registry import REGISTRY_STEP
from components.host_step import local_step
from components.image_context import ImagePlan
from components.image_distribution import OPERATOR, PULL_STEP, found_on, ssh_lines
from settings import image as settings

BASE_STEP = "caffe2_image.base"
BUILD_STEP = "caffe2_image.build"


def builder_of(cluster: Cluster) -> HostContext | None:
    """Return the host that the stack names as the image's builder, or None for the operator's machine."""
    name = cluster.stack.image.builder
    return None if name == settings.OPERATOR else cluster.hosts[name]


def build_on_operator(
    cluster: Cluster, plan: ImagePlan, parent: pulumi.Resource, after: Sequence[pulumi.Resource]
) -> local.Command:
    """Declare base and build on the operator's engine, and return the build."""
    found = cluster.local_found.get(BUILD_STEP)
    base = local_step(
        _untold(cluster),
        OPERATOR,
        BASE_STEP,
        _base(plan),
        parent=parent,
        found=found,
        depends_on=after,
    )
    return local_step(
        cluster,
        OPERATOR,
        BUILD_STEP,
        {**_settings(plan), "present": "yes"},
        parent=parent,
        found=found,
        depends_on=[base],
    )


def build_on_host(
    cluster: Cluster,
    host: HostContext,
    plan: ImagePlan,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource],
) -> tuple[local.Command, local.Command]:
    """Declare base and build on a host's engine, and return both."""
    # Whether the image is still there is seen and told by the host's own step.
    untold = _untold(cluster)
    login, found = ssh_lines(host.access), _present(cluster, host)
    base = local_step(
        untold,
        host.host.name,
        BASE_STEP,
        {**_base(plan), **login},
        parent=parent,
        found=found,
        generation=host.node_generation,
        depends_on=after,
        works_on=host,
    )
    build = local_step(
        untold,
        host.host.name,
        BUILD_STEP,
        {**_settings(plan), **login, "present": "yes"},
        parent=parent,
        found=found,
        generation=host.node_generation,
        depends_on=[base],
        works_on=host,
    )
    return base, build


def build_everywhere(
    cluster: Cluster, plan: ImagePlan, parent: pulumi.Resource, after: Sequence[pulumi.Resource]
) -> Mapping[str, local.Command]:
    """Declare base and build on each host's engine, and return the builds by host.

    The others' bases come after the head's: one that must be made from packages is made once, and then sent.
    """
    head = cluster.hosts[cluster.stack.head.name]
    base, build = build_on_host(cluster, head, plan, parent, after)
    return {head.host.name: build} | {
        name: build_on_host(cluster, host, plan, parent, [*after, base])[1]
        for name, host in cluster.hosts.items()
        if host is not head
    }


def _untold(cluster: Cluster) -> Cluster:
    """Return the cluster for a step whose drift another one tells."""
    return dataclasses.replace(cluster, drift=[], unsettled=[])


def _base(plan: ImagePlan) -> dict[str, str]:
    """Return the base's lines; it is looked for before each build, for a clean-up may have taken it."""
    return {**plan.base, "tag": plan_tag(plan), "present": "yes"}


def _present(cluster: Cluster, host: HostContext) -> Mapping[str, str] | None:
    """Say whether the image of a host that built it need not be built again.

    One that went from there is pulled back where our registry still has it.
    """
    there = found_on(host, PULL_STEP, "image_id")
    if there is None:
        return None
    head = cluster.hosts[cluster.stack.head.name]
    kept = found_on(head, REGISTRY_STEP, "content") == {"content": "kept"}
    return {"present": "no" if there["image_id"] == "removed" and not kept else "yes"}


def plan_tag(plan: ImagePlan) -> str:
    """Return the tag of the plan's image; a file that is not there ends the program with an error."""
    return _settings(plan)["tag"]


def _settings(plan: ImagePlan) -> dict[str, str]:
    try:
        return plan.settings()
    except OSError as error:
        raise pulumi.RunError(
            f"The training image cannot be put together: {error.filename}: {error.strerror}. "
            "Hint: compare the checkout with its commit: git status."
        ) from None
