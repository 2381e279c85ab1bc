"""The docker plugin under the real CLI: whole programs, their refresh, and what a preview says."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.plugin_install import wrapper
from tests.plugins.conftest import LABEL, SOCKET, run

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parents[1] / "fixtures" / "docker" / "rich"
HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
NOTHING_CHANGED = 7
# What it is given is a JSON list of [type, resource name, inputs]; inputs are those of the engine's API.
PROGRAM = """
import json, re
import pulumi, pulumi_docker as docker

def snake(value):
    if isinstance(value, list):
        return [snake(item) for item in value]
    if isinstance(value, dict):
        return {re.sub("([A-Z])", lambda found: "_" + found[1].lower(), key): snake(item)
                for key, item in value.items()}
    return value

config = json.load(open("wanted.json"))
provider = docker.Provider("engine", host=config["host"], ssh_opts=config.get("sshOpts"))
made = []
for kind, name, inputs in config["resources"]:
    options = pulumi.ResourceOptions(provider=provider, depends_on=list(made))
    resource = getattr(docker, kind)(name, **snake(inputs), opts=options)
    if kind in ("Network", "Volume"):
        made.append(resource)
    if kind == "Container" and inputs.get("ports"):
        pulumi.export("ports", resource.ports)
if config.get("look"):
    options = pulumi.InvokeOutputOptions(provider=provider, depends_on=made)
    pulumi.export("network", docker.get_network_output(config["look"], opts=options))
"""


@dataclass
class Project:
    """A program of its own, with its own state and plugins."""

    folder: Path
    cli: str

    def want(self, host: str, resources: list[list[Any]], **more: Any) -> None:
        """Set what the program makes."""
        wanted = {"host": host, "resources": resources, **more}
        (self.folder / "wanted.json").write_text(json.dumps(wanted))

    def pulumi(self, *arguments: str) -> tuple[int, str]:
        """Run the CLI; return its status and what it printed."""
        home = self.folder / "home"
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{Path(self.cli).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            [self.cli, *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def done(self, *arguments: str) -> str:
        """Run the CLI; it has to succeed. Return what it printed."""
        status, text = self.pulumi(*arguments)
        assert status == 0, text
        return text

    def up(self) -> str:
        """Bring the resources up."""
        return self.done("up", "--yes", "--skip-preview", "--continue-on-error")

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        found: dict[str, Any] = json.loads(self.done("stack", "output", "--json"))
        return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    cli = shutil.which("pulumi", path=f"{ROOT}/.engine/bin:{os.environ['PATH']}")
    assert cli, "there is no pulumi; set the engine up once: make setup"
    found = Project(tmp_path / "project", cli)
    for folder in ("state", "home", "plugin"):
        (found.folder / folder).mkdir(parents=True)
    program = found.folder / "plugin" / "pulumi-resource-docker"
    program.write_text(wrapper((ROOT / "engine" / "plugin.sh").read_text(), "docker", Path(sys.executable)))
    program.chmod(0o755)
    (found.folder / "Pulumi.yaml").write_text("name: test\nruntime: python\n")
    (found.folder / "__main__.py").write_text(PROGRAM)
    found.done("plugin", "install", "resource", "docker", "5.2.0", "--file", str(program.parent))
    found.done("stack", "init", "test")
    yield found


def disk() -> str:
    """Return a block device whose traffic can be limited."""
    for entry in sorted(Path("/sys/block").iterdir()):
        if (
            not entry.name.startswith(("loop", "ram", "zram"))
            and (Path("/dev") / entry.name).is_block_device()
        ):
            return f"/dev/{entry.name}"
    raise AssertionError("this machine has no disk")


def container(image: str, mark: str, name: str, inputs: dict[str, Any]) -> list[Any]:
    base = {
        "name": f"{mark}-{name}",
        "image": image,
        "entrypoints": ["/bin/sh", "-c"],
        "command": ["trap 'exit 0' TERM; while :; do sleep 0.2; done"],
    }
    labels = [*inputs.get("labels", []), {"label": LABEL, "value": mark}]
    return ["Container", name, {**base, **inputs, "labels": labels}]


def rich(image: str, mark: str, source: Path) -> list[list[Any]]:
    """Return one container for each group of inputs, with the network, volume and image they need."""
    text = (FIXTURES / "containers.json").read_text()
    for word, value in (("@NAME@", mark), ("@DISK@", disk()), ("@SOURCE@", str(source))):
        text = text.replace(word, value)
    labels = [{"label": LABEL, "value": mark}, {"label": "b", "value": "1"}]
    network = {
        "name": mark,
        "driver": "bridge",
        "internal": False,
        "attachable": True,
        "options": {"com.docker.network.driver.mtu": "1400"},
        "ipamConfigs": [
            {
                "subnet": "10.143.193.0/24",
                "ipRange": "10.143.193.128/25",
                "gateway": "10.143.193.1",
                "auxAddress": {"kept": "10.143.193.200"},
            }
        ],
        "labels": labels,
    }
    return [
        ["Network", "net", network],
        ["Network", "generated-net", {"labels": labels[:1]}],
        ["Volume", "vol", {"name": mark, "driver": "local", "labels": labels}],
        ["Volume", "generated-vol", {"labels": labels[:1]}],
        ["RemoteImage", "img", {"name": image, "keepLocally": True}],
        *(container(image, mark, name, inputs) for name, inputs in json.loads(text).items()),
    ]


def test_no_perpetual_diffs(project: Project, image: str, mark: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("from a file\n")
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    resources = rich(image, mark, source)
    build = {"context": str(tmp_path / "context")}
    built = ["Image", "built", {"imageName": f"{mark}:1", "build": build, "skipPush": True}]
    project.want(HOST, [*resources, built], look=mark)
    try:
        project.up()
        for arguments in (
            ("preview", "--diff", "--expect-no-changes"),
            ("refresh", "--yes", "--skip-preview", "--diff", "--expect-no-changes"),
            ("preview", "--refresh", "--diff", "--expect-no-changes"),
            ("up", "--yes", "--skip-preview", "--diff", "--expect-no-changes"),
        ):
            status, text = project.pulumi(*arguments)
            assert status == 0, text
        ports = project.outputs()["ports"]
        assert all(item["external"] > 0 for item in ports), ports
        network = project.outputs()["network"]
        assert network["driver"] == "bridge"
        assert [item["subnet"] for item in network["ipamConfigs"]] == ["10.143.193.0/24"]
        files = run(
            "docker", "exec", f"{mark}-files", "sh", "-c", "stat -c '%a %u %g' /deep/folder/text /run-me"
        )
        assert files.splitlines() == ["600 7 8", "744 0 0"]
        assert run("docker", "exec", f"{mark}-files", "cat", "/copied") == "from a file"
        assert run("docker", "inspect", "-f", "{{.HostConfig.CpuQuota}}", f"{mark}-limits") == "25000"
        project.done("destroy", "--yes", "--skip-preview")
        assert run("docker", "ps", "-aq", "--filter", f"label={LABEL}={mark}") == ""
        assert run("docker", "network", "ls", "-q", "--filter", f"label={LABEL}={mark}") == ""
        assert run("docker", "volume", "ls", "-q", "--filter", f"label={LABEL}={mark}") == ""
        assert run("docker", "images", "-q", f"{mark}:1"), "an Image stays when it is destroyed"
    finally:
        subprocess.run(["docker", "rmi", "-f", f"{mark}:1"], capture_output=True, check=False)


def test_drift_is_shown_and_repaired(project: Project, image: str, mark: str) -> None:
    names = ("removed", "stopped", "changed", "renewed", "untouched")
    inputs = {"changed": {"memory": 64, "memorySwap": 128}, "renewed": {"envs": ["A=1"]}}
    wanted = [container(image, mark, name, inputs.get(name, {})) for name in names]
    project.want(HOST, wanted)
    project.up()
    run("docker", "rm", "-f", f"{mark}-removed")
    run("docker", "stop", "-t", "0", f"{mark}-stopped")
    run("docker", "update", "--memory", "70m", f"{mark}-changed")
    # The same name, another environment and a label fewer: as if somebody had made it anew by hand.
    run("docker", "rm", "-f", f"{mark}-renewed")
    run("docker", "run", "-d", "--name", f"{mark}-renewed", "--label", f"{LABEL}={mark}", "-e", "A=2", image)
    status, text = project.pulumi("preview", "--refresh", "--diff", "--expect-no-changes")
    assert status == NOTHING_CHANGED, text
    assert re.search(r"mustRun *: false => true", text), text
    assert re.search(r"memory *: 70 => 64", text), text
    assert "untouched" not in text
    assert "2 to create" in text, "the removed one, and the one whose id is gone"
    run("docker", "rm", "-f", f"{mark}-renewed")
    project.done("up", "--yes", "--skip-preview", "--refresh")
    status, text = project.pulumi("preview", "--refresh", "--diff", "--expect-no-changes")
    assert status == 0, text
    assert run("docker", "inspect", "-f", "{{.State.Running}}", f"{mark}-stopped") == "true"
    project.done("destroy", "--yes", "--skip-preview")


def test_a_dead_host_fails_no_preview_that_needs_nothing_from_it(
    project: Project, image: str, mark: str
) -> None:
    with Forwarder() as forwarder:
        address = f"tcp://127.0.0.1:{forwarder.port}"
        wanted = [["Volume", "vol", {"name": mark, "labels": [{"label": LABEL, "value": mark}]}]]
        wanted.append(container(image, mark, "one", {}))
        project.want("tcp://127.0.0.1:1", wanted)
        assert "+ 4 to create" in project.done("preview")
        project.want(address, wanted)
        project.up()
        assert run("docker", "inspect", "-f", "{{.State.Running}}", f"{mark}-one") == "true"
        forwarder.stop()
        # Nothing is asked of the engine as long as nothing but the program's own inputs is compared.
        assert "4 unchanged" in project.done("preview", "--expect-no-changes")
        wanted[1][2]["memory"] = 64
        project.want(address, wanted)
        assert "~ 1 to update" in project.done("preview")
        status, text = project.pulumi("up", "--yes", "--skip-preview")
        assert status != 0
        assert f"cannot reach the Docker engine at {address}" in text
        assert "engine/plugins" not in text, "no traceback of the plugin"
    run("docker", "rm", "-f", f"{mark}-one")


class Forwarder:
    """A TCP port of loopback that leads to the engine's socket."""

    def __init__(self) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Forward)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Forwarder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


class _Forward(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(SOCKET)
        back = threading.Thread(target=_copy, args=(engine, self.request), daemon=True)
        back.start()
        _copy(self.request, engine)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()
