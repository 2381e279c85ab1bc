"""GpuHost's shell, run here with stand-ins for the tools whose answers it reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from components.rendering import render

FIXTURES = Path(__file__).parents[1] / "fixtures"


def _run(parts: list[str], body: str, **tools: str) -> str:
    """Return what `body` prints after these templates, with functions in place of tools."""
    functions = {
        f"BASH_FUNC_{name.replace('__', '-')}%%": f"() {{ {text}\n}}" for name, text in tools.items()
    }
    text = "set -euo pipefail\n" + "".join(render(f"gpu_host/{part}") for part in parts) + body
    done = subprocess.run(
        ["bash", "-c", text],
        env={**os.environ, **functions},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("release", "which", "packages"),
    [
        ("debian", "none", []),
        ("debian", "security", ["libssl3", "openssl"]),
        ("debian", "full", ["base-files", "libssl3", "openssl"]),
        ("ubuntu", "security", ["linux-image-4.4.0-116-generic", "linux-image-generic"]),
        ("ubuntu", "full", ["linux-image-4.4.0-116-generic", "linux-image-generic", "tzdata"]),
    ],
)
def test_what_apt_would_upgrade(release: str, which: str, packages: list[str]) -> None:
    answer = FIXTURES / f"apt/upgrade/{release}.txt"
    said = _run(["upgrade_read.sh"], f"upgradable {which}\n", apt__get=f"cat {answer}")
    assert said.split() == packages


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("Tesla K80", "3.7"),
        ("Tesla M40 24GB", "5.2"),
        ("Tesla P100-PCIE-16GB", "6.0"),
        ("Quadro GP100", "6.0"),
        ("Tesla P40", "6.1"),
        ("Tesla P4", "6.1"),
        ("Tesla V100-SXM2-32GB", "7.0"),
        ("Quadro GV100", "7.0"),
        ("Tesla T4", "7.5"),
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("NVIDIA A10", "8.6"),
        ("NVIDIA H200", "unknown"),
    ],
)
def test_what_an_old_nvidia_smi_does_not_tell(name: str, capability: str) -> None:
    refusal = "echo 'Field \"compute_cap\" is not a valid field to query.'; return 2"
    said = _run(
        ["modules.sh", "driver_read.sh"],
        f'gpu_capabilities "{name}"\n',
        timeout='shift; "$@"',
        nvidia__smi=refusal,
    )
    assert said == f"{capability}\n"


@pytest.mark.parametrize(
    ("wanted", "facts"),
    [
        ("3.0", {"gpus": "2", "model": "NVIDIA A100,NVIDIA H200", "compute_capability": "3.0"}),
        ("8.0", {"gpus": "2", "model": "NVIDIA A100,NVIDIA H200", "compute_capability": "8.0"}),
        ("9.0", {"gpus": "2", "model": "NVIDIA A100,NVIDIA H200", "compute_capability": "8.0"}),
        ("10.0", {"gpus": "2", "model": "NVIDIA A100,NVIDIA H200", "compute_capability": "8.0"}),
    ],
)
def test_the_least_capable_gpu_counts(wanted: str, facts: dict[str, str]) -> None:
    smi = """case $1 in
      --query-gpu=name) printf 'NVIDIA H200\\nNVIDIA A100\\n' ;;
      --query-gpu=compute_cap) printf '9.0\\n8.0\\n' ;;
    esac"""
    body = f"""declare -A want=([gpus]=4 [model]=x [compute_capability]={wanted})
    fact() {{ printf '%s=%s\\n' "$1" "$2"; }}
    driver_facts
    """
    said = _run(["modules.sh", "driver_read.sh"], body, timeout='shift; "$@"', nvidia__smi=smi)
    assert dict(line.split("=", 1) for line in said.splitlines()) == facts


INSTALLED = """installed nvidia-384 384.111-0ubuntu1
installed libnvidia-compute-390:amd64 390.12-0ubuntu1
config-files nvidia-375 375.66-0ubuntu1
half-installed nvidia-settings 361.42-0ubuntu1
not-installed nvidia-340
installed nvidia-container-toolkit 1.17.4-1
installed libnvidia-container1:amd64 1.17.4-1
installed nvidia-docker2 2.0.3+docker18.03.0-1
installed nvidia-prime 0.8.2
installed nvidia-driver-local-repo-ubuntu1604-390.12 1.0-1
installed cuda-drivers 390.12-1
"""


@pytest.mark.parametrize(
    ("version", "left"),
    [
        ("390.12", ["nvidia-384", "nvidia-settings"]),
        ("384.111", ["libnvidia-compute-390:amd64", "nvidia-settings", "cuda-drivers"]),
    ],
)
def test_what_is_left_of_other_drivers(version: str, left: list[str]) -> None:
    said = _run(
        ["driver_packages.sh"], f"driver_leftovers {version}\n", dpkg__query=f"printf '%s' '{INSTALLED}'"
    )
    assert said.split() == left


@pytest.mark.parametrize(
    ("packages", "newest"),
    [
        ("", ""),
        (
            "installed linux-image-4.4.0-9-generic\ninstalled linux-image-4.4.0-116-generic\n",
            "4.4.0-116-generic",
        ),
        ("config-files linux-image-6.1.0-42-amd64\ninstalled linux-image-6.1.0-41-amd64\n", "6.1.0-41-amd64"),
    ],
)
def test_the_newest_installed_kernel(packages: str, newest: str) -> None:
    said = _run(["kernel_read.sh"], "kernel_newest\n", dpkg__query=f"printf '%s' '{packages}'")
    assert said.strip() == newest


@pytest.mark.parametrize(
    ("lines", "gpus", "problem"),
    [
        (["04:00.0 0302: 10de:15f8 (rev a1)"], "any", ""),
        (["04:00.0 0302: 10de:15f8 (rev a1)", "05:00.0 0300: 10de:1b06 (rev a1)"], "2", ""),
        # A graphics card's sound device is no GPU.
        (["04:00.1 0403: 10de:10ef (rev a1)"], "any", "there is no GPU of NVIDIA on its PCI bus"),
        (
            ["04:00.0 0302: 10de:15f8 (rev a1)"],
            "4",
            "there are 1 GPUs on its PCI bus, not the 4 of the stack",
        ),
    ],
)
def test_gpus_on_the_bus(lines: list[str], gpus: str, problem: str) -> None:
    body = f"declare -A want=([driver]=390.12 [ofed]=inbox [gpus]={gpus})\npreflight_cards\n"
    listed = "\n".join(lines)
    said = _run(["kernel_read.sh", "preflight_checks.sh"], body, lspci=f"printf '%s\\n' '{listed}'")
    assert said.startswith(problem)
    assert bool(said) is bool(problem)
