"""How the image that was built once comes to every host, and is the same one there.

Guide: "Create or pull a base image and run Container", which every host did by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.context import Cluster, HostContext
from components.head_registry import REGISTRY_STEP, HeadRegistry
from components.host_step import host_step, local_step
from components.operator_files import portable
from settings.models import HostAccess
from settings.registry import Distribution, NamedRegistry, named_registry

# The operator's machine, as it stands in the names of the steps that run there.
OPERATOR = "operator"
PUSH_STEP = "caffe2_image.push"
PULL_STEP = "caffe2_image.pull"
STREAM_STEP = "caffe2_image.stream"
# What the host's own step is told where the image did not come from a registry.
_NO_REGISTRY = {"digest": "none", "registry": "none", "registry_ca": "none", "size_mb": "0"}


@dataclass(frozen=True)
class Built:
    """The image on the engine that built it: its name there, and its id (``sha256:…``).

    `builder` is the host that built it, None for the operator's machine.
    """

    repository: str
    tag: str
    image_id: pulumi.Output[str]
    builder: HostContext | None = None


@dataclass(frozen=True)
class Distributed:
    """The image's name for a person, the resource per host after which it is there, and its digest.

    Without a registry it has no such digest.
    """

    reference: str
    on_host: Mapping[str, pulumi.Resource]
    digest: pulumi.Input[str] = "none"


def distribute(
    cluster: Cluster, built: Built, parent: pulumi.Resource, after: Sequence[pulumi.Resource] = ()
) -> Distributed:
    """Declare the steps that bring the image to all hosts; those on hosts come `after` their engines."""
    way = _Way(cluster, built, parent, after)
    if cluster.stack.image.distribution is Distribution.STREAM:
        return way.streamed()
    named = named_registry(cluster.stack.registry)
    return way.from_the_head() if named is None else way.from_a_named(named)


def built_everywhere(cluster: Cluster, built: Mapping[str, Built], parent: pulumi.Resource) -> Distributed:
    """Declare the steps by which each host keeps the image on record that it built itself."""
    on_host = {
        name: _Way(cluster, one, parent, ()).kept_where_built(cluster.hosts[name])
        for name, one in built.items()
    }
    reference = next(f"{one.repository}:{one.tag}" for one in built.values())
    return Distributed(reference, on_host)


@dataclass(frozen=True)
class _Source:
    """Where the hosts pull from: a registry's host:port, what its push said, and what to trust beside."""

    address: str
    pushed: pulumi.Output[str]
    certificate: pulumi.Input[str] = "none"


@dataclass(frozen=True)
class _Way:
    """What all ways of distribution share."""

    cluster: Cluster
    built: Built
    parent: pulumi.Resource
    after: Sequence[pulumi.Resource]

    def from_a_named(self, registry: NamedRegistry) -> Distributed:
        """Push to the registry that the stack names; the engines of the hosts trust it already."""
        push = local_step(
            self.cluster,
            OPERATOR,
            PUSH_STEP,
            # A host reaches the registry as all hosts do.
            {
                **self._image(),
                "registry": registry.push_address if self.built.builder is None else registry.address,
                "socket": "none",
            },
            parent=self.parent,
            works_on=self.built.builder,
        )
        return self._pulled(_Source(registry.address, push.stdout))

    def from_the_head(self) -> Distributed:
        """Serve the image from the head host; a registry that lost it gets it again."""
        head = self.cluster.hosts[self.cluster.stack.head.name]
        registry = HeadRegistry(self.cluster, head, self.parent, self.after)
        push = local_step(
            self.cluster,
            OPERATOR,
            PUSH_STEP,
            {
                **self._image(),
                **ssh_lines(head.access),
                "registry": registry.address,
                "socket": "/run/rocestack-registry-push/socket",
                "content": "kept",
            },
            parent=self.parent,
            found=found_on(head, REGISTRY_STEP, "content"),
            generation=head.node_generation,
            depends_on=[registry.ready],
            works_on=self.built.builder,
        )
        return self._pulled(_Source(registry.address, push.stdout, registry.certificate))

    def streamed(self) -> Distributed:
        """Send the image to each host over SSH, all at once; the host's own step then keeps it on record.

        The host that built it is sent nothing.
        """
        # The same drift is one of the host's own step, and is told there.
        untold = dataclasses.replace(self.cluster, drift=[], unsettled=[])
        on_host: dict[str, pulumi.Resource] = {}
        for name, host in self.cluster.hosts.items():
            if host is self.built.builder:
                on_host[name] = self.kept_where_built(host)
                continue
            sent = local_step(
                untold,
                name,
                STREAM_STEP,
                {**self._image(), **ssh_lines(host.access)},
                parent=self.parent,
                found=found_on(host, PULL_STEP, "image_id"),
                generation=host.node_generation,
                depends_on=self.after,
                works_on=host,
            )
            on_host[name] = self._present(host, _NO_REGISTRY, [sent])
        return Distributed(f"{self.built.repository}:{self.built.tag}", on_host)

    def kept_where_built(self, host: HostContext) -> pulumi.Resource:
        """Have the host that built the image keep it on its record."""
        return self._present(host, _NO_REGISTRY)

    def _pulled(self, source: _Source) -> Distributed:
        """Have every host pull by the digest that the push printed, before the image's size in MB."""
        said = source.pushed.apply(lambda text: last_line(text).partition(" "))
        digest = said.apply(lambda parts: parts[0])
        wanted: dict[str, pulumi.Input[str]] = {
            "digest": digest,
            "registry": source.address,
            "registry_ca": source.certificate,
            "size_mb": said.apply(lambda parts: parts[2] or "0"),
        }
        return Distributed(
            f"{source.address}/{self.built.repository}:{self.built.tag}",
            {name: self._present(host, wanted) for name, host in self.cluster.hosts.items()},
            digest,
        )

    def _present(
        self,
        host: HostContext,
        wanted: Mapping[str, pulumi.Input[str]],
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> pulumi.Resource:
        """Declare the step after which a host has the image, by its id, and remembers that it is ours."""
        built = self.built
        lines = {**wanted, "image_id": built.image_id, "repository": built.repository, "tag": built.tag}
        return host_step(self.cluster, host, PULL_STEP, lines, parent=self.parent, depends_on=depends_on)

    def _image(self) -> dict[str, pulumi.Input[str]]:
        built = self.built
        image: dict[str, pulumi.Input[str]] = {
            "image": built.repository,
            "image_id": built.image_id,
            "tag": built.tag,
        }
        if built.builder is None:
            return image
        login = ssh_lines(built.builder.access)
        return {**image, **{f"builder_{key}": value for key, value in login.items()}}


def found_on(host: HostContext, step: str, key: str) -> dict[str, str] | None:
    """Return one fact of a host's step, under its own key, or None where nothing says it."""
    observation = host.observation
    if observation is None or observation.state != "reachable":
        return None
    facts = observation.facts.get(step, {})
    return {key: facts[key]} if key in facts else None


def ssh_lines(access: HostAccess) -> dict[str, str]:
    """Return how a script on the operator's machine reaches a host (templates/common/ssh_to.sh)."""
    return {
        "host": access.name,
        "ssh_address": access.address,
        "ssh_port": str(access.port),
        "ssh_user": access.user,
        "ssh_host_key": access.host_key,
        "ssh_key": portable(access.private_key_file),
    }


def last_line(text: str) -> str:
    """Return a step's result: by agreement the last line that it prints."""
    lines = text.strip().splitlines()
    if not lines:
        raise pulumi.RunError(
            "An image step printed no result, so there is no image to use. Hint: see its log above."
        )
    return lines[-1]
