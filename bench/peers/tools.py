"""The peers: Ansible and pyinfra, in a virtual environment of the bench's own, on the light hosts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.light.hosts import INTERFACE, SYSFS, LightHost, run_on, step_files
from bench.servers import BenchError

_BENCH = Path(__file__).parents[1]
_PLACE = _BENCH / ".venv"
_REQUIREMENTS = _BENCH / "requirements.txt"
_QOS_FILES = (
    f"{SYSFS}/class/infiniband/mlx5_0/tc/1/traffic_class",
    f"{SYSFS}/class/net/{INTERFACE}/ecn/roce_np/cnp_dscp",
    f"{SYSFS}/class/net/{INTERFACE}/ecn/roce_np/cnp_802p_prio",
    f"{SYSFS}/class/net/{INTERFACE}/ecn/roce_rp/enable/3",
    f"{SYSFS}/class/net/{INTERFACE}/ecn/roce_np/enable/3",
    "/proc/sys/net/ipv4/tcp_ecn",
)


@dataclass(frozen=True)
class Look:
    """One look at all hosts: its seconds, and the names of the hosts that are not in sync."""

    seconds: float
    differing: frozenset[str]


def environment() -> None:
    """Have the peers' virtual environment with the versions of bench/requirements.txt."""
    wanted = _REQUIREMENTS.read_text()
    stamp = _PLACE / "requirements.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(_PLACE, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(_PLACE)], check=True)
    words = [str(_PLACE / "bin/pip"), "install", "--quiet", "--requirement", str(_REQUIREMENTS)]
    subprocess.run(words, check=True)
    stamp.write_text(wanted)


def versions() -> str:
    """Return the pinned peers in words."""
    lines = [one for one in _REQUIREMENTS.read_text().splitlines() if one and not one.startswith("#")]
    return ", ".join(one.replace("==", " ") for one in lines)


def prepare(
    folder: Path,
    hosts: Sequence[LightHost],
    client_key: Path,
    states: Mapping[str, Mapping[str, str]],
) -> None:
    """Write both peers' inventories, settings and values; what tools print now is what they shall print."""
    first = hosts[0]
    tools = {
        tool: run_on(first, [tool, "-d", "mlx5_0", "-p", "1"]).splitlines()[-1]
        for tool in ("cma_roce_mode", "cma_roce_tos")
    }
    values = {
        "stack": states["gpu_host.preflight"]["stack"],
        "files": _files(states, first.data_address),
        "interface": INTERFACE,
        "mtu": 9000,
        "qos_said": run_on(first, ["mlnx_qos", "-i", INTERFACE, "-a"]).rstrip("\n"),
        "nic_files": list(_QOS_FILES),
        "files_said": run_on(first, ["head", "-n", "1", *_QOS_FILES]).rstrip("\n"),
        "cma_said": tools,
        "dataset_files": [
            f"/data/{name}"
            for name in ("manifest", "mean.binaryproto", "train_lmdb/data.mdb", "val_lmdb/data.mdb")
        ],
    }
    folder.mkdir()
    (folder / "vars.json").write_text(json.dumps(values))
    known = folder / "known_hosts"
    known.write_text("".join(f"{one.address} {one.host_key}\n" for one in hosts))
    ssh = {"ansible_user": "root", "ansible_ssh_private_key_file": str(client_key)}
    inventory = {
        "all": {
            "vars": {**ssh, "ansible_python_interpreter": "/usr/bin/python3"},
            "hosts": {
                one.name: {"ansible_host": one.address, "data_address": one.data_address} for one in hosts
            },
        }
    }
    (folder / "hosts.json").write_text(json.dumps(inventory))
    (folder / "inventory.py").write_text(_pyinfra_inventory(hosts, client_key, known))
    for name in ("playbook.yaml", "deploy.py"):
        shutil.copy(Path(__file__).with_name(name), folder / name)
    (folder / "ansible.cfg").write_text(
        "[defaults]\n"
        f"forks = {len(hosts)}\n"
        "gathering = explicit\n"
        "nocows = true\n"
        "[connection]\n"
        "pipelining = true\n"
        "[ssh_connection]\n"
        f"ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={known}\n"
    )


def _files(states: Mapping[str, Mapping[str, str]], address: str) -> list[dict[str, str]]:
    """Return the files of the steps, records left out; DATA_ADDRESS in a text stands for the host's own."""
    return [
        {"path": path, "content": text.replace(address, "DATA_ADDRESS"), "mode": f"0{mode:o}"}
        for step, values in states.items()
        for path, (text, mode) in step_files(step, values).items()
        if not path.startswith("/var/lib/rocestack/")
    ]


def _pyinfra_inventory(hosts: Sequence[LightHost], client_key: Path, known: Path) -> str:
    data = {
        one.name: {
            "ssh_hostname": one.address,
            "ssh_user": "root",
            "ssh_key": str(client_key),
            "ssh_known_hosts_file": str(known),
            "ssh_strict_host_key_checking": "yes",
            "data_address": one.data_address,
        }
        for one in hosts
    }
    return f"hosts = {list(data.items())!r}\n"


def ansible(folder: Path, hosts: Sequence[LightHost]) -> Look:
    """Run `ansible-playbook --check` once, with connections of its own."""
    with tempfile.TemporaryDirectory(prefix="a-") as sockets:
        words = ["ansible-playbook", "--inventory", "hosts.json", "--extra-vars", "@vars.json", "--check"]
        added = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}
        added |= {"ANSIBLE_HOME": str(folder / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        seconds, text = _run(folder, [*words, "playbook.yaml"], added)
        for socket in Path(sockets).iterdir():
            command = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "light"]
            subprocess.run(command, capture_output=True, check=False)
    return Look(seconds, ansible_differing(text, [one.name for one in hosts]))


def pyinfra(folder: Path, hosts: Sequence[LightHost]) -> Look:
    """Run `pyinfra --dry` once on all hosts at a time."""
    words = ["pyinfra", "inventory.py", "deploy.py", "--dry", "--parallel", str(len(hosts))]
    seconds, text = _run(folder, words, {"NO_COLOR": "1"})
    return Look(seconds, pyinfra_differing(text, [one.name for one in hosts]))


def ansible_differing(text: str, names: Sequence[str]) -> frozenset[str]:
    """Return the hosts that the recap does not call in sync. Raises BenchError if it lacks one."""
    said = {match["host"]: match.groupdict() for match in _RECAP.finditer(text)}
    if set(names) - set(said):
        raise BenchError(f"ansible-playbook does not say how all hosts are:\n{text[-2000:]}")
    counts = ("changed", "lost", "failed")
    return frozenset(name for name, one in said.items() if any(one[key] != "0" for key in counts))


def pyinfra_differing(text: str, names: Sequence[str]) -> frozenset[str]:
    """Return the hosts for which the dry run plans a change. Raises BenchError if one was not looked at."""
    ready = set(_READY.findall(text))
    if set(names) - ready or "Detected changes" not in text:
        raise BenchError(f"pyinfra does not say how all hosts are:\n{text[-2000:]}")
    return frozenset(name for line in _CHANGE.findall(text) for name in line.split(", "))


# A line of Ansible's recap; of pyinfra: a host whose operations are known, the hosts that one would change.
_RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)"
    r"\s+unreachable=(?P<lost>\d+)\s+failed=(?P<failed>\d+)",
    re.MULTILINE,
)
_READY = re.compile(r"^ +\[(\S+)\] Ready: ", re.MULTILINE)
_CHANGE = re.compile(r" {2,}\d+ \(([^)]+)\)")


def _run(folder: Path, words: Sequence[str], added: Mapping[str, str]) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run(
        [str(_PLACE / "bin" / words[0]), *words[1:]],
        cwd=folder,
        env={**os.environ, "PATH": f"{_PLACE / 'bin'}:{os.environ['PATH']}", **added},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return time.perf_counter() - begun, done.stdout
