"""What Docker says while an image is pulled or pushed, and what its errors mean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.rendering import render

ROOT = Path(__file__).parents[2]
REFERENCE = "31.31.31.41:5000/rocestack/caffe2@sha256:0a1b"


def _bash(script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "failed to register layer: write /usr/lib/x: no space left on device",
            "head has no disk space left for the image (12 MB free).",
        ),
        (
            "Error response from daemon: manifest for x@sha256:0a1b not found: manifest unknown",
            "the registry 31.31.31.41:5000 has no image of the digest sha256:0a1b.",
        ),
        (
            "filesystem layer verification failed for digest sha256:77",
            "the registry 31.31.31.41:5000 gave head other bytes than the digest sha256:0a1b stands",
        ),
        (
            "Get https://x/v2/: x509: certificate signed by unknown authority",
            "head does not trust the registry 31.31.31.41:5000: Get https://x/v2/: x509",
        ),
        (
            "Get https://x/v2/: dial tcp 31.31.31.41:5000: connect: connection refused",
            f"head could not pull {REFERENCE}: Get https://x/v2/: dial tcp",
        ),
    ],
)
def test_each_error_of_docker_is_one_sentence_with_the_command_to_replay(said: str, sentence: str) -> None:
    host, errors = render("common/host.sh"), render("caffe2_image/pull_errors.sh")
    tools = "HOSTNAME=head\nspace_left() { printf 12; }"
    call = f"pull_failed '{REFERENCE}' \"$(cat)\""
    done = _bash(f"{host}\n{errors}\n{tools}\n{call}", f"first line\n{said}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"rocestack: {sentence}"), done.stderr
    assert f"on head: docker pull {REFERENCE}" in done.stderr


@pytest.mark.parametrize(("size", "fits"), [(100, True), (101, False)])
def test_an_image_needs_its_size_and_half_of_it(size: int, fits: bool) -> None:
    host, errors = render("common/host.sh"), render("caffe2_image/pull_errors.sh")
    tools = "HOSTNAME=head\nspace_left() { printf 150; }\ndocker() { printf /var/lib/docker; }"
    done = _bash(f"{host}\n{errors}\n{tools}\nspace_checked {size}")
    assert (done.returncode == 0) is fits
    if not fits:
        assert "head has 150 MB free for images, and the image needs about 151 MB." in done.stderr


def test_layers_are_counted_and_all_that_was_said_is_kept(tmp_path: Path) -> None:
    said = (ROOT / "tests/fixtures/docker_cli/pull.txt").read_text()
    log = tmp_path / "log"
    # A clock that says six seconds later each time it is asked.
    script = render("caffe2_image/layers.sh").replace("SECONDS", "$((clock += 6))").replace("$$((", "$((")
    done = _bash(f"clock=0\n{script}\nlayers_read pulling '{log}'", said)
    assert done.returncode == 0, done.stderr
    lines = [line.partition(" after ")[0] for line in done.stderr.splitlines()]
    assert lines[0] == "pulling: 0 of 0 layers"
    assert lines[-1] == "pulling: 2 of 3 layers"
    assert log.read_text() == said


@pytest.mark.parametrize("status", [0, 1])
def test_the_commands_own_status_is_kept(tmp_path: Path, status: int) -> None:
    script = render("caffe2_image/layers.sh")
    done = _bash(f"{script}\nlayers_told x '{tmp_path}/log' bash -c 'echo said; exit {status}'")
    assert done.returncode == status
    assert (tmp_path / "log").read_text() == "said\n"


def test_what_is_counted_arrives_whole() -> None:
    content = bytes(range(256)) * 20_000
    done = subprocess.run(
        [sys.executable, "templates/caffe2_image/counted.py", "sending x to head", str(len(content))],
        cwd=ROOT,
        input=content,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == content
    assert done.stderr.decode().startswith("sending x to head: 5 MB in ")
