"""The rules between sections: each takes the sections that were read and returns its problems.

A rule looks only at sections that are valid by themselves, so one run shows all that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

from settings.cuda import CUDA_RULES
from settings.dataset_rules import DATASET_RULES
from settings.docker import Docker, DockerFlavour, GpuRuntime
from settings.gpu import OLDEST_DRIVER, Gpu, GpuDriver
from settings.image import OPERATOR
from settings.image_rules import IMAGE_RULES
from settings.lab_rules import LAB_RULES
from settings.models import LAB_VENDOR, Access, Host, Lab, Network
from settings.ofed import Ofed, OfedFlavour
from settings.problem import Problem
from settings.registry_rules import REGISTRY_RULES
from settings.soft_roce import SOFT_ROCE_RULES
from settings.switch import switch_sections
from settings.switch_rules import SWITCH_RULES, One, Several, switch_login
from settings.training_rules import TRAINING_RULES

Sections = Mapping[str, Any]


def check(sections: Sections) -> list[Problem]:
    """Return the problems of all rules whose sections are there."""
    problems: list[Problem] = []
    for needs, rule in _RULES:
        if all(need in sections for need in needs):
            problems.extend(rule(*(sections[need] for need in needs)))
    return problems


def _repeated(hosts: tuple[Host, ...], field: str, key: Callable[[Host], Hashable]) -> Iterable[Problem]:
    owner: dict[Hashable, Host] = {}
    for index, host in enumerate(hosts):
        value = key(host)
        if value in owner:
            yield Problem(
                f"hosts[{index}].{field}",
                str(value),
                f"is also that of {owner[value].name}; each host needs its own",
            )
        else:
            owner[value] = host


def _hosts_differ(hosts: tuple[Host, ...]) -> Iterable[Problem]:
    yield from _repeated(hosts, "name", lambda host: host.name)
    yield from _repeated(hosts, "data_address", lambda host: host.data_address)


def _names_are_free(
    hosts: tuple[Host, ...], switch: One, switches: Several, lab: Lab | None
) -> Iterable[Problem]:
    """Steps and reports name the operator's machine and the lab's vendors beside the stack's own machines."""
    taken = {OPERATOR: "the operator's machine"} | ({} if lab is None else {LAB_VENDOR: "the lab's vendors"})
    machines = [(f"hosts[{index}]", host.name) for index, host in enumerate(hosts)]
    machines += [(path, one.name) for path, one in switch_sections(switch, switches)]
    for path, name in machines:
        if name in taken:
            yield Problem(f"{path}.name", name, f"stands for {taken[name]}; allowed is any other name")


def _addresses_in_subnet(hosts: tuple[Host, ...], network: Network) -> Iterable[Problem]:
    subnet = network.data_subnet
    for index, host in enumerate(hosts):
        path = f"hosts[{index}].data_address"
        if host.data_address not in subnet:
            yield Problem(path, str(host.data_address), f"is not in network.data_subnet {subnet}")
        elif host.data_address in (subnet.network_address, subnet.broadcast_address):
            yield Problem(path, str(host.data_address), f"is not a host's address of {subnet}")


def _subnets_apart(hosts: tuple[Host, ...], network: Network, lab: Lab | None) -> Iterable[Problem]:
    named: list[tuple[str, IPv4Network]] = [("network.data_subnet", network.data_subnet)]
    named += [(f"hosts[{index}].container_subnet", host.container_subnet) for index, host in enumerate(hosts)]
    if lab is not None:
        named.append(("lab.management_subnet", lab.management_subnet))
        named.append(("lab.cable_subnet", lab.cable_subnet))
    for (first_path, first), (path, subnet) in combinations(named, 2):
        if first.overlaps(subnet):
            yield Problem(path, str(subnet), f"overlaps {first_path} {first}; allowed is a subnet of its own")


def _container_subnet_size(hosts: tuple[Host, ...]) -> Iterable[Problem]:
    for index, host in enumerate(hosts):
        if host.container_subnet.prefixlen > 28:
            yield Problem(
                f"hosts[{index}].container_subnet",
                str(host.container_subnet),
                "is too small for Docker's bridge; allowed is /28 or larger",
            )


def _docker_has_its_sources(docker: Docker, gpu: Gpu, lab: Lab | None) -> Iterable[Problem]:
    """The packages' sources: needed where a choice needs them (a lab brings its own), and else of no use."""
    distribution, no_runtime = docker.flavour is DockerFlavour.DISTRIBUTION, docker.runtime is GpuRuntime.NONE
    useless = (
        ("docker.repository", docker.repository, distribution, "docker.flavour docker.io"),
        ("docker.runtime_repository", docker.runtime_repository, no_runtime, "docker.runtime none"),
        ("docker.runtime_version", docker.runtime_version, no_runtime, "docker.runtime none"),
    )
    for path, value, is_useless, choice in useless:
        if is_useless and value is not None:
            yield Problem(path, value, f"is of no use with {choice}; leave it out")
    if lab is None and not distribution and docker.repository is None:
        yield Problem(
            "docker.repository", None, "is required with docker.flavour docker-ce: its url, suite and key_url"
        )
    if lab is None and not no_runtime and docker.runtime_repository is None:
        yield Problem("docker.runtime_repository", None, f"is required with docker.runtime {docker.runtime}")
    if not no_runtime and gpu.driver is GpuDriver.NONE:
        yield Problem(
            "docker.runtime", docker.runtime.value, "needs an NVIDIA driver, and gpu.driver is none"
        )


def _ofed_has_its_sources(ofed: Ofed, lab: Lab | None) -> Iterable[Problem]:
    """The RDMA stack's source: needed by its flavour (a lab brings its own), of no use to another."""
    flavour = ofed.flavour
    sources = (
        ("ofed.iso", ofed.iso, (OfedFlavour.MLNX_OFED,), "its source, sha256 and md5"),
        ("ofed.repository", ofed.repository, (OfedFlavour.DOCA_OFED,), "its url, suite and key_url"),
        ("ofed.version", ofed.version, (OfedFlavour.MLNX_OFED, OfedFlavour.DOCA_OFED), "the vendor's"),
    )
    for path, value, users, what in sources:
        if flavour not in users and value is not None:
            yield Problem(path, value, f"is of no use with ofed.flavour {flavour.value}; leave it out")
        if flavour in users and value is None and lab is None:
            yield Problem(path, None, f"is required with ofed.flavour {flavour.value}: {what}")
    if ofed.flags and flavour is not OfedFlavour.MLNX_OFED:
        yield Problem("ofed.flags", " ".join(ofed.flags), "are mlnxofedinstall's, so leave them out here")
    if len(set(ofed.allow_unobservable)) < len(ofed.allow_unobservable):
        yield Problem("ofed.allow_unobservable", list(ofed.allow_unobservable), "names a fact twice")


def _metal_is_reachable(
    hosts: tuple[Host, ...], switch: One, switches: Several, access: Access | None, lab: Lab | None
) -> Iterable[Problem]:
    logins: list[tuple[str, object]] = [("access", access)]
    for index, host in enumerate(hosts):
        logins.append((f"hosts[{index}].address", host.address))
        logins.append((f"hosts[{index}].host_key", host.host_key))
    for path, one in switch_sections(switch, switches):
        logins += switch_login(path, one, made=lab is not None)
    for path, value in logins:
        if lab is None and value is None:
            yield Problem(path, None, "is required in a stack without a lab section")
        if lab is not None and value is not None:
            yield Problem(path, value, "is made by the lab; leave it out")


def _lab_ports_apart(
    hosts: tuple[Host, ...], switch: One, switches: Several, lab: Lab | None
) -> Iterable[Problem]:
    if lab is None:
        return
    first = lab.ssh_port_base - max(len(switch_sections(switch, switches)) - 1, 0)
    last = lab.ssh_port_base + len(hosts)
    if last > 65535:
        yield Problem("lab.ssh_port_base", lab.ssh_port_base, f"leaves no port for {len(hosts)} hosts")
    if first < 1024:
        yield Problem("lab.ssh_port_base", lab.ssh_port_base, "leaves no port above 1023 for each switch")
    if first <= lab.vendor_port <= last:
        yield Problem(
            "lab.vendor_port",
            lab.vendor_port,
            f"is one of the SSH ports {first} to {last}; allowed is any other",
        )


def _driver_has_its_source(gpu: Gpu, lab: Lab | None) -> Iterable[Problem]:
    given = {
        "version": gpu.version,
        "package": gpu.package,
        "repository": gpu.repository,
        "package_version": gpu.package_version,
    }
    needed = {
        GpuDriver.NONE: (),
        GpuDriver.LOCAL_REPO: ("version", "package"),
        GpuDriver.REPO: ("version", "repository"),
    }[gpu.driver]
    allowed = {*needed, *(() if gpu.driver is GpuDriver.NONE else ("package_version",))}
    for name, value in given.items():
        if value is None and name in needed and lab is None:
            yield Problem(f"gpu.{name}", None, f"is required with gpu.driver {gpu.driver.value}")
        if value is not None and name not in allowed:
            shown_value = value if isinstance(value, str) else "…"
            yield Problem(f"gpu.{name}", shown_value, f"is of no use with gpu.driver {gpu.driver.value}")
    if gpu.version is not None and int(gpu.version.split(".")[0]) < OLDEST_DRIVER:
        yield Problem("gpu.version", gpu.version, f"is too old; allowed is {OLDEST_DRIVER} or later")


_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("hosts",), _hosts_differ),
    (("hosts", "switch", "switches", "lab"), _names_are_free),
    (("hosts",), _container_subnet_size),
    *SWITCH_RULES,
    *IMAGE_RULES,
    *CUDA_RULES,
    *REGISTRY_RULES,
    *LAB_RULES,
    (("hosts", "network"), _addresses_in_subnet),
    *TRAINING_RULES,
    *DATASET_RULES,
    (("docker", "gpu", "lab"), _docker_has_its_sources),
    (("gpu", "lab"), _driver_has_its_source),
    (("ofed", "lab"), _ofed_has_its_sources),
    *SOFT_ROCE_RULES,
    (("hosts", "network", "lab"), _subnets_apart),
    (("hosts", "switch", "switches", "access", "lab"), _metal_is_reachable),
    (("hosts", "switch", "switches", "lab"), _lab_ports_apart),
)
