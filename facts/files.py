"""The files that the steps write on a host: what stands in each, as its hash, so that an edited one is drift.

A step's stdin carries the hash of each file that it writes as `file_<name>`; the probe tells the hash of what
is there, or ``absent``. Files with keys of other people (daemon.json), of the host's own tools or with a
vendor's content (keyrings) have no text here: the step's own probe looks at what is ours in them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from facts.rendering import render
from settings import flat

PREFIX = "file_"
# A step that puts a unit on a host has the fact `unit`, and each step that of its ownership record.
UNIT, RECORD = "unit", "record"
_ACTIVE, _KEPT = "active", "kept"
_UNITS = {
    "ofed_stack.address": "rocestack-address@{interface}.service",
    "ofed_stack.soft_roce": "rocestack-soft-roce@{interface}.service",
    "ofed_stack.qos": "rocestack-qos@{interface}.service",
    "docker_host.routes": "rocestack-routes.service",
    "training_job.dataset_server": "rocestack-dataset.service",
}
_SYSTEMD = "/etc/systemd/system"

Settings = Mapping[str, str]


@dataclass(frozen=True)
class HostFile:
    """One file of a step: its fact's name, path, mode, and its text for the step's settings.

    A path may name a setting of the step in braces. `conditional` files are only on hosts that have the
    service that they are for; there the step's own probe says whether one is missing.
    """

    name: str
    path: str
    text: Callable[[Settings], str]
    mode: str = "644"
    conditional: bool = False

    @property
    def key(self) -> str:
        """The fact's key in the step's stdin."""
        return PREFIX + self.name


def _included(template: str) -> Callable[[Settings], str]:
    """Return the text that a script has as a here-document, whose last line break is one more."""
    return lambda _: render(template) + "\n"


def _filled(template: str) -> Callable[[Settings], str]:
    """Return the text of a template whose ``@key@`` the script fills in on the host (`filled`)."""
    return lambda settings: (
        re.sub(r"@([a-z_]+)@", lambda one: settings[one[1]], render(template)).rstrip("\n") + "\n"
    )


def _service(step: str, unit: str, script: str) -> tuple[HostFile, ...]:
    """Return the files of a step that a unit repeats at each boot: its settings, its script, the unit."""
    component, concern = step.split(".")
    return (
        HostFile("settings", f"/etc/rocestack/{step}", flat.render),
        HostFile(
            "script",
            f"/usr/local/lib/rocestack/{step}",
            _included(f"{component}/{concern}.boot.sh.j2"),
            mode="755",
        ),
        HostFile("unit", f"{_SYSTEMD}/{unit}", _included(f"{component}/{script}")),
    )


def _device(step: str) -> HostFile:
    path = f"{_SYSTEMD}/{_UNITS[step]}.d/device.conf"
    return HostFile("device_unit", path, _included("ofed_stack/device.conf"), conditional=True)


_FORWARDING = HostFile(
    "sysctl", "/etc/sysctl.d/60-rocestack-forwarding.conf", _included("docker_host/forwarding.conf")
)
FILES: Mapping[str, tuple[HostFile, ...]] = {
    "gpu_host.nouveau": (
        HostFile("conf", "/etc/modprobe.d/rocestack-nouveau.conf", _included("gpu_host/nouveau.conf")),
    ),
    "gpu_host.driver": (
        HostFile(
            "pin",
            "/etc/apt/preferences.d/rocestack-nvidia-driver",
            _filled("gpu_host/driver_pin.conf"),
        ),
    ),
    "ofed_stack.address": (
        *_service("ofed_stack.address", "rocestack-address@.service", "rocestack-address@.service"),
        _device("ofed_stack.address"),
    ),
    "ofed_stack.soft_roce": (
        *_service("ofed_stack.soft_roce", "rocestack-soft-roce@.service", "rocestack-soft-roce@.service"),
        _device("ofed_stack.soft_roce"),
    ),
    "ofed_stack.qos": (
        *_service("ofed_stack.qos", "rocestack-qos@.service", "rocestack-qos@.service"),
        _device("ofed_stack.qos"),
        HostFile("sysctl", "/etc/sysctl.d/60-rocestack-ecn.conf", _filled("ofed_stack/tcp_ecn.conf")),
        HostFile(
            "hook",
            "/etc/infiniband/post-start-hook.sh",
            _included("ofed_stack/post-start-hook.sh"),
            mode="755",
            conditional=True,
        ),
    ),
    "docker_host.engine": (_FORWARDING,),
    "caffe2_image.registry": (
        HostFile("conf", "/etc/rocestack/registry.yml", _filled("caffe2_image/registry.yml")),
        HostFile(
            "push_conf", "/etc/rocestack/registry-push.yml", _included("caffe2_image/registry-push.yml")
        ),
        HostFile(
            "unit",
            f"{_SYSTEMD}/rocestack-registry.service",
            _filled("caffe2_image/rocestack-registry.service"),
        ),
        HostFile(
            "push_unit",
            f"{_SYSTEMD}/rocestack-registry-push.service",
            _filled("caffe2_image/rocestack-registry-push.service"),
        ),
    ),
    "docker_host.routes": (
        *_service("docker_host.routes", "rocestack-routes.service", "rocestack-routes.service"),
        _FORWARDING,
    ),
    "training_job.dataset_server": (
        HostFile("settings", "/etc/rocestack/training_job.dataset_server", flat.render),
        HostFile(
            "program",
            "/usr/local/lib/rocestack/training_job.dataset_server",
            _included("training_job/dataset_server.py"),
            mode="755",
        ),
        HostFile(
            "unit",
            f"{_SYSTEMD}/rocestack-dataset.service",
            _included("training_job/rocestack-dataset.service"),
        ),
    ),
}


def wanted_facts(step: str, settings: Settings) -> dict[str, str]:
    """Return what a host step leaves beside its settings: its files' hashes, its unit, its record.

    Raises KeyError for a setting that one of its files needs and that is not given.
    """
    found = {one.key: _hash(one.text(settings)) for one in FILES.get(step, ())}
    if step in _UNITS:
        found[UNIT] = _ACTIVE
    return {**found, RECORD: _KEPT}


@cache
def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def has_unit(step: str) -> bool:
    """Return whether the step puts a unit on the host."""
    return step in _UNITS


def shell_path(step: str, path: str) -> str:
    """Return a file's path in the words of the probe, where a setting is a variable."""
    return re.sub(r"\{([a-z_]+)\}", lambda one: f"${{given[{step}.{one[1]}]:-}}", path)


def probed() -> list[dict[str, str]]:
    """Return every file as the probe's template needs it."""
    return [
        {
            "step": step,
            "key": one.key,
            "path": shell_path(step, one.path),
            "mode": one.mode,
            "conditional": "yes" if one.conditional else "",
        }
        for step, files in FILES.items()
        for one in files
    ]


def probed_units() -> list[dict[str, str]]:
    """Return every unit of ours as the probe's template needs it."""
    return [{"step": step, "unit": shell_path(step, unit)} for step, unit in _UNITS.items()]
