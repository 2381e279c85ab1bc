"""TrainingJob: the distributed Caffe2 run and its figures (guide: "Distributed Caffe2 run - sample")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi_command import local

from components.caffe2_image import Caffe2Image
from components.context import Cluster, HostContext
from components.dataset import Dataset
from components.image_distribution import PULL_STEP
from components.job_containers import REDIS, redis_container, shard_container, shard_name
from components.made_anew import makes_way
from components.proof import WAIT, prove, read_json, verify, wait_lines, without_evidence
from components.redis_failure import says_why
from facts.checkpoint import CONTAINER
from facts.containers import differing, image_config
from facts.job import ContainerState, JobPlan, plan_containers, plan_run
from facts.observe import HostObservation
from settings import flat
from settings.models import Host, Stack


def describe(stack: Stack) -> str:
    """Return in words what is trained, for the stack's outputs."""
    training = stack.training
    return (
        f"ResNet-{training.num_layers} on {stack.dataset.name}, {training.num_labels} labels, "
        f"{training.image_size} px, {training.num_epochs} epochs of {training.epoch_size} images, "
        f"batch {training.batch_size} on each of {len(stack.shards)} shards"
    )


class TrainingJob(pulumi.ComponentResource):
    """One distributed training: a dataset on each host, Redis on the head, the shards, and the wait.

    A shard that ended well under this run's identity stays as the proof of it. Any other end is drift and
    starts the job anew under a fresh identity. Outputs: `figures`, what the trainer
    itself reported, and `proof`.
    """

    def __init__(self, cluster: Cluster, image: Caffe2Image, after: Sequence[pulumi.Resource]) -> None:
        stack = cluster.stack
        super().__init__("rocestack:components:TrainingJob", "resnet50")
        self._cluster = cluster
        self._image = image
        self.dataset = Dataset(cluster, image.pulled, image.image_ids, self)
        engines = {name: self._engine(context, image.pulled[name]) for name, context in cluster.hosts.items()}
        redis = self._redis(engines[stack.head.name])
        placed = {shard_name(index): host for index, (host, _) in enumerate(stack.shards)}
        plan = self._plan("training_job.shards", placed)
        plan, run = plan_run(self._identity(), self._recorded(placed), plan)
        # All hosts' datasets: a shard without the others would only wait for them.
        ready = [*after, redis, *self.dataset.ready]
        verified = verify(cluster, image, run, parent=self, after=ready)
        shards = [
            self._shard(
                index,
                run=run,
                plan=plan,
                engine=engines[host.name],
                after=[*ready, verified],
            )
            for index, (host, _) in enumerate(stack.shards)
        ]
        lines = wait_lines(cluster, run)
        waited = self._wait(lines, shards)
        self.figures = self.proof = waited.stdout.apply(lambda text: without_evidence(read_json(text)))
        if lines["wait"] == "true":
            self.proof = prove(cluster, image, self.dataset.summary, verified, waited)
        self.register_outputs({"run_id": run, "figures": self.figures})

    def _identity(self) -> Mapping[str, object]:
        """Return all that makes this run another run when it changes."""
        stack = self._cluster.stack
        return {
            "hosts": [host.name for host, _ in stack.shards],
            "dataset": stack.dataset.identity,
            "image": self._image.tag,
            "run": stack.training.run,
            "shards": [shard_container(stack, index, "") for index in range(len(stack.shards))],
        }

    def _engine(self, context: HostContext, ready: pulumi.Resource) -> docker.Provider:
        """Return the provider of a host's Docker engine, reached over the same SSH as all else."""
        access = context.access
        url = f"ssh://{access.user}@{access.address}:{access.port}"
        # Unknown until the host has an engine: a provider must not be asked to connect before that.
        host = pulumi.Output.from_input(ready.id).apply(lambda _: url)  # type: ignore[attr-defined]
        return docker.Provider(
            f"{access.name}/docker",
            host=host,
            ssh_opts=[
                *("-i", access.private_key_file),
                *("-o", f"UserKnownHostsFile={access.known_hosts_file}"),
                *("-o", "StrictHostKeyChecking=yes"),
                *("-o", "IdentitiesOnly=yes"),
                *("-o", "BatchMode=yes"),
                *("-o", "ConnectTimeout=10"),
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[ready]),
        )

    def _plan(self, step: str, placed: Mapping[str, Host], *, healthy: str | None = None) -> JobPlan:
        """Return the next generation of the containers in `placed` and report their drift."""
        cluster = self._cluster
        recorded = self._recorded(placed)
        found: dict[str, ContainerState | None] = {}
        for name, host in placed.items():
            observation = cluster.hosts[host.name].observation
            if (
                observation is None
                or observation.state == "unreachable"
                or "containers" in observation.unobservable
            ):
                found[name] = None
            elif name not in observation.containers:
                found[name] = ContainerState("removed")
            else:
                inputs = cluster.checkpoint.of(CONTAINER, f"{host.name}/{name}") or {}
                found[name] = _state(observation, name, inputs)
        names = {name: host.name for name, host in placed.items()}
        wanted = {"healthy": (healthy,)} if healthy is not None else {}
        plan = plan_containers(step, recorded, found, names, **wanted)
        cluster.drift.extend(plan.drift)
        return plan

    def _recorded(self, placed: Mapping[str, Host]) -> dict[str, Mapping[str, str] | None]:
        """Return the recorded labels of each container, None for one that was never made."""
        labels = self._cluster.checkpoint.labels
        return {name: labels(f"{host.name}/{name}") for name, host in placed.items()}

    def _labels(self, plan: JobPlan, **more: str) -> list[docker.ContainerLabelArgs]:
        labels = {
            "rocestack.stack": self._cluster.stack_name,
            "rocestack.generation": str(plan.generation),
            **{f"rocestack.{name}": value for name, value in more.items()},
        }
        if plan.note:
            labels["rocestack.drift"] = plan.note
        return [docker.ContainerLabelArgs(label=name, value=value) for name, value in sorted(labels.items())]

    def _container_options(
        self,
        context: HostContext,
        engine: docker.Provider,
        name: str,
        drifted: bool,
        after: list[pulumi.Resource],
        *,
        on_error: Sequence[pulumi.ErrorHook] = (),
    ) -> pulumi.ResourceOptions:
        cluster = self._cluster
        recorded = cluster.checkpoint.labels(f"{context.host.name}/{name}") is not None
        there = context.observation is not None and name in context.observation.containers
        hooks = pulumi.ResourceHookBinding(on_error=[*on_error])
        if there and (drifted or not recorded):
            hooks.before_create = [makes_way(context, name, cluster.stack_name)]
        return pulumi.ResourceOptions(
            parent=self,
            provider=engine,
            depends_on=after,
            delete_before_replace=True,
            deleted_with=context.node,
            ignore_changes=["*"] if context.unreachable and recorded else None,
            hooks=hooks,
        )

    def _redis(self, engine: docker.Provider) -> docker.Container:
        """Return the rendezvous on the head host: bound to the data address, nothing kept on disk."""
        stack = self._cluster.stack
        head = stack.head
        context = self._cluster.hosts[head.name]
        name = f"{head.name}/{REDIS}"
        plan = self._plan("training_job.redis", {REDIS: head}, healthy="running")
        return docker.Container(
            name,
            name=REDIS,
            image=self._image.image_ids[head.name],
            labels=self._labels(plan),
            **redis_container(stack),
            opts=self._container_options(
                context,
                engine,
                REDIS,
                bool(plan.drift),
                [*self._image.pulled.values()],
                on_error=[says_why(context)],
            ),
        )

    def _shard(
        self,
        index: int,
        *,
        run: str,
        plan: JobPlan,
        engine: docker.Provider,
        after: list[pulumi.Resource],
    ) -> docker.Container:
        stack = self._cluster.stack
        host, _ = stack.shards[index]
        return docker.Container(
            f"{host.name}/{shard_name(index)}",
            name=shard_name(index),
            image=self._image.image_ids[host.name],
            labels=self._labels(plan, run_id=run),
            **shard_container(stack, index, run),
            opts=self._container_options(
                self._cluster.hosts[host.name], engine, shard_name(index), bool(plan.drift), after
            ),
        )

    def _wait(self, lines: Mapping[str, str], shards: list[docker.Container]) -> local.Command:
        """Return the step that starts all shards and ends once each has ended well; a failure stops all."""
        return local.Command(
            WAIT,
            create="python -m training wait",
            update="python -m training wait",
            stdin=flat.render(lines),
            add_previous_output_in_env=False,
            logging=local.Logging.STDERR,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*shards]),
        )


def _state(observation: HostObservation, name: str, inputs: Mapping[str, Any]) -> ContainerState:
    """Return a container's state with what it was made with, against its recorded inputs."""
    fact = observation.containers[name]
    status = f"exited {fact.exit_code}" if fact.status == "exited" else fact.status
    if fact.made is None:
        return ContainerState(status, fact.generation)
    image = image_config(observation.facts.get(PULL_STEP, {}).get("image_config"))
    return ContainerState(status, fact.generation, tuple(differing(inputs, fact.made, image)))
