"""Which steps a light host holds, and their settings: those of the components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.light.hosts import INTERFACE, SYSFS
from components.dataset import step_settings
from components.gpu_host import nouveau_settings, preflight_settings
from components.ofed_stack import qos_facts
from facts.files import wanted_facts
from settings import flat
from settings.loader import parse
from settings.models import Host, Stack

# Beside those of GpuHost, in the order of `up`.
OWN_STEPS = ("ofed_stack.address", "ofed_stack.qos", "training_job.dataset")
# A switch has ports for so many hosts, which is checked; the bench has more hosts and no switch.
_CHECKED = 32


def read_stack(sections: Mapping[str, Any]) -> Stack:
    """Return the stack of these sections, which may have more hosts than one switch has ports."""
    stack = parse({**sections, "hosts": sections["hosts"][:_CHECKED]}, "settings.json")
    rest = [Host.model_validate(one) for one in sections["hosts"][_CHECKED:]]
    return stack.model_copy(update={"hosts": (*stack.hosts, *rest)})


def sections(hosts: Sequence[Mapping[str, Any]], client_key: str, ca_file: str) -> dict[str, Any]:
    """Return the sections of a stack file for these hosts."""
    return {
        "hosts": list(hosts),
        "access": {"private_key_file": client_key},
        "network": {"data_interface": INTERFACE, "data_subnet": "31.31.0.0/16", "mtu": 9000},
        # Nothing here asks the switch.
        "switch": {
            "name": "no-switch",
            "address": "127.0.0.1",
            "host_key": "ssh-ed25519 AAAA",
            "password": "not asked",
        },
        "gpu": {"driver": "none"},
        # A light host's interface is one end of a veth pair.
        "ofed": {
            "flavour": "inbox",
            "sysfs_root": SYSFS,
            "allow_unobservable": ["ofed_stack.qos.pause"],
        },
        # All hosts share the machine, so each has a small part of a processor.
        "observation": {"deadline_seconds": 300},
        # Nothing is made of them; a light host has files of these names.
        "dataset": {
            name: {"source": f"/archives/{name}.tar", "md5": f"{number:032x}"}
            for number, name in enumerate(("train", "val", "lists"), start=1)
        },
        # A batch for each shard of many hosts.
        "training": {"epoch_size": 100_000, "test_epoch_size": 100_000},
        "registry": {"address": "127.0.0.1:5000", "push_address": "127.0.0.1:5000", "ca_file": ca_file},
    }


def recorded_lines(values: Mapping[str, Mapping[str, str]]) -> str:
    """Return a host's input of the probe for these settings of its steps, as they are recorded."""
    return "".join(
        f"{step}.{line}\n"
        for step, given in values.items()
        for line in flat.render(
            {**given, **wanted_facts(step, given), "generation": "1", "node": "1"}
        ).splitlines()
    )


def wanted(stack: Stack, name: str, host: Host) -> dict[str, dict[str, str]]:
    """Return the settings of each step on a host, by the step's name."""
    return {
        "gpu_host.preflight": preflight_settings(stack, name),
        "gpu_host.nouveau": {**nouveau_settings(stack.gpu), "reboot": stack.reboot.policy.value},
        "ofed_stack.address": {
            "interface": INTERFACE,
            "address": stack.data_cidr(host),
            "mtu": str(stack.network.mtu),
            "link": "up",
        },
        "ofed_stack.qos": {
            "interface": INTERFACE,
            "sysfs_root": stack.ofed.sysfs_root,
            **qos_facts(stack.roce),
            "allow_unobservable": stack.ofed.unobservable("ofed_stack.qos"),
        },
        "training_job.dataset": {**step_settings(stack, "make"), "image_id": "sha256:0"},
    }
