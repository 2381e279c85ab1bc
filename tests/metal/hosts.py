"""A stack of metal in a folder of its own: the real CLI, the real components, the real scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from settings.models import HostAccess
from tests.conformance.cli import ROOT, Done, Engine
from tests.nodes.node import INTERFACE, Node
from tests.waiting import wait_until

NAME = "hosts"


class MetalStack:
    """A project in a folder of its own: a program of this folder, and the sections of its stack file."""

    def __init__(self, engine: Engine, folder: Path, program: str, sections: Mapping[str, Any]) -> None:
        self.engine = engine
        self.folder = folder
        shutil.copy(Path(__file__).with_name(program), folder / "__main__.py")
        (folder / "Pulumi.yaml").write_text("name: rocestack\nruntime: python\n")
        _certificate(folder / "registry.crt")
        self.set_sections(sections)
        self.run("stack", "init", NAME)

    def set_sections(self, sections: Mapping[str, Any]) -> None:
        """Set what the stack file says from now on."""
        config = {f"rocestack:{name}": value for name, value in sections.items()}
        path = self.folder / f"Pulumi.{NAME}.yaml"
        salt = yaml.safe_load(path.read_text()).get("encryptionsalt") if path.exists() else None
        document = {"config": config, **({"encryptionsalt": salt} if salt else {})}
        path.write_text(yaml.safe_dump(document))

    def environment(self) -> dict[str, str]:
        """Return what `activate` would set, with a state and a home of the test's own."""
        return {
            **self.engine.environment(),
            "PULUMI_STACK": NAME,
            "PULUMI_CONTINUE_ON_ERROR": "true",
            "PULUMI_OPTION_POLICY_PACK": str(ROOT / "policy" / "analyzer"),
            "PYTHONPATH": str(ROOT),
            "ROCESTACK_REPORT": str(self.folder / "drift.json"),
        }

    def run(self, *arguments: str, fails: bool | None = False, deadline: float = 900) -> Done:
        """Run the CLI to its end; its status must be as `fails` says (None: either)."""
        return self._run([self.engine.program, "--non-interactive", *arguments], fails, deadline)

    def up(self, *options: str, fails: bool | None = False) -> Done:
        """Bring the hosts up."""
        return self.run("up", "--yes", "--skip-preview", *options, fails=fails)

    def kill_up_when(self, true: Callable[[], bool], what: str) -> None:
        """Run `up` until `true` says so, then kill the CLI alone, as a machine short of memory does."""
        with (self.folder / "killed.log").open("w") as log:
            process = subprocess.Popen(
                [self.engine.program, "--non-interactive", "up", "--yes", "--skip-preview"],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                wait_until(true, 120, what)
            finally:
                process.kill()
                process.wait()

    def destroy(self, *, fails: bool | None = False) -> Done:
        """Destroy as `make destroy` does."""
        python = str(ROOT / ".venv" / "bin" / "python")
        return self._run([python, "-m", "engine.destroy", NAME, "--yes", "--skip-preview"], fails, 900)

    def _run(self, command: Sequence[str], fails: bool | None, deadline: float) -> Done:
        begun = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=deadline,
            check=False,
        )
        result = Done(done.returncode, done.stdout, done.stdout, time.monotonic() - begun)
        if fails is not None:
            assert (result.status != 0) == fails, f"{' '.join(command)}: {result.status}\n{result.text}"
        return result


class HostStack(MetalStack):
    """A stack that declares the hosts of `nodes` and nothing else."""

    def __init__(self, engine: Engine, folder: Path, nodes: Sequence[Node]) -> None:
        # Asked before a node has other addresses.
        self.access = {node.hostname: node.access() for node in nodes}
        super().__init__(engine, folder, "program.py", settings(list(self.access.values())))

    def declare(self, nodes: Sequence[Node], **sections: dict[str, Any]) -> None:
        """Set which nodes the stack has from now on; `sections` replace those of the same name."""
        self.set_sections({**settings([self.access[node.hostname] for node in nodes]), **sections})


def _certificate(path: Path) -> None:
    """Make a certificate of a registry that nobody pulls from."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ed25519", "-noenc", "-subj", "/CN=registry"),
            *("-keyout", os.devnull, "-out", str(path)),
        ],
        capture_output=True,
        check=True,
    )


def settings(accesses: Sequence[HostAccess]) -> dict[str, Any]:
    """Return the sections of a stack file for these hosts; their last address byte is their name's number."""
    hosts = []
    for place, access in enumerate(accesses, start=1):
        number = access.name.rpartition("-")[2]
        hosts.append(
            {
                "name": access.name,
                "address": access.address,
                "host_key": access.host_key,
                "data_address": f"31.31.31.{number}",
                "container_subnet": f"172.30.{number}.0/24",
                "switch_port": f"1/{place}",
            }
        )
    return {
        "hosts": hosts,
        "access": {"private_key_file": accesses[0].private_key_file},
        "network": {"data_interface": INTERFACE, "data_subnet": "31.31.31.0/24", "mtu": 9000},
        # Nothing here asks the switch.
        "switch": {
            "name": "swx-mld-1-2",
            "address": "127.0.0.1",
            "host_key": "ssh-ed25519 AAAA",
            "password": "not asked",
        },
        "gpu": {"driver": "none"},
        "ofed": {
            "flavour": "inbox",
            "sysfs_root": "/run/lab-sysfs",
            # A node's interface is one end of a veth pair.
            "allow_unobservable": ["ofed_stack.qos.pause"],
        },
        "dataset": {
            name: {"source": f"/archives/{name}.tar", "md5": f"{number:032x}"}
            for number, name in enumerate(("train", "val", "lists"), start=1)
        },
        "registry": {
            "address": "127.0.0.1:5000",
            "push_address": "127.0.0.1:5000",
            "ca_file": "registry.crt",
        },
    }
