"""NVIDIA's container tools on a node: nvidia-ctk, which edits configuration and lists devices."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.hardware.state import Machine

DAEMON_JSON = Path("/etc/docker/daemon.json")


def nvidia_ctk(arguments: Sequence[str]) -> int:
    """Run one command of NVIDIA's container toolkit."""
    words = [one for one in arguments if not one.startswith("-")]
    options = {
        one.split("=", 1)[0].lstrip("-"): one.partition("=")[2] for one in arguments if one.startswith("-")
    }
    if "version" in options:
        print(f"NVIDIA Container Toolkit CLI version {os.environ.get('LAB_TOOL_VERSION', '')}")
        return 0
    match words[:2]:
        case ["runtime", "configure"] if options.get("runtime", "docker") == "docker":
            return _configure(Path(options.get("config") or DAEMON_JSON), "set-as-default" in options)
        case ["cdi", "generate"]:
            return _generate(options.get("output", ""))
        case ["cdi", "list"]:
            return _list()
    print("nvidia-ctk: this command is not in the stand-in", file=sys.stderr)
    return 1


def configured(settings: Mapping[str, Any], default: bool) -> dict[str, Any]:
    """Return the engine's settings with NVIDIA's runtime among them."""
    runtimes = {**settings.get("runtimes", {}), "nvidia": {"args": [], "path": "nvidia-container-runtime"}}
    changed = {**settings, "runtimes": runtimes}
    return {**changed, "default-runtime": "nvidia"} if default else changed


def _configure(path: Path, default: bool) -> int:
    settings = json.loads(path.read_text()) if path.exists() else {}
    print(f'level=info msg="Loading config from {path}"', file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(configured(settings, default), indent=4, sort_keys=True))
    print(f'level=info msg="Wrote updated config to {path}"', file=sys.stderr)
    print('level=info msg="It is recommended that docker daemon be restarted."', file=sys.stderr)
    return 0


def devices(machine: Machine) -> list[str]:
    """Return the names of the devices that containers may ask for; none without a driver."""
    if "nvidia" not in machine.runtime()["modules"]:
        return []
    return [f"nvidia.com/gpu={index}" for index in range(len(machine.gpus()))] + ["nvidia.com/gpu=all"]


def _generate(output: str) -> int:
    found = devices(Machine.here())
    if not found:
        print('level=error msg="failed to initialize NVML: ERROR_LIBRARY_NOT_FOUND"', file=sys.stderr)
        return 1
    # YAML of names alone: the stand-in has no device nodes to name.
    lines = ["cdiVersion: 0.5.0", "kind: nvidia.com/gpu", "devices:"]
    lines += [f'  - name: "{one.split("=")[1]}"\n    containerEdits: {{}}' for one in found]
    text = "\n".join(lines) + "\n"
    if output:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text(text)
    else:
        print(text, end="")
    return 0


def _list() -> int:
    # It lists what the specification on the disk says, also after the driver is gone.
    spec = [
        path for path in (Path("/etc/cdi/nvidia.yaml"), Path("/var/run/cdi/nvidia.yaml")) if path.exists()
    ]
    names = [
        line.split('"')[1] for path in spec[:1] for line in path.read_text().splitlines() if "- name:" in line
    ]
    print(f'level=info msg="Found {len(names)} CDI devices"', file=sys.stderr)
    print("".join(f"nvidia.com/gpu={name}\n" for name in names), end="")
    return 0
