"""What set-up chooses: CLI, plugins, Docker engine; and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import backend, docker_engine, plugin_install, progress, pulumi_cli, setup
from engine.distro import is_debian_like
from engine.errors import EngineError

OWN = "unix:///run/rocestack-01234567/docker.sock"
DEFAULT = docker_engine.DEFAULT_HOST


@pytest.mark.parametrize(
    ("environment", "sources"),
    [
        ({}, ("installed", "download", "build")),
        ({"ENGINE_CLI": ""}, ("installed", "download", "build")),
        ({"ENGINE_CLI": "auto"}, ("installed", "download", "build")),
        ({"ENGINE_CLI": "build"}, ("build",)),
    ],
)
def test_cli_sources(environment: dict[str, str], sources: tuple[str, ...]) -> None:
    assert pulumi_cli.mode(environment) == sources


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [({}, "auto"), ({"ENGINE_PLUGINS": "official"}, "official"), ({"ENGINE_PLUGINS": "dropin"}, "dropin")],
)
def test_plugin_modes(environment: dict[str, str], chosen: str) -> None:
    assert plugin_install.mode(environment) == chosen


def test_a_wrong_mode_names_what_is_allowed() -> None:
    with pytest.raises(EngineError, match="ENGINE_CLI is 'brew'; allowed: auto, installed, download, build"):
        pulumi_cli.mode({"ENGINE_CLI": "brew"})
    with pytest.raises(EngineError, match="ENGINE_PLUGINS is 'none'; allowed: auto, official, dropin"):
        plugin_install.mode({"ENGINE_PLUGINS": "none"})


@pytest.mark.parametrize(
    ("source", "on_path", "again"),
    [("installed", True, True), ("installed", False, False), ("build", False, True)],
)
def test_an_installed_cli_counts_while_path_leads_to_it(
    tmp_path: Path, source: str, on_path: bool, again: bool
) -> None:
    program = tmp_path / "pulumi"
    program.touch(0o755)
    cli = pulumi_cli.Cli(source, "", "3.259.0", str(program), "", "")
    path = str(tmp_path) if on_path else "/nowhere"
    assert pulumi_cli.found_again(cli, path, Path("/c/.engine/bin")) is again


def test_our_own_cli_is_not_an_installed_one() -> None:
    assert pulumi_cli.path_without("/c/.engine/bin:/usr/bin:/bin", Path("/c/.engine/bin")) == "/usr/bin:/bin"
    assert pulumi_cli.path_without("/usr/bin:/bin", Path("/c/.engine/bin")) == "/usr/bin:/bin"


CHECKSUMS = "AB12  pulumi-v3.259.0-linux-x64.tar.gz\ncd34 *pulumi-v3.259.0-linux-arm64.tar.gz\n"


@pytest.mark.parametrize(("machine", "digest"), [("x64", "ab12"), ("arm64", "cd34")])
def test_the_published_digest_is_found(machine: str, digest: str) -> None:
    assert pulumi_cli.digest_in(CHECKSUMS, f"pulumi-v3.259.0-linux-{machine}.tar.gz") == digest


def test_an_archive_without_a_published_digest_is_refused() -> None:
    with pytest.raises(OSError, match="does not list"):
        pulumi_cli.digest_in(CHECKSUMS, "pulumi-v3.260.0-linux-x64.tar.gz")


def test_the_wrapper_runs_our_module_also_from_a_folder_with_a_space() -> None:
    template = '#!/bin/sh\nexec @PYTHON@ -P -m engine.plugins.@NAME@ "$@"\n'
    text = plugin_install.wrapper(template, "docker", Path("/my work/.venv/bin/python"))
    assert text == "#!/bin/sh\nexec '/my work/.venv/bin/python' -P -m engine.plugins.docker \"$@\"\n"


@pytest.mark.parametrize(
    ("environment", "recorded", "context", "hosts"),
    [
        ({}, "", "", [DEFAULT]),
        ({"DOCKER_HOST": "unix:///x"}, "", "", ["unix:///x", DEFAULT]),
        ({"DOCKER_HOST": OWN}, "", "", [DEFAULT]),
        ({"DOCKER_HOST": DEFAULT}, DEFAULT, "", [DEFAULT]),
        ({}, "unix:///y", "unix:///z", ["unix:///y", "unix:///z", DEFAULT]),
    ],
)
def test_engines_are_asked_in_order_and_once(
    environment: dict[str, str], recorded: str, context: str, hosts: list[str]
) -> None:
    asked = docker_engine.candidates(environment, recorded, context, OWN)
    assert [host for _, host in asked] == hosts


GOOD = {
    "ServerVersion": "20.10.24",
    "Driver": "overlay2",
    "OSType": "linux",
    "SecurityOptions": ["name=seccomp"],
}


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, ""),
        ({"SecurityOptions": None}, ""),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, "it is rootless"),
        ({"OSType": "windows"}, "it runs windows containers"),
    ],
)
def test_an_engine_is_judged_by_what_it_says(change: dict[str, object], refusal: str) -> None:
    answer = docker_engine.judge(json.dumps(GOOD | change).encode())
    assert answer.refusal.startswith(refusal)
    assert bool(answer.refusal) is bool(refusal)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}"])
def test_something_else_on_the_socket_is_not_an_engine(body: bytes) -> None:
    assert docker_engine.judge(body).refusal == "its answer is not a Docker engine's"


def test_an_engine_elsewhere_is_refused_without_asking_it() -> None:
    assert "only an engine of this machine" in docker_engine.probe("tcp://192.0.2.7:2375").refusal


def checkpoint(*kinds: str) -> str:
    resources = [{"type": kind} for kind in kinds]
    return json.dumps({"version": 3, "checkpoint": {"latest": {"resources": resources}}})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"version": 3, "checkpoint": {"latest": null}}', 0),
        (checkpoint(), 0),
        (checkpoint("pulumi:pulumi:Stack", "pulumi:providers:docker"), 0),
        (checkpoint("pulumi:pulumi:Stack", "rocestack:components:GpuHost", "command:remote:Command"), 2),
    ],
)
def test_resources_of_a_checkpoint(text: str, count: int) -> None:
    assert backend.count_resources(text) == count


@pytest.mark.parametrize(
    ("program", "folder"), [("/c/.engine/bin/pulumi", "/c/.engine/bin"), ("/usr/local/bin/pulumi", "''")]
)
def test_activate_is_told_the_folder_of_our_own_cli_only(program: str, folder: str) -> None:
    text = setup.env_text(Path(program), Path("/c/.engine/bin"), OWN)
    assert f"rocestack_cli={folder}\n" in text
    assert f"rocestack_docker={OWN}\n" in text


@pytest.mark.parametrize(
    ("release", "answer"),
    [
        ("ID=debian\nVERSION_ID=12\n", True),
        ('ID=ubuntu\nID_LIKE="debian"\n', True),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', True),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', False),
        ("", False),
    ],
)
def test_debian_and_its_descendants(release: str, answer: bool) -> None:
    assert is_debian_like(release) is answer


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (187, "3:07"), (3600, "60:00")])
def test_clock(seconds: float, text: str) -> None:
    assert progress.clock(seconds) == text


@pytest.mark.parametrize(("text", "line"), [("", ""), ("a\nb\n\n  \n", "b"), ("x" * 200, "x" * 80)])
def test_last_line(text: str, line: str) -> None:
    assert progress.last_line(text) == line


def test_an_error_says_what_happened_and_then_how_to_go_on() -> None:
    assert str(EngineError("It broke.", "Mend it.")) == "It broke.\n  Mend it."
    assert str(EngineError("It broke.")) == "It broke."
