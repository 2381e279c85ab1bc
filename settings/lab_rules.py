"""The rules between a lab's kind and the other sections; see settings/rules.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from settings.docker import Docker, DockerFlavour, GpuRuntime
from settings.gpu import Apt, Gpu, GpuDriver, Upgrade
from settings.guests import Guests, LabBackend
from settings.models import Host, Lab
from settings.ofed import Ofed, OfedFlavour
from settings.problem import Problem

# Each is a process of the operator's machine with memory of its own.
MOST_GUESTS = 16


def _guests_are_of_use(lab: Lab | None) -> Iterable[Problem]:
    if lab is not None and lab.backend is LabBackend.CONTAINER and lab.guests != Guests():
        yield Problem(
            "lab.guests",
            lab.guests.model_dump(mode="json", exclude_defaults=True),
            "is of no use with lab.backend container; leave it out",
        )


def _guests_reach_no_vendor(
    gpu: Gpu, ofed: Ofed, docker: Docker, apt: Apt, lab: Lab | None
) -> Iterable[Problem]:
    """A guest reaches the data network and the operator, and has what the distribution has."""
    if lab is None or lab.backend is not LabBackend.VM:
        return
    choices = (
        ("gpu.driver", gpu.driver, GpuDriver.NONE),
        ("ofed.flavour", ofed.flavour, OfedFlavour.INBOX),
        ("docker.flavour", docker.flavour, DockerFlavour.DISTRIBUTION),
        ("docker.runtime", docker.runtime, GpuRuntime.NONE),
        ("apt.upgrade", apt.upgrade, Upgrade.NONE),
    )
    for path, value, allowed in choices:
        if value is not allowed:
            yield Problem(
                path,
                value.value,
                f"needs packages that the guests of lab.backend vm do not reach; allowed is {allowed.value}",
            )


def _guests_are_few(hosts: tuple[Host, ...], lab: Lab | None) -> Iterable[Problem]:
    if lab is not None and lab.backend is LabBackend.VM and len(hosts) > MOST_GUESTS:
        yield Problem(
            "hosts", f"{len(hosts)} hosts", f"are too many for lab.backend vm; allowed are {MOST_GUESTS}"
        )


LAB_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("lab",), _guests_are_of_use),
    (("gpu", "ofed", "docker", "apt", "lab"), _guests_reach_no_vendor),
    (("hosts", "lab"), _guests_are_few),
)
