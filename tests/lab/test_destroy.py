"""The lab taken down when something went wrong; `make test-full` runs it, after the story.

A lab node takes its disk with it, so a dead one keeps nothing from the lab's own destroy. What metal needs is
shown with the components alone, while the nodes stay.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.conftest import ROOT, LabCluster
from tests.waiting import wait_until

pytestmark = pytest.mark.full
HEAD, SECOND = "clx-mld-41", "clx-mld-42"
RECORDS = "ls /var/lib/rocestack 2>/dev/null || true"


@pytest.fixture(autouse=True)
def _no_lab_before_and_after(lab: LabCluster) -> Iterator[None]:
    lab.run("python", "-m", "engine.destroy", "lab", "--yes", "--skip-preview")
    yield
    lab.run("python", "-m", "engine.destroy", "lab", "--yes", "--skip-preview")
    assert lab.objects() == {"containers": [], "networks": [], "volumes": []}


def _destroy_components(lab: LabCluster) -> list[str]:
    """Return the command that destroys all but the lab's machines."""
    state = json.loads(lab.run("pulumi", "stack", "export", "--stack", "lab").stdout)
    urns = [one["urn"] for one in state["deployment"]["resources"]]
    components = [
        urn for urn in urns if urn.partition("::rocestack::")[2].startswith("rocestack:components:")
    ]
    targets = [part for urn in components for part in ("--target", urn)]
    return ["python", "-m", "engine.destroy", "lab", "--yes", "--skip-preview", *targets]


def test_the_components_of_a_dead_host_wait_for_it(lab: LabCluster) -> None:
    lab.up()
    lab.on(SECOND, "systemctl", "stop", "ssh.service")
    try:
        done = lab.run(*_destroy_components(lab), check=False)
    finally:
        lab.on(SECOND, "systemctl", "start", "ssh.service")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert f"  {SECOND} (root@127.0.0.1 port 22402)" in said
    assert f"    {SECOND}/docker_host.routes" in said
    assert lab.on(HEAD, "bash", "-c", RECORDS).strip() == ""
    assert "docker_host.routes" in lab.on(SECOND, "bash", "-c", RECORDS)
    lab.run(*_destroy_components(lab))
    assert lab.on(SECOND, "bash", "-c", RECORDS).strip() == ""


def test_a_stopped_node_keeps_nothing_from_being_taken_down(lab: LabCluster) -> None:
    lab.up()
    lab.run("docker", "stop", "--time", "1", SECOND)
    lab.destroy()
    assert lab.objects() == {"containers": [], "networks": [], "volumes": []}


@pytest.mark.parametrize("sign", [HEAD, "vendor"])
def test_a_killed_up_is_taken_down(lab: LabCluster, sign: str) -> None:
    process = subprocess.Popen(
        ["bash", "-c", ". ./activate lab && exec pulumi up --stack lab --yes --skip-preview"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: any(sign in name for name in lab.objects()["containers"]), 120, f"{sign} is made")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    lab.run("python", "-m", "engine.destroy", "lab", "--yes", "--skip-preview")
    assert lab.objects() == {"containers": [], "networks": [], "volumes": []}
