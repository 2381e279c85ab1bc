"""The look at the network before a run, and the proof after it, as the stack's output and as report.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
from pulumi_command import local

from components.caffe2_image import Caffe2Image
from components.context import Cluster
from components.job_containers import shard_name
from facts import proof
from facts.checkpoint import CheckpointError, unreadable
from facts.evidence import EvidenceError
from facts.report import write_whole
from settings import flat
from settings.models import Stack

_EVIDENCE = "evidence"
_VERIFY_DEADLINE_S = "3600"
_COMMAND = "command:local:Command"
VERIFY, WAIT = "training_job.verify", "training_job.wait"


def report_path(stack_name: str) -> Path:
    """Return where a stack's proof is as a file, beside the set-up's files and ignored as they are."""
    return Path(f".engine/training/{stack_name}.json")


def job_lines(cluster: Cluster, run_id: str) -> dict[str, str]:
    """Return the job as `python -m training` reads it: the run, and each shard with the way to its host."""
    stack = cluster.stack
    lines = {
        "run_id": run_id,
        "shards": str(len(stack.shards)),
        "transport": stack.training.transport.value,
        "interface": stack.network.data_interface,
        "deadline_seconds": str(stack.training.deadline_seconds),
        "sysfs_root": stack.ofed.sysfs_root,
    }
    for index, (host, _) in enumerate(stack.shards):
        access = cluster.hosts[host.name].access
        lines |= {
            f"shard_{index}_container": shard_name(index),
            f"shard_{index}_host": host.name,
            f"shard_{index}_address": access.address,
            f"shard_{index}_port": str(access.port),
            f"shard_{index}_user": access.user,
            f"shard_{index}_host_key": access.host_key,
            f"shard_{index}_private_key_file": access.private_key_file,
        }
    return lines


def verify(
    cluster: Cluster,
    image: Caffe2Image,
    run_id: str,
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource],
) -> local.Command:
    """Return the step before the shards: bandwidth between hosts, and each host's counters.

    It is there once a run. Of a run that was measured the recorded settings stay, whatever the stack says
    now: counters of before the run cannot be read after it (docs/decisions/0045).
    """
    stack = cluster.stack
    lines = job_lines(cluster, run_id) | {
        # The measurement's own: another deadline of the job is no reason to measure again.
        "deadline_seconds": _VERIFY_DEADLINE_S,
        "minimum_percent": f"{stack.validation.minimum_percent:g}",
        "pairs": stack.validation.pairs.value,
        "port": str(stack.validation.port),
        "seconds": str(stack.validation.seconds),
        "tos": str(stack.roce.tos),
    }
    for index, (host, _) in enumerate(stack.shards):
        lines[f"shard_{index}_data_address"] = str(host.data_address)
    measured = recorded_lines(cluster, VERIFY, run_id)
    stdin: pulumi.Input[str] = image.anywhere.apply(lambda text: flat.render({**lines, "image": text}))
    if measured is not None:
        stdin = flat.render(measured)
        later = [name for name in _MEASUREMENT if measured.get(name) != lines[name]]
        if later:
            pulumi.log.info(
                f"rocestack:validation {', '.join(later)}: this run was measured with what was set before; "
                "the change counts from the next run on (`make train RUN=NAME`).",
                parent,
            )
    return local.Command(
        VERIFY,
        create="python -m training verify",
        update="python -m training verify",
        stdin=stdin,
        add_previous_output_in_env=False,
        logging=local.Logging.STDERR,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[*after]),
    )


_MEASUREMENT = ("minimum_percent", "pairs", "port", "seconds")


def recorded_lines(cluster: Cluster, step: str, run_id: str) -> dict[str, str] | None:
    """Return what a step of this very run was applied with, or None where it was not.

    Raises facts.checkpoint.CheckpointError for a record that is not of our making.
    """
    text = cluster.checkpoint.text(_COMMAND, step, "stdin")
    try:
        lines = flat.parse(text or "")
    except ValueError as error:
        raise CheckpointError(unreadable(step, str(error))) from None
    return lines if lines.get("run_id") == run_id else None


def wait_lines(cluster: Cluster, run_id: str) -> dict[str, str]:
    """Return the settings of the step that starts the shards and, where the stack says so, waits for them.

    A run that was waited for has ended well, so another deadline, or none, is nothing to wait again for.
    """
    training = cluster.stack.training
    lines = job_lines(cluster, run_id) | {"wait": str(training.wait).lower()}
    ended = recorded_lines(cluster, WAIT, run_id)
    if ended is not None and ended.get("wait", "true") == "true":
        lines |= {"deadline_seconds": ended["deadline_seconds"], "wait": "true"}
    return lines


def read_json(text: str) -> dict[str, Any]:
    """Return what `python -m training` printed."""
    answer = json.loads(text)
    if not isinstance(answer, dict):
        raise pulumi.RunError("The training's figures are not what `python -m training` prints.")
    return answer


def without_evidence(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures alone, for the output `training`; the rest is what the proof is made of."""
    return {name: value for name, value in figures.items() if name != _EVIDENCE}


def prove(
    cluster: Cluster,
    image: Caffe2Image,
    dataset: pulumi.Input[Mapping[str, Any]],
    verified: local.Command,
    waited: local.Command,
) -> pulumi.Output[dict[str, Any]]:
    """Return the proof. An `up` also writes it to a file, and fails where it does not hold."""
    texts: pulumi.Output[Any] = pulumi.Output.all(
        verified=verified.stdout,
        waited=waited.stdout,
        image=image.told(),
        dataset=dataset,
    )

    def prove_it(given: Mapping[str, Any]) -> dict[str, Any]:
        figures = read_json(given["waited"])
        wanted = _wanted(cluster.stack, given["image"], given["dataset"])
        try:
            proved = proof.build(wanted, figures, read_json(given["verified"]), figures.get(_EVIDENCE, {}))
        except EvidenceError as error:
            raise pulumi.RunError(f"The training's proof cannot be read: {error}.") from None
        if not pulumi.runtime.is_dry_run():
            _keep(cluster.stack_name, proved)
        return proved

    return texts.apply(prove_it)


def _wanted(stack: Stack, image: Mapping[str, Any], dataset: Mapping[str, Any]) -> proof.Wanted:
    return proof.Wanted(
        run=stack.training.run,
        transport=stack.training.transport.value,
        dscp=stack.roce.dscp,
        priority=stack.roce.switch_priority,
        addresses={host.name: str(host.data_address) for host in stack.hosts},
        image=image,
        dataset=dataset,
        wire=stack.ofed.soft_roce,
    )


def _keep(stack_name: str, proved: Mapping[str, Any]) -> None:
    """Write the proof to its file, and end the program where it does not hold."""
    path = report_path(stack_name)
    try:
        write_whole(path, json.dumps(proved, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        pulumi.log.warn(f"The training's report could not be written to {path}: {error.strerror}.")
    if proved["problems"]:
        raise pulumi.RunError(
            f"The training {proved['run']} (run {proved['run_id']}) ended, but it does not prove what the "
            "stack asks for:\n"
            + "\n".join(f"  {one}" for one in proved["problems"])
            + f"\nAll else is applied; {path} has the whole proof. Each `up` says so until another run is.\n"
            "Hint: mend that, then start another run: make train RUN=NAME"
        )
