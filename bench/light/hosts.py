"""Light hosts on one machine: namespaces over the machine's own root, each with a real OpenSSH server.

A light host has its own root (an overlay), network, name and SSH keys; its kernel is the machine's. It has no
service manager and no Docker. All of them live in the namespaces of one process, the bench (`enter`), so that
they end with it and nothing of the machine's own network is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.servers import BenchError
from components.rendering import render
from facts.files import FILES
from settings import flat

ROOT = Path(__file__).parents[2]
INTERFACE = "enp1f0"
SYSFS = "/run/lab-sysfs"
_MARK = "ROCESTACK_BENCH_INSIDE"
_BRIDGE = "light"
# As in host.sh.
_PER_BYTE = 250


@dataclass(frozen=True)
class LightHost:
    """One light host: where its SSH answers for root, and its public host key."""

    number: int
    name: str
    address: str
    data_address: str
    host_key: str
    process: subprocess.Popen[bytes]


def enter(module: str, arguments: Sequence[str]) -> int | None:
    """Run the module again inside namespaces of its own and return its status; None if this is inside."""
    if os.environ.get(_MARK):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return None
    if os.geteuid() != 0:
        raise BenchError("light hosts are namespaces, which only root makes")
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*words, sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env={**os.environ, _MARK: "yes"}, check=False).returncode


@contextlib.contextmanager
def light_hosts(
    count: int, folder: Path, base: Path, own: Callable[[int], Mapping[str, str]]
) -> Iterator[list[LightHost]]:
    """Run `count` light hosts, each with a folder of its own under `folder`; all have `base` in common.

    `own` gives what a host of some number has beside that: texts by path.
    """
    if shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        raise BenchError("there is no sshd: apt-get install --no-install-recommends openssh-server")
    _bridge()
    hosts: list[LightHost] = []
    try:
        hosts += [_start(number, folder / str(number), base, own(number)) for number in range(count)]
        for host in hosts:
            _wait_until_it_listens(host, folder / str(host.number) / "upper" / "var/log/light")
        lines = [f"link set light{one.number} master {_BRIDGE} up\n" for one in hosts]
        subprocess.run(["ip", "-batch", "-"], input="".join(lines), text=True, check=True)
        yield hosts
    finally:
        for host in hosts:
            host.process.terminate()
        for host in hosts:
            host.process.wait(timeout=30)
        # The kernel takes a network down some time after its last process; the next hosts need the names now.
        lines = [f"link del light{one.number}\n" for one in hosts]
        subprocess.run(
            ["ip", "-force", "-batch", "-"], input="".join(lines), text=True, capture_output=True, check=False
        )


def run_on(host: LightHost, command: Sequence[str], stdin: str = "") -> str:
    """Run a command in a host's namespaces and root, past its SSH server, and return what it printed."""
    words = ["nsenter", f"--target={host.process.pid}", "--mount", "--net", "--uts", "--root", "--wd"]
    done = subprocess.run([*words, *command], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{host.name}: {' '.join(command)}: {done.stderr}{done.stdout}")
    return done.stdout


def addresses(number: int) -> tuple[str, str]:
    """Return a host's addresses: where it is managed, and that of its data interface."""
    upper, lower = divmod(number, _PER_BYTE)
    return f"10.143.{upper}.{lower + 1}", f"31.31.{upper}.{lower + 1}"


def _start(number: int, folder: Path, base: Path, own: Mapping[str, str]) -> LightHost:
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    for path, text in own.items():
        _put(folder / "upper", path, text)
    ssh = folder / "upper" / "etc" / "ssh"
    ssh.mkdir(parents=True)
    (folder / "upper" / "var" / "log").mkdir(parents=True)
    _make_key(ssh / "light")
    name = f"light-{number:03d}"
    script = str(Path(__file__).with_name("host.sh"))
    words = ["unshare", "--net", "--mount", "--uts", "bash", script]
    words += [str(number), name, str(folder), str(base), str(os.getpid())]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    where, data = addresses(number)
    return LightHost(number, name, where, data, (ssh / "light.pub").read_text().strip(), process)


def _bridge() -> None:
    """Have the bridge at which every light host is managed; it goes with the namespace."""
    if subprocess.run(["ip", "link", "show", _BRIDGE], capture_output=True, check=False).returncode == 0:
        return
    lines = f"link add {_BRIDGE} type bridge\nlink set {_BRIDGE} up\n"
    lines += f"address add 10.143.255.254/16 dev {_BRIDGE}\n"
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)


def make_base(folder: Path, states: Mapping[str, Mapping[str, str]]) -> Path:
    """Make what all light hosts have in common, and return its folder: what the steps in `states` leave.

    `folder` is made. The key folder/client is let in.
    """
    # The kernel takes no part of the machine's root for a layer over it, so all of it is in memory.
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "light", str(folder)], check=True)
    _make_key(folder / "client")
    base = folder / "base"
    _put_files(base, states, folder / "client.pub")
    # The interface's QoS is set by the script that sets it at each boot; here the result is kept.
    with light_hosts(1, folder / "first", base, lambda _: {}) as (host,):
        run_on(host, ["env", "LAB_OFED_TOOLS=yes", "/usr/local/sbin/lab-sysfs", "make"])
        script = render("ofed_stack/qos.boot.sh.j2")
        run_on(host, ["bash", "-c", script], flat.render(states["ofed_stack.qos"]))
    shutil.copytree(folder / "first/0/upper/run", base / "run", dirs_exist_ok=True)
    return base


def _put_files(base: Path, states: Mapping[str, Mapping[str, str]], client: Path) -> None:

    def put(path: str, text: str, mode: int = 0o644) -> None:
        _put(base, path, text, mode)

    for name in ("mlnx_qos.py", "cma_roce_mode", "cma_roce_tos", "cma_roce", "lab-sysfs"):
        put(f"/usr/local/sbin/{name.removesuffix('.py')}", (ROOT / "lab/standins" / name).read_text(), 0o755)
    (base / f"{SYSFS}/module/mlx5_core".lstrip("/")).mkdir(parents=True)
    put(f"{SYSFS}/module/mlx5_core/version", "inbox\n")
    put("/etc/ssh/light_config", _SSHD)
    put("/etc/ssh/light_client.pub", client.read_text())
    (base / "run/sshd").mkdir(mode=0o755)
    put("/usr/local/sbin/systemctl", Path(__file__).with_name("systemctl").read_text(), 0o755)
    for step, values in states.items():
        for path, (text, mode) in step_files(step, values).items():
            put(path, text, mode)
    for unit in ("address", "qos"):
        wants = base / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / f"rocestack-{unit}@{INTERFACE}.service").symlink_to(
            f"/etc/systemd/system/rocestack-{unit}@.service"
        )
    put("/data/manifest", f"name={states['training_job.dataset']['dataset']}\n")
    for name in ("mean.binaryproto", "train_lmdb/data.mdb", "val_lmdb/data.mdb"):
        put(f"/data/{name}", "of the bench\n")


def step_files(step: str, values: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Return what a step leaves on a host: text and mode of each file by its path, its record with them."""
    files = [one for one in FILES.get(step, ()) if not one.conditional]
    left = {one.path.format(**values): (one.text(values), int(one.mode, 8)) for one in files}
    return {**left, f"/var/lib/rocestack/{step}": (flat.render(values), 0o644)}


def _put(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


_SSHD = """\
Port 22
HostKey /etc/ssh/light
AuthorizedKeysFile /etc/ssh/light_client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
# As many sessions as one host's peers may ask for at once.
MaxSessions 64
Subsystem sftp internal-sftp
SetEnv SHLVL=2
"""


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)


def _wait_until_it_listens(host: LightHost, log: Path, deadline: float = 60) -> None:
    end, pause = time.monotonic() + deadline, 0.02
    while "Server listening" not in (log.read_text() if log.exists() else ""):
        if host.process.poll() is not None or time.monotonic() > end:
            raise BenchError(f"{host.name} does not start: {log.read_text() if log.exists() else ''}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
