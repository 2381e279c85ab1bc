"""The lab's one line in the program: observes the machines, declares them, and says how to log in to them."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pulumi
from pydantic import SecretStr

from components.cluster import Machines
from facts.checkpoint import Checkpoint
from lab.cluster import Lab
from lab.errors import LabError
from lab.files import LabFiles
from lab.image import connect, node_tag
from lab.keys import public_key
from lab.observe import NodeState, observe
from lab.plan import make_plan, ports, ssh_machines
from lab.vendor.artifacts import manifest
from lab.vendor.completion import complete
from settings.guests import LabBackend
from settings.models import HostAccess, Stack, SwitchAccess

# The make target that sets a stack's lab up.
SETUP_BY = {"lab": "setup", "vmlab": "vm-setup"}
# What stands in for hardware that no container has; lab/README.md says what each does and does not.
STANDINS = (
    "switch command line (Onyx)",
    "mlnx_qos",
    "cma_roce_mode",
    "cma_roce_tos",
    "sysfs files of a ConnectX card",
    "kernel and its modules (uname, lsmod, modprobe, modinfo, dkms)",
    "boot: firmware settings, initramfs, modules",
    "PCI bus (lspci)",
    "ethtool: pause and driver of the data interface",
    "mokutil",
    "NVIDIA driver (nvidia-smi, nvidia-debugdump)",
    "MLNX_OFED and DOCA-OFED (openibd, mst, mlxconfig, ibdev2netdev, show_gids, ofed_info)",
    "docker-ce packages (the distribution's engine)",
    "NVIDIA's container runtime and toolkit",
)


def open_lab(stack: Stack, stack_name: str, recorded: Checkpoint) -> Machines:
    """Declare the lab of `stack` and return its machines.

    A machine that is gone, or is to be made of other files than the recorded ones, gets its next
    generation: it comes back empty, and each step that carries the generation configures it again.
    """
    files = LabFiles()
    try:
        check_setup(files, stack, stack_name)
        return _open(stack, stack_name, recorded, files)
    except LabError as error:
        raise pulumi.RunError(str(error)) from None


def _open(stack: Stack, stack_name: str, recorded: Checkpoint, files: LabFiles) -> Machines:
    if _has_guests(stack):
        from lab.vm.program import open_guests  # noqa: PLC0415  (a lab of containers needs nothing of it)

        return open_guests(stack, stack_name, recorded, files)
    generations, absent = judge_containers(stack, stack_name, recorded, files)
    lab = Lab(stack_name, stack, generations)
    hosts, switches = access(stack, stack_name, files)
    return Machines(
        hosts=hosts,
        switches=switches,
        nodes=lab.nodes,
        generations=generations,
        absent=absent,
        standins=STANDINS,
        stack=complete(stack, manifest(files)),
    )


def judge_containers(
    stack: Stack, stack_name: str, recorded: Checkpoint, files: LabFiles
) -> tuple[dict[str, int], frozenset[str]]:
    """Return the generation of each of the lab's containers in this run, and those that are to be made.

    What the operator should know of them is told as warnings. Raises LabError when no engine answers.
    """
    draft = make_plan(stack, stack_name, node_tag(), files, {})
    names = [machine.name for machine in draft.machines]
    known = {name: recorded.labels(name) for name in names}
    numbers = {name: _generation(labels) for name, labels in known.items()}
    found = observe(os.environ.get("DOCKER_HOST"), names, numbers, stack_name)
    generations, absent = {}, set()
    for name in names:
        labels = known[name]
        changed = (
            labels is not None and labels.get("rocestack.fingerprint") != draft.machine(name).fingerprint
        )
        generations[name] = next_generation(numbers[name], found[name], changed)
        if found[name].state == "absent" or changed:
            absent.add(name)
        if found[name].state == "absent" and labels is not None:
            tell_absent(name, numbers[name])
        if found[name].state == "stopped":
            container = draft.machine(name).container
            pulumi.log.warn(f"lab machine {name} is stopped; start it with `docker start {container}`")
    return generations, frozenset(absent)


def tell_absent(name: str, generation: int) -> None:
    """Tell the operator that a machine which was made is gone."""
    pulumi.log.warn(f"drift: lab machine {name}: found none, wanted generation {generation}")


def next_generation(recorded: int, found: NodeState, changed: bool) -> int:
    """Return a machine's generation in this run; `recorded` is 0 for one that was never made.

    A container that the checkpoint does not know (an `up` was cut off) counts too: its volumes are used.
    """
    if found.state != "absent" and not changed:
        return recorded
    return max(recorded, found.generation or 0) + 1


def access(
    stack: Stack, stack_name: str, files: LabFiles
) -> tuple[Mapping[str, HostAccess], Mapping[str, SwitchAccess]]:
    """Return how to log in to the lab's hosts and switches; the switches have one password."""
    published = ports(stack)
    private_key = files.client_key.read_text()
    hosts = {
        host.name: HostAccess(
            name=host.name,
            address="127.0.0.1",
            port=published[host.name],
            user=host.user,
            host_key=public_key(files.host_key(host.name)),
            private_key=SecretStr(private_key),
            private_key_file=str(files.client_key),
            known_hosts_file=str(files.known_hosts_of(stack_name)),
        )
        for host in stack.hosts
    }
    password = SecretStr(files.switch_password.read_text().strip())
    switches = {
        switch.name: SwitchAccess(
            name=switch.name,
            address="127.0.0.1",
            port=published[switch.name],
            user=switch.user,
            host_key=public_key(files.host_key(switch.name)),
            password=password,
        )
        for switch in stack.all_switches
    }
    return hosts, switches


def _generation(labels: Mapping[str, str] | None) -> int:
    text = (labels or {}).get("rocestack.generation", "0")
    return int(text) if text.isdigit() else 0


def check_setup(files: LabFiles, stack: Stack, stack_name: str) -> None:
    """Raise LabError when set-up has not made what this stack's lab needs."""
    target = SETUP_BY.get(stack_name, "setup")
    hint = f"run `make {target}`; it makes what is missing and leaves the rest as it is."
    needed = [files.client_key, files.known_hosts_of(stack_name), files.switch_password]
    needed += [] if _has_guests(stack) else [files.vendor_manifest]
    needed += [files.host_key(name) for name in ssh_machines(stack)]
    for path in needed:
        if not path.exists():
            raise LabError(f"The lab's file {path.relative_to(files.root)} is missing.", hint)
    client = connect()
    try:
        if not client.api.images(name=node_tag()):
            raise LabError(f"The lab's image {node_tag()} is not in the Docker engine.", hint)
    finally:
        client.close()


def _has_guests(stack: Stack) -> bool:
    return stack.lab is not None and stack.lab.backend is LabBackend.VM
