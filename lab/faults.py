"""Faults of the lab's nodes and vendors: ``python -m lab fault MACHINE FAULT [on|off] [ARGUMENT]``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import docker
from docker.errors import APIError, ContainerError, NotFound
from docker.models.containers import Container

from lab.errors import LabError
from lab.hardware.faults import FAULTS, NODE, VENDOR, Fault
from lab.image import connect
from lab.plan import Kind

_STANDIN = "/usr/lib/rocestack-lab/standin"
LINK_DOWN = "link-down"


def switch(machine: str, name: str, state: str, argument: str = "") -> str:
    """Switch a fault of a machine and return the sentence that says so. Raises LabError."""
    fault = find(name, state, argument)
    client = connect()
    try:
        container = _container(client, machine)
        _check_kind(container, machine, name, fault)
        if name == LINK_DOWN:
            _set_cable(client, container, "down" if state == "on" else "up")
        _said(container, [_STANDIN, "fault", "set", name, state, *([argument] if argument else [])])
    finally:
        client.close()
    value = f" {argument or fault.default}".rstrip() if state == "on" else ""
    return f"{machine}: {name} is {state}{value and ':'}{value}"


def find(name: str, state: str, argument: str) -> Fault:
    """Return the fault of that name; LabError when there is none, or state or argument are wrong."""
    if name not in FAULTS:
        raise LabError(
            f"There is no fault {name!r}.", f"`python -m lab faults` lists them: {', '.join(FAULTS)}"
        )
    if state not in ("on", "off"):
        raise LabError(f"A fault is switched on or off, not {state!r}.")
    fault = FAULTS[name]
    if argument and (not fault.argument or state == "off"):
        raise LabError(f"{name} takes no argument when it is switched {state}, but got {argument!r}.")
    if argument and not argument.isdigit():
        raise LabError(f"{name} takes a number ({fault.argument}), not {argument!r}.")
    return fault


def listing(active: Mapping[str, Sequence[str]]) -> str:
    """Return the table of all faults, each with the machines on which it is switched on."""
    lines = []
    for name, fault in FAULTS.items():
        where = [machine for machine, names in sorted(active.items()) if name in names]
        title = f"{name} {fault.argument}".rstrip()
        on = f"  [on: {', '.join(where)}]" if where else ""
        lines.append(f"{title:<28} {fault.where:<7} {fault.what}{on}")
    return "\n".join(lines) + "\n"


def active() -> dict[str, list[str]]:
    """Return the faults that are switched on, by machine; empty while no lab is up."""
    client = connect()
    try:
        found = {}
        for container in client.containers.list(filters={"label": "rocestack.node"}):
            if _is_node(container) or _is_vendor(container):
                said = _said(container, [_STANDIN, "fault", "list"])
                found[container.labels["rocestack.node"]] = [line.split()[0] for line in said.splitlines()]
        return found
    finally:
        client.close()


def _container(client: docker.DockerClient, machine: str) -> Container:
    running = client.containers.list(filters={"label": f"rocestack.node={machine}"})
    if not running:
        others = client.containers.list(filters={"label": "rocestack.node"})
        known = sorted(one.labels["rocestack.node"] for one in others)
        raise LabError(
            f"No lab machine {machine!r} is running.",
            f"running are: {', '.join(known)}" if known else "bring the lab up: make lab",
        )
    return running[0]


def _is_vendor(container: Container) -> bool:
    return container.labels["rocestack.node"] == Kind.VENDOR.value


def _is_node(container: Container) -> bool:
    return "LAB_ROLE=node" in container.attrs["Config"]["Env"]


def _check_kind(container: Container, machine: str, name: str, fault: Fault) -> None:
    kinds = {NODE: _is_node, VENDOR: _is_vendor}
    if not kinds[fault.where](container):
        raise LabError(f"{name} is a fault of a {fault.where}, and {machine} is none.")


def _said(container: Container, command: Sequence[str]) -> str:
    status, output = container.exec_run(list(command))
    assert isinstance(output, bytes)
    text = output.decode(errors="replace").strip()
    if status:
        raise LabError(f"{' '.join(command)} ended with {status} on {container.name}: {text}")
    return text


def _set_cable(client: docker.DockerClient, container: Container, state: str) -> None:
    """Take the engine's end of a node's cable down or up: only that takes the node's carrier away."""
    interface = _said(container, ["printenv", "LAB_DATA_INTERFACE"])
    index = int(_said(container, ["cat", f"/sys/class/net/{interface}/iflink"]))
    links = json.loads(_on_host(client, container, ["ip", "-j", "link"]))
    names = [link["ifname"] for link in links if link["ifindex"] == index]
    if not names:
        raise LabError(f"The engine's machine has no interface {index}, the other end of {interface}.")
    _on_host(client, container, ["ip", "link", "set", names[0], state])


def _on_host(client: docker.DockerClient, container: Container, command: Sequence[str]) -> str:
    try:
        output: bytes = client.containers.run(
            container.attrs["Image"], list(command), network_mode="host", cap_add=["NET_ADMIN"], remove=True
        )
    except (ContainerError, APIError, NotFound) as error:
        raise LabError(f"{' '.join(command)} failed on the engine's machine: {error}") from None
    return output.decode()
