"""A training over verbs between guests for tests, its containers made without what a test takes away.

They are the stack's own (components/job_containers.py), started and watched by the project's own code; only
what the engine does, to make them, is done by docker's command line here.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.job_containers import REDIS, redis_container, shard_container, shard_name
from facts import proof
from lab.vm.setup import load
from settings.models import Stack
from tests.vm.guest import Machine
from training.gather import gather
from training.launch import launch
from training.remote import RemoteDocker
from training.request import Access, Shard, WaitRequest
from training.wait import JobFailed, wait_for_job

Change = Callable[[dict[str, Any]], None]
DEADLINE_S = 900.0


def words(name: str, image: str, made: Mapping[str, Any]) -> str:
    """Return docker's command line that makes a container as the provider would of the same arguments."""
    capabilities = made.get("capabilities", {})
    command = ["docker", "create", "--name", name, "--network", made["network_mode"], "--read-only"]
    command += [part for one in made["security_opts"] for part in ("--security-opt", one)]
    command += [part for one in capabilities.get("drops", ()) for part in ("--cap-drop", one)]
    command += [part for one in capabilities.get("adds", ()) for part in ("--cap-add", one)]
    for one in made.get("ulimits", ()):
        command += ["--ulimit", f"{one['name']}={one['soft']}:{one['hard']}"]
    for one in made.get("devices", ()):
        command += ["--device", f"{one['host_path']}:{one['container_path']}:{one['permissions']}"]
    for one in made.get("mounts", ()):
        source = f",source={one['source']}" if "source" in one else ""
        only = ",readonly" if one.get("read_only") else ""
        command += ["--mount", f"type={one['type']}{source},target={one['target']}{only}"]
    command += [part for path, how in made.get("tmpfs", {}).items() for part in ("--tmpfs", f"{path}:{how}")]
    command += [part for one in made.get("envs", ()) for part in ("--env", one)]
    if "user" in made:
        command += ["--user", made["user"]]
    return shlex.join([*command, image, *made["command"]])


def without_library(made: dict[str, Any]) -> None:
    """Have a shard train over verbs as the guide's own job does: GID index 0, and no traffic class."""
    made["envs"] = [one for one in made["envs"] if not one.startswith("ROCESTACK_GID_INDEX=")]
    made["command"] = [*made["command"], "--distributed_interfaces", "rxe0"]


def without_memory(made: dict[str, Any]) -> None:
    """Take the right to lock memory, and leave what a container has by default."""
    made["capabilities"] = {"drops": ["ALL"]}
    made["ulimits"] = [{"name": "memlock", "soft": 65536, "hard": 65536}]


def without_devices(made: dict[str, Any]) -> None:
    """Take the card's nodes."""
    made["devices"] = []


def with_setting(name: str, value: str) -> Change:
    """Return a change that sets one variable of a shard."""

    def change(made: dict[str, Any]) -> None:
        kept = [one for one in made["envs"] if not one.startswith(f"{name}=")]
        made["envs"] = [*kept, f"{name}={value}"]

    return change


@dataclass
class Job:
    """One run: `changes` are made to the shards of these numbers, `during` is called with what is said."""

    machines: list[Machine]
    run: str
    image: str
    changes: Mapping[int, Change] = field(default_factory=dict)
    iterations: int = 4
    said: list[str] = field(default_factory=list)

    @property
    def stack(self) -> Stack:
        """The stack of virtual machines, with as many steps as the test wants."""
        stack = load()
        images = stack.training.batch_size * len(self.machines) * self.iterations
        training = stack.training.model_copy(update={"epoch_size": images})
        return stack.model_copy(update={"training": training})

    def make(self) -> None:
        """Make Redis, which is started, and the shards."""
        head = self.machines[0]
        for one in self.machines:
            one.run(f"docker rm --force {REDIS} {' '.join(self._names())} >/dev/null 2>&1 || true")
        head.run(words(REDIS, self.image, redis_container(self.stack)) + f" && docker start {REDIS}")
        for index, one in enumerate(self.machines):
            made = shard_container(self.stack, index, self.run)
            self.changes.get(index, lambda _: None)(made)
            one.run(words(shard_name(index), self.image, made))

    def train(self, during: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Start the shards, wait for them and return the proof; each line that is said goes to `during`.

        Raises JobFailed.
        """
        return asyncio.run(self._train(during))

    def failure(self, during: Callable[[str], None] = lambda _: None) -> str:
        """Return the message of a run that must fail."""
        try:
            self.train(during)
        except JobFailed as error:
            return str(error)
        raise AssertionError(f"the run {self.run} ended well")

    async def _train(self, during: Callable[[str], None]) -> dict[str, Any]:
        def say(text: str) -> None:
            self.said.append(text)
            during(text)

        request, stack = self._request(), self.stack
        told = (request.shards, request.interface, stack.ofed.sysfs_root)
        before = await gather(*told, with_shards=False)
        hosts = {one.host: RemoteDocker(one.host, one.access) for one in request.shards}
        try:
            await launch(request, hosts, say)
            figures = json.loads(await wait_for_job(request, hosts, say))
        finally:
            self.counted = (before, await gather(*told, with_shards=True))
            await asyncio.gather(*(one.close() for one in hosts.values()), return_exceptions=True)
        return proof.build(
            self.wanted(),
            figures,
            {"run_id": self.run, "bandwidth": [], "hosts": before},
            self.counted[1],
        )

    def wanted(self) -> proof.Wanted:
        """Return what the stack asks of the proof."""
        stack = self.stack
        return proof.Wanted(
            run=stack.training.run,
            transport=stack.training.transport.value,
            dscp=stack.roce.dscp,
            priority=stack.roce.switch_priority,
            addresses={host.name: str(host.data_address) for host in stack.hosts},
            image={},
            dataset={},
            wire=True,
        )

    def _names(self) -> list[str]:
        return [shard_name(index) for index in range(len(self.machines))]

    def _request(self) -> WaitRequest:
        return WaitRequest(
            run_id=self.run,
            transport=self.stack.training.transport.value,
            interface=self.stack.network.data_interface,
            deadline_s=DEADLINE_S,
            shards=tuple(
                Shard(index, one.guest.name, shard_name(index), _access(one))
                for index, one in enumerate(self.machines)
            ),
        )


def _access(machine: Machine) -> Access:
    one = machine.access
    return Access(one.address, one.port, one.user, one.host_key, one.private_key_file)
