"""RDMA between two guests for tests: the settings of a host's steps, and what its wire counted."""

from __future__ import annotations

from collections.abc import Mapping

from components.ofed_stack import package_facts, qos_facts, soft_roce_facts
from components.rendering import render
from facts import evidence, probe
from facts.evidence import Evidence
from facts.files import wanted_facts
from facts.ssh import Result
from lab.vm.setup import load
from settings import flat
from settings.models import Host, Stack
from tests.vm.guest import Machine

PACKAGES, LINK, ADDRESS, SOFT, QOS = (
    f"ofed_stack.{concern}" for concern in ("packages", "link_type", "address", "soft_roce", "qos")
)
STEPS = (PACKAGES, LINK, ADDRESS, SOFT, QOS)


def settings(stack: Stack, host: Host) -> dict[str, dict[str, str]]:
    """Return what the stack wants of a host, by step."""
    interface, sysfs = stack.network.data_interface, stack.ofed.sysfs_root
    return {
        PACKAGES: {**package_facts(stack.ofed), "reboot": "never"},
        LINK: {"interface": interface, "link_type": "ETH", "sysfs_root": sysfs, "reboot": "never"},
        ADDRESS: {
            "interface": interface,
            "address": stack.data_cidr(host),
            "mtu": str(stack.network.mtu),
            "link": "up",
        },
        SOFT: soft_roce_facts(stack, host),
        QOS: {
            "interface": interface,
            "sysfs_root": sysfs,
            **qos_facts(stack.roce),
            "allow_unobservable": stack.ofed.unobservable(QOS),
        },
    }


def wanted(machine: Machine) -> dict[str, dict[str, str]]:
    """Return what the stack of virtual machines wants of a guest, by step."""
    stack = load()
    return settings(stack, next(host for host in stack.hosts if host.name == machine.guest.name))


def take_back(machine: Machine, step: str, asked: Mapping[str, str]) -> Result:
    """Run a step's own remove script with what was applied, as the engine does."""
    lines = {**asked, **wanted_facts(step, asked), "generation": "1", "node": "1"}
    return machine.script(render(f"{step.replace('.', '/')}.remove.sh.j2"), flat.render(lines))


def differences(machine: Machine, step: str, asked: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return each fact of a step that is not as it is wanted: found, wanted."""
    whole = {**asked, **wanted_facts(step, asked)}
    lines = "".join(f"{step}.{line}\n" for line in flat.render(whole).splitlines())
    answer = probe.parse(machine.script(probe.render([step]), lines).stdout)
    assert step not in answer.unobservable, answer.unobservable
    return {
        key: (found, whole[key])
        for key, found in answer.facts[step].items()
        if found != whole.get(key, found)
    }


def told(machine: Machine) -> Evidence:
    """Return what a guest tells of its data network."""
    stack = load()
    given = {
        "containers": "",
        "interface": stack.network.data_interface,
        "sysfs_root": stack.ofed.sysfs_root,
    }
    done = machine.script(evidence.script(), flat.render(given))
    assert done.status == 0, done.stderr
    return evidence.parse(done.stdout.splitlines())
