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


@pytest.mark.parametrize("status", [0, 1])
def test_the_commands_own_status_is_kept_and_it_speaks_to_a_terminal(tmp_path: Path, status: int) -> None:
    script, fixture = render("caffe2_image/told.sh"), ROOT / "tests/fixtures/docker_cli/push.tty"
    command = f"[[ -t 1 && -t 2 ]] || exit 9; cat {fixture}; echo 'the end' >&2; exit {status}"
    done = _bash(f"{script}\ntold pushing '{tmp_path}/log' bash -c \"{command}\"")
    assert done.returncode == status, done.stderr
    said = (tmp_path / "log").read_text().splitlines()
    assert said[0] == "The push refers to repository [127.0.0.1:5000/rocestack/caffe2]"
    assert said[1].startswith("1: digest: sha256:957cbe87") and said[2:] == ["the end"]


def test_a_command_that_is_killed_has_the_shells_status(tmp_path: Path) -> None:
    done = _bash(f"{render('caffe2_image/told.sh')}\ntold x '{tmp_path}/log' bash -c 'kill -9 $$'")
    assert done.returncode == 137


def test_progress_is_told_while_the_command_runs(tmp_path: Path) -> None:
    script = render("caffe2_image/told.sh").replace("PAUSE_S = 5", "PAUSE_S = 0.2")
    said = "0123456789ab: Pushing [==>   ]  12.5MB/50MB"
    done = _bash(f"{script}\ntold 'pushing x' '{tmp_path}/log' bash -c \"echo '{said}'; sleep 1\"")
    assert done.returncode == 0, done.stderr
    assert "pushing x: 12 of 50 MB, " in done.stderr and " s left (0 of 1 layers), " in done.stderr
    assert (tmp_path / "log").read_text() == ""


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
