"""Dataset: the training's data, made once of a set's archives and brought to every host.

Guide: "Appendix A - Prepare LMDB format Dataset".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_command import remote

from components.context import Cluster, HostContext
from components.host_step import host_step
from settings.dataset import Dataset as Settings
from settings.dataset import Distribution
from settings.models import Stack

STEP = "training_job.dataset"
SERVER_STEP = "training_job.dataset_server"
_ARCHIVES = ("train", "val", "lists")
# What the hosts beside the head do.
_ROLES = {Distribution.COPY: "copy", Distribution.SHARED: "use", Distribution.EACH: "make"}
_SUMMARY = ("labels", "train_images", "val_images")


class Dataset(pulumi.ComponentResource):
    """The data under `training.data_path` of each host, all of it the same.

    The head host makes it, or every host does (`dataset.distribution`). `ready` has the resources after which
    all hosts hold it. `summary` is what the head host's manifest says: its name, the number of labels and
    images, and the sha256 of the manifest, which names every record by its hash.
    """

    def __init__(
        self,
        cluster: Cluster,
        pulled: Mapping[str, pulumi.Resource],
        image_ids: Mapping[str, pulumi.Input[str]],
        parent: pulumi.Resource,
    ) -> None:
        stack = cluster.stack
        super().__init__(
            "rocestack:components:Dataset", stack.dataset.identity, opts=pulumi.ResourceOptions(parent=parent)
        )
        self._cluster, self._pulled, self._image_ids = cluster, pulled, image_ids
        head = cluster.hosts[stack.head.name]
        others = [context for name, context in cluster.hosts.items() if name != head.host.name]
        made = self._data(head, "make")
        before = self._before(made) if others else []
        role = _ROLES[stack.dataset.distribution]
        self.ready = [made, *(self._data(context, role, before) for context in others)]
        self.summary = made.stdout.apply(summary)
        self.register_outputs({"summary": self.summary})

    def _data(self, context: HostContext, role: str, after: Sequence[pulumi.Resource] = ()) -> remote.Command:
        return host_step(
            self._cluster,
            context,
            STEP,
            {**step_settings(self._cluster.stack, role), "image_id": self._image_ids[context.host.name]},
            parent=self,
            depends_on=[self._pulled[context.host.name], *after],
        )

    def _before(self, made: pulumi.Resource) -> list[pulumi.Resource]:
        """Return what the other hosts' data comes after."""
        stack = self._cluster.stack
        if stack.dataset.distribution is Distribution.EACH:
            return []
        if stack.dataset.distribution is Distribution.SHARED:
            return [made]
        return [
            host_step(
                self._cluster,
                self._cluster.hosts[stack.head.name],
                SERVER_STEP,
                {"address": served_at(stack), "data_path": stack.training.data_path},
                parent=self,
                depends_on=[made],
            )
        ]


def served_at(stack: Stack) -> str:
    """Return where the head host hands out the data: its address on the data network, and the port."""
    return f"{stack.head.data_address}:{stack.dataset.port}"


def step_settings(stack: Stack, role: str) -> dict[str, str]:
    """Return the settings of the data's step on a host of this role (make, copy or use), but the image's."""
    common = {"role": role, "data_path": stack.training.data_path, "dataset": stack.dataset.identity}
    if role == "copy":
        return {**common, "from": f"http://{served_at(stack)}"}
    if role == "use":
        return common
    return {
        **common,
        **_archives(stack.dataset),
        "labels": str(stack.training.num_labels),
        "resize": str(stack.dataset.resize),
        "encoding": stack.dataset.encoding.value,
        "workers": str(stack.dataset.workers),
    }


def _archives(settings: Settings) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _ARCHIVES:
        archive = getattr(settings, name)
        if archive is None:
            raise pulumi.RunError(
                f"The training's data has no archive dataset.{name}. Hint: run `make setup` for the lab's, "
                "or see docs/how-to/imagenet.md."
            )
        found |= {f"{name}_source": archive.source, f"{name}_md5": archive.md5}
    return found


def summary(manifest: str) -> dict[str, str]:
    """Return what a manifest (the step's output, lines ``key=value``) says of the data, for the outputs."""
    facts = dict(line.split("=", 1) for line in manifest.splitlines() if "=" in line)
    missing = [key for key in ("name", *_SUMMARY) if key not in facts]
    if missing:
        raise pulumi.RunError(f"The training data's manifest does not say its {missing[0]}: {manifest!r}")
    kept = {key: facts[key] for key in ("name", *_SUMMARY)}
    # As the file has it; a plugin may leave out the last line's end.
    text = manifest.rstrip("\n") + "\n"
    return {**kept, "sha256": hashlib.sha256(text.encode()).hexdigest()}
