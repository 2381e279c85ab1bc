"""The lab's part of `make setup`: checks, keys, photographs, image, vendors; only what is missing."""

from __future__ import annotations

import os
import subprocess
import time
from ipaddress import IPv4Network
from pathlib import Path

from docker import DockerClient

from lab.files import ROOT, LabFiles
from lab.image import connect, ensure_image, remove_images
from lab.keys import ensure_keys, write_known_hosts
from lab.plan import VENDOR, ports
from lab.preflight import check_disk, check_ports, check_subnets
from lab.progress import Reporter, clock
from lab.vendor import artifacts
from settings.loader import load_file
from settings.models import Stack

STACK_NAME = "lab"


def setup(files: LabFiles | None = None) -> None:
    """Make everything under `.lab/` and the image. Raises LabError or SettingsError; nothing is half done."""
    files = files or LabFiles()
    begun = time.monotonic()
    reporter = Reporter("setup")
    stack = load_file(ROOT / f"Pulumi.{STACK_NAME}.yaml")
    wanted = ports(stack)
    client = connect()
    try:
        purposes = {"vendors" if name == VENDOR else f"SSH of {name}": port for name, port in wanted.items()}
        ours, containers = published(client)
        check_ports(purposes, ours, containers)
        check_subnets(subnets(stack), ipv4_addresses(), bridges(client))
        warning = check_disk(_disk(client, files))
        if warning is not None:
            reporter.say("warning", warning)
        machines = [name for name in wanted if name != VENDOR]
        made = ensure_keys(files, machines)
        if made:
            reporter.say("keys", "made " + ", ".join(made))
        write_known_hosts(files, {name: wanted[name] for name in machines})
        tag = ensure_image(client, files, reporter)
        artifacts.ensure(client, tag, files, reporter)
    finally:
        client.close()
    reporter.say("lab", f"ready after {clock(time.monotonic() - begun)}: {len(machines)} machines of {tag}")


def clean() -> None:
    """Remove the lab's images from the engine. Raises LabError when no engine answers."""
    client = connect()
    try:
        for tag in remove_images(client, keep=set()):
            Reporter("clean").say("image", f"{tag} removed")
    finally:
        client.close()


def published(client: DockerClient, stack_name: str = STACK_NAME) -> tuple[set[int], dict[int, str]]:
    """Return the ports of a lab's own containers, and the container behind each published port."""
    ours, owners = set(), {}
    for container in client.api.containers():
        name = container["Names"][0].lstrip("/")
        for port in container.get("Ports") or []:
            if "PublicPort" in port:
                owners[port["PublicPort"]] = name
                if (container.get("Labels") or {}).get("rocestack.stack") == stack_name:
                    ours.add(port["PublicPort"])
    return ours, owners


def subnets(stack: Stack) -> dict[str, IPv4Network]:
    """Return the subnets that the lab's networks take of this machine, by their settings."""
    if stack.lab is None:
        return {}
    return {
        "rocestack:lab.management_subnet": stack.lab.management_subnet,
        "rocestack:lab.cable_subnet": stack.lab.cable_subnet,
    }


def bridges(client: DockerClient, stack_name: str = STACK_NAME) -> list[str]:
    """Return the interfaces of a lab's own networks on this machine."""
    mine = client.api.networks(filters={"label": f"rocestack.stack={stack_name}"})
    return [f"br-{network['Id'][:12]}" for network in mine]


def ipv4_addresses() -> str:
    """Return the IPv4 addresses of this machine as JSON; nothing where iproute2 is missing."""
    try:
        done = subprocess.run(["ip", "-j", "-4", "address"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout


def _disk(client: DockerClient, files: LabFiles) -> Path:
    """Return the folder whose disk fills: the engine's data root, or the checkout if that is hidden."""
    root = Path(client.info().get("DockerRootDir") or "/")
    return root if os.access(root, os.R_OK) else files.root
