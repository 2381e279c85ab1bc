"""The cluster, left to right: settings, observation, components, outputs."""

from __future__ import annotations

import os
import signal

import pulumi

from components.answers import answered, no_debug_messages
from components.cluster import metal, open_cluster
from components.program import declare
from components.report import export, tell
from components.training_job import describe
from facts import checkpoint
from settings.loader import SettingsError, load_engine


def main() -> None:
    """Declare the whole stack; a wrong setting or record ends it before anything is touched."""
    # The engine interrupts the program when a step failed. It has said why; a traceback says nothing more.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        _declare(pulumi.get_stack())
    except (SettingsError, checkpoint.CheckpointError) as error:
        raise pulumi.RunError(str(error)) from None


def _declare(name: str) -> None:
    stack = load_engine(name)
    recorded = checkpoint.read(name)
    if stack.lab is None:
        machines = metal(stack)
    else:
        from lab.program import open_lab  # noqa: PLC0415  (metal needs nothing of the lab)

        machines = open_lab(stack, name, recorded)
    cluster = open_cluster(stack, name, recorded, machines)
    declared = declare(cluster)
    found = tell(cluster)

    pulumi.export("hosts", {one.access.name: one.where for one in cluster.hosts.values()})
    pulumi.export("switches", {name: one.where for name, one in cluster.switches.items()})
    pulumi.export("image", declared.image.reference)
    pulumi.export("image_checks", declared.image.checks)
    pulumi.export("host_checks", declared.image.host_checks)
    pulumi.export("job", describe(stack))
    pulumi.export("dataset", declared.job.dataset.summary)
    pulumi.export("training", declared.job.figures)
    pulumi.export("proof", declared.job.proof)
    pulumi.export("drift", export(found, declared.job.figures))
    pulumi.export("standins", list(machines.standins))


no_debug_messages()
main()
pulumi.run(answered)
