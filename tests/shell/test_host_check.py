"""What a container of the image sees of a host's GPUs and RDMA devices, and what is said without one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from components.rendering import render
from settings import flat

WANTED = {
    "image_id": "sha256:a",
    "runtime": "container-toolkit",
    "gpus": "2",
    "needs_gpu": "no",
    "needs_rdma": "no",
}
TWO = "Tesla P100-PCIE-16GB, 390.46\nTesla P100-PCIE-16GB, 390.46\n"
REFUSED = "docker: Error response from daemon: could not select device driver"
_DOCKER = """#!/bin/bash
printf '%s\\n' "$*" >>"$STATE/calls"
case "$1 $*" in
  'image '*) ;;
  'rm '*) ;;
  *nvidia-smi*) cat "$STATE/gpus"; exit "$(cat "$STATE/gpus-status")" ;;
  *ibv_devinfo*) cat "$STATE/verbs"; exit "$(cat "$STATE/verbs-status")" ;;
esac
"""


class Host:
    """A host whose Docker and nvidia-smi are scripts; its devices are links to a character device."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._program("docker", _DOCKER)
        self.on_host(2)
        self.inside("gpus", TWO, 0)
        self.inside("verbs", "hca_id:\tmlx5_0\n\ttransport: InfiniBand (0)\n", 0)
        (folder / "rdma").mkdir()

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def on_host(self, gpus: int) -> None:
        lines = "".join(f"echo 'GPU {number}: Tesla'\n" for number in range(gpus))
        self._program("nvidia-smi", f"#!/bin/bash\n{lines}")

    def inside(self, what: str, said: str, status: int) -> None:
        (self.folder / what).write_text(said)
        (self.folder / f"{what}-status").write_text(str(status))

    def check(self, *, device: bool = True, **changed: str) -> subprocess.CompletedProcess[str]:
        script = render("caffe2_image/host_check.apply.sh.j2")
        for line, replaced in (
            ("records=/var/lib/rocestack", f"records={self.folder}/records"),
            ("turn=/run/rocestack-turn", f"turn={self.folder}/turn"),
            ("nvidia_device=/dev/nvidia0", f"nvidia_device={'/dev/null' if device else '/nowhere'}"),
            ("rdma_devices=/dev/infiniband", f"rdma_devices={self.folder}/rdma"),
        ):
            assert script.count(line) == 1
            script = script.replace(line, replaced)
        return subprocess.run(
            ["bash", "-c", script],
            input=flat.render({**WANTED, **changed}),
            env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "STATE": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def seen(self, **changed: str) -> dict[str, str]:
        done = self.check(**changed)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    @property
    def calls(self) -> str:
        return (self.folder / "calls").read_text()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_all_gpus_are_counted_and_named(host: Host) -> None:
    assert host.seen() == {"gpus": "2: Tesla P100-PCIE-16GB with driver 390.46", "uverbs": "none"}
    assert "--gpus all" in host.calls and "ibv_devinfo" not in host.calls
    assert (host.folder / "records" / "caffe2_image.host_check").exists()


def test_the_guides_runtime_is_asked_as_a_shard_asks_it(host: Host) -> None:
    host.seen(runtime="nvidia-docker", gpus="any")
    assert "--runtime nvidia --env NVIDIA_VISIBLE_DEVICES=all" in host.calls


def test_where_no_gpu_is_wanted_none_is_asked(host: Host) -> None:
    assert host.seen(gpus="none", runtime="none") == {"gpus": "none", "uverbs": "none"}
    assert "nvidia-smi" not in host.calls


@pytest.mark.parametrize(
    ("said", "status", "count"), [(TWO.split("\n", 1)[0], 0, 1), (REFUSED, 125, 0), ("", 0, 0)]
)
def test_a_host_with_gpus_whose_container_sees_fewer_is_an_error(
    host: Host, said: str, status: int, count: int
) -> None:
    host.inside("gpus", said, status)
    done = host.check()
    assert done.returncode == 1
    told = f"a container of the training image sees {count} GPUs, wanted 2; the host's nvidia-smi lists 2."
    assert told in done.stderr
    assert "Hint: is the runtime container-toolkit whole there" in done.stderr
    assert "To see: docker run --rm" in done.stderr
    assert not (host.folder / "records" / "caffe2_image.host_check").exists()


def test_training_on_gpus_needs_them_also_where_there_is_no_device(host: Host) -> None:
    host.inside("gpus", REFUSED, 125)
    assert host.check(device=False, needs_gpu="yes").returncode == 1


def test_a_host_that_only_lists_gpus_is_no_pass_and_says_so(host: Host) -> None:
    host.inside("gpus", f"{REFUSED}.\nSee docker run --help.\n", 125)
    done = host.check(device=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["gpus"] == (
        f"none in a container, which said: {REFUSED}. The host's nvidia-smi lists 2, but there is no /nowhere"
    )


def test_rdma_devices_are_opened_in_a_container(host: Host) -> None:
    for number in (0, 1):
        (host.folder / "rdma" / f"uverbs{number}").symlink_to("/dev/null")
    nodes = f"{host.folder}/rdma/uverbs0 {host.folder}/rdma/uverbs1"
    assert host.seen()["uverbs"] == f"{nodes}: mlx5_0"
    assert host.calls.count(f"--device {host.folder}/rdma/uverbs") == 2
    host.inside("verbs", "No IB devices found\n", 255)
    assert host.seen()["uverbs"] == f"none opened of {nodes}: No IB devices found"
    done = host.check(needs_rdma="yes")
    assert done.returncode == 1 and "opens none of" in done.stderr


def test_rdma_without_a_device_is_an_error_where_training_needs_it(host: Host) -> None:
    done = host.check(needs_rdma="yes")
    assert done.returncode == 1 and "and the training's transport is RDMA" in done.stderr


def test_a_wrong_number_is_refused(host: Host) -> None:
    done = host.check(gpus="four")
    assert done.returncode == 1 and "gpus can be a number, 'any' or 'none', not 'four'" in done.stderr
