"""The image's steps, with a stand-in for Docker that keeps what it is asked and what it is given to build."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from facts.rendering import render
from settings import flat

IMAGE_ID = "sha256:" + "a" * 64
CHECKS = '{"cuda": "none", "operator_test": "relu: OK"}'
NAME = "rocestack/caffe2:0123456789abcdef"
DOCKERFILE = """FROM scratch
RUN apt-get update -q \\
 && apt-get install -q -y gcc \\
 && apt-get clean \\
 && rm -rf /var/lib/apt/lists/*
"""


@dataclass(frozen=True)
class Engine:
    """The stand-in's state, and a context of two places as the component would name it."""

    state: Path
    wanted: dict[str, str] = field(default_factory=dict)

    def run(self, step: str, kind: str = "apply", **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", render(f"caffe2_image/{step}.{kind}.sh.j2")],
            input=flat.render({**self.wanted, **changes}),
            env={
                **{key: value for key, value in os.environ.items() if key != "DOCKER_HOST"},
                "PATH": f"{Path(__file__).parent / 'engine'}:{os.environ['PATH']}",
                "STATE": str(self.state),
                "IMAGE_ID": IMAGE_ID,
                "CHECKS": CHECKS,
                "TMPDIR": str(self.state),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return (self.state / "calls").read_text().splitlines()

    def built(self, name: str) -> str:
        return (self.state / "context" / name).read_text()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    flavour, common = tmp_path / "flavour", tmp_path / "preload"
    for folder in (flavour, common, tmp_path / "names"):
        folder.mkdir()
    (flavour / "Dockerfile").write_text(DOCKERFILE)
    (common / "build.sh").write_text("#!/bin/sh\n")
    return Engine(
        tmp_path,
        {
            "arg_base_image": "nvidia/cuda:9.2",
            "arg_cuda_arch_bin": "60 61",
            "base": "nvidia/cuda:9.2",
            "context": f".={flavour} preload={common}",
            "flavour": "source",
            "image": "rocestack/caffe2",
            "ofed_sha256": "none",
            "ofed_source": "none",
            "tag": "0123456789abcdef",
            "test": "",
            "test_module": "caffe2.python.operator_test.relu_op_test",
        },
    )


def _lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_image_is_built_checked_and_then_named(engine: Engine) -> None:
    lines = _lines(engine.run("build"))
    assert lines[-1] == IMAGE_ID
    assert json.loads(lines[-2]) == json.loads(CHECKS)
    build = next(call for call in engine.calls if call.startswith("build --build-arg"))
    assert "--build-arg base_image=nvidia/cuda:9.2" in build
    assert "--build-arg cuda_arch_bin=60 61" in build
    assert "--label org.opencontainers.image.version=0123456789abcdef" in build
    assert "--label org.opencontainers.image.base.name=nvidia/cuda:9.2" in build
    assert "flavour source" in build
    check = next(call for call in engine.calls if call.startswith("run "))
    assert check.endswith(f"{NAME}-unchecked rocestack-check source {engine.wanted['test_module']}")
    assert f"FROM {NAME}-unchecked" in engine.calls
    # A later call has nothing to build, and tells the same.
    before = len(engine.calls)
    assert _lines(engine.run("build"))[-2:] == lines[-2:]
    assert not any(call.startswith(("build", "run")) for call in engine.calls[before:])
    assert [path.name for path in (engine.state / "names").iterdir()] == [NAME.replace("/", "_")]


def test_the_context_is_put_together_from_its_places(engine: Engine) -> None:
    _lines(engine.run("build"))
    assert engine.built("Dockerfile") == DOCKERFILE
    assert engine.built("preload/build.sh") == "#!/bin/sh\n"
    assert list((engine.state / "context/ofed").iterdir()) == []
    assert not list(engine.state.glob("rocestack-image.*"))


def test_buildkit_keeps_apts_downloads(engine: Engine) -> None:
    (engine.state / "buildx").touch()
    _lines(engine.run("build"))
    assert engine.built("Dockerfile") == DOCKERFILE.replace(
        "RUN apt-get", "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked apt-get"
    ).replace(" && apt-get clean \\\n", "")


@pytest.mark.parametrize(
    ("fails", "says"),
    [("no-build", f"the image {NAME} could not be built"), ("no-check", "has no engine GLOO")],
)
def test_what_cannot_be_built_or_train_gets_no_name(engine: Engine, fails: str, says: str) -> None:
    (engine.state / fails).touch()
    done = engine.run("build")
    assert done.returncode == 1
    assert says in done.stderr
    assert not (engine.state / "names" / NAME.replace("/", "_")).exists()


def test_the_vendors_archive_goes_in_if_it_is_the_right_one(engine: Engine) -> None:
    archive = engine.state / "MLNX_OFED.tgz"
    archive.write_bytes(b"an archive")
    right = hashlib.sha256(b"an archive").hexdigest()
    wrong = engine.run("build", ofed_source=str(archive), ofed_sha256="0" * 64)
    assert wrong.returncode == 1
    assert "another SHA-256 than image.ofed.sha256 says" in wrong.stderr
    assert not any(call.startswith("build") for call in engine.calls)
    _lines(engine.run("build", ofed_source=str(archive), ofed_sha256=right))
    assert engine.built("ofed/ofed.tgz") == "an archive"


def test_a_missing_archive_is_one_clear_error(engine: Engine) -> None:
    done = engine.run("build", ofed_source="/nowhere/ofed.tgz", ofed_sha256="0" * 64)
    assert done.returncode == 1
    assert "/nowhere/ofed.tgz (setting image.ofed.source) could not be read" in done.stderr
    assert not any(call.startswith("build") for call in engine.calls)


def test_a_base_that_can_only_be_pulled_is_one_clear_error_without_a_registry(engine: Engine) -> None:
    base = {"base_image": "nvidia/cuda:9.2", "source": "nvidia/cuda:9.2", "suite": "none"}
    (engine.state / "no-registry").touch()
    done = engine.run("base", **base)
    assert done.returncode == 1
    assert "the base image nvidia/cuda:9.2 (settings image.base, image.base_digest) could not" in done.stderr
    assert "Replay: docker pull nvidia/cuda:9.2" in done.stderr


def test_a_base_is_pulled_once(engine: Engine) -> None:
    base = {"base_image": "nvidia/cuda:9.2", "source": "nvidia/cuda:9.2", "suite": "none"}
    for _ in range(2):
        assert _lines(engine.run("base", **base)) == [IMAGE_ID]
    assert [call for call in engine.calls if call.startswith("pull")] == ["pull -q nvidia/cuda:9.2"]


HOST = {
    "host": "clx-mld-41",
    "ssh_address": "10.1.0.41",
    "ssh_port": "22",
    "ssh_user": "root",
    "ssh_host_key": "ssh-ed25519 AAAA",
    "ssh_key": "/nowhere/id",
}


def test_an_image_that_lost_its_name_gets_it_back(engine: Engine) -> None:
    (engine.state / "nameless").touch()
    done = engine.run("build")
    assert done.returncode == 0, done.stderr
    assert f"tag {IMAGE_ID} {NAME}" in engine.calls
    assert not any(call.startswith("build") for call in engine.calls)


def test_a_hosts_engine_builds_as_the_host_reaches_the_world(engine: Engine) -> None:
    lines = _lines(engine.run("build", **HOST))
    assert lines[-1] == IMAGE_ID
    way = engine.calls[0]
    assert way.startswith("ssh ") and "docker.sock:/var/run/docker.sock root@10.1.0.41" in way
    assert "StrictHostKeyChecking=yes" in way
    docker = [call for call in engine.calls if not call.startswith(("ssh ", "FROM "))]
    assert [call for call in docker if not call.startswith("there: ")] == []
    build = next(call for call in docker if call.startswith("there: build --build-arg"))
    assert "--network host" in build and "--build-arg http_proxy" in build
    run = next(call for call in docker if call.startswith("there: run "))
    assert "--device /dev/infiniband/uverbs0" in run
    assert engine.calls[-1].startswith("ssh -S ") and engine.calls[-1].endswith("-O exit x")


def test_a_build_on_a_host_leaves_nothing_but_its_image(engine: Engine) -> None:
    _lines(engine.run("build", **HOST))
    dropped = [call.removeprefix("there: rmi ") for call in engine.calls if call.startswith("there: rmi ")]
    old = ["rocestack/caffe2:old", "registry:5000/rocestack/caffe2:old"]
    assert dropped == [f"--no-prune {NAME}-unchecked", "sha256:left", *old]
    # On the operator's machine all of it is a cache.
    before = len(engine.calls)
    (engine.state / "names" / NAME.replace("/", "_")).unlink()
    _lines(engine.run("build"))
    dropped = [call for call in engine.calls[before:] if call.startswith("rmi ")]
    assert dropped == [f"rmi --no-prune {NAME}-unchecked"]


@pytest.mark.parametrize("step", ["base", "build"])
def test_a_host_that_cannot_be_reached_is_one_clear_error(engine: Engine, step: str) -> None:
    (engine.state / "no-way").touch()
    base = {"base_image": "x", "source": "x", "suite": "none"}
    done = engine.run(step, **HOST, **base)
    assert done.returncode == 1
    assert "no way to the Docker engine of clx-mld-41 (root@10.1.0.41): connect to host" in done.stderr
    assert "ssh -p 22 -i /nowhere/id root@10.1.0.41" in done.stderr
    assert not any("docker" not in call and call.startswith("build") for call in engine.calls)
    assert not list(engine.state.glob("rocestack-*"))
