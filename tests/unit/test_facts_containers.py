"""A container that somebody made anew differs by name in what is not as recorded, and in nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from facts.catalog import CONTAINERS
from facts.containers import KEYS, differing, image_config, settings_found, settings_recorded

# Recorded on a lab: a container in the checkpoint, in the probe, and what its image gives to it.
RECORDED = Path(__file__).parents[1] / "fixtures" / "containers"
Change = Mapping[str, Any]


def _read(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def _changed(made: Any, path: str, value: Any) -> Any:
    changed = copy.deepcopy(made)
    place = changed
    *folders, last = path.split(".")
    for folder in folders:
        place = place[folder]
    place[last] = value
    return changed


@pytest.mark.parametrize("name", ["redis", "shard"])
def test_a_container_as_the_program_made_it_is_in_sync(name: str) -> None:
    assert differing(_read(f"{name}.inputs"), _read(f"{name}.made"), _read("image")) == []


def test_one_made_anew_by_hand_differs_in_its_environment_alone() -> None:
    # Recorded: as tests/lab/test_drifts.py makes it, with the same name, labels and command.
    found = differing(_read("anew.inputs"), _read("anew.made"), _read("image"))
    assert found == [("env", "MODE", "no MODE")]


def _env(*more: str) -> list[str]:
    return [*_read("image")["Env"], *more]


CHANGES = [
    ("image", "sha256:other", ("image", "sha256:other")),
    ("config.Entrypoint", ["/bin/sh"], ("entrypoint", "/bin/sh")),
    ("config.User", "nobody", ("user", "nobody")),
    ("host.Privileged", True, ("privileged", "yes")),
    ("host.CapAdd", ["CAP_NET_ADMIN"], ("capabilities", "+NET_ADMIN, -ALL")),
    ("host.CapDrop", None, ("capabilities", "none")),
    ("host.NetworkMode", "bridge", ("network", "default")),
    ("host.PidMode", "host", ("namespaces", "pid host")),
    ("host.Runtime", "nvidia", ("runtime", "nvidia")),
    ("host.RestartPolicy", {"Name": "always", "MaximumRetryCount": 0}, ("restart", "always")),
    ("host.SecurityOpt", ["seccomp=unconfined"], ("security", "seccomp=unconfined")),
    (
        "host.Devices",
        [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}],
        ("devices", "/dev/a:/dev/b:r"),
    ),
    (
        "host.DeviceRequests",
        [{"Driver": "", "Count": 0, "DeviceIDs": ["2"], "Capabilities": [["gpu"]]}],
        ("gpus", "device=2"),
    ),
    (
        "mounts",
        [{"Type": "bind", "Source": "/data", "Destination": "/data", "RW": True}],
        ("mounts", "bind /data:/data:rw"),
    ),
    ("config.Env", [*_read("shard.made")["config"]["Env"], "MODE=fast"], ("env", "MODE")),
    ("host.ReadonlyRootfs", False, ("root", "writable")),
    ("host.Tmpfs", {"/tmp": "rw"}, ("tmpfs", "/tmp:rw")),
    ("host.Memory", 64 * 1024 * 1024, ("memory", "64 MiB")),
]

# An input that asks for it, the container as the engine then shows it, and another one.
ASKED: list[tuple[dict[str, Any], str, Any, Any, tuple[str, str, str]]] = [
    (
        {"ulimits": [{"name": "memlock", "soft": -1.0, "hard": -1.0}]},
        "host.Ulimits",
        [{"Name": "memlock", "Soft": -1, "Hard": -1}],
        [{"Name": "memlock", "Soft": 65536, "Hard": 65536}],
        ("ulimits", "memlock=65536:65536", "memlock=-1:-1"),
    ),
    (
        {"logDriver": "json-file", "logOpts": {"max-size": "8m", "max-file": "2"}},
        "host.LogConfig",
        {"Type": "json-file", "Config": {"max-file": "2", "max-size": "8m"}},
        {"Type": "json-file", "Config": {}},
        ("logs", "json-file", "json-file, max-file=2, max-size=8m"),
    ),
    (
        {"healthcheck": {"tests": ["CMD", "true"], "interval": "2s", "timeout": "500ms", "retries": 5.0}},
        "config.Healthcheck",
        {"Test": ["CMD", "true"], "Interval": 2 * 10**9, "Timeout": 5 * 10**8, "Retries": 5},
        {"Test": ["CMD", "true"], "Interval": 10**9, "Timeout": 5 * 10**8, "Retries": 5},
        (
            "healthcheck",
            "CMD, true, interval=1s, timeout=0.5s, start=0s, retries=5",
            "CMD, true, interval=2s, timeout=0.5s, start=0s, retries=5",
        ),
    ),
    ({"memory": 256.0}, "host.Memory", 256 * 2**20, 0, ("memory", "none", "256 MiB")),
    ({"readOnly": True}, "host.ReadonlyRootfs", True, False, ("root", "writable", "read-only")),
    ({"tmpfs": {"/t": "rw"}}, "host.Tmpfs", {"/t": "rw"}, None, ("tmpfs", "none", "/t:rw")),
]


@pytest.mark.parametrize(("asked", "path", "right", "wrong", "told"), ASKED, ids=[one[1] for one in ASKED])
def test_what_is_asked_for_is_told_when_it_is_otherwise(
    asked: Any, path: str, right: Any, wrong: Any, told: tuple[str, str, str]
) -> None:
    inputs = {**_read("shard.inputs"), **asked}
    assert differing(inputs, _changed(_read("shard.made"), path, right), _read("image")) == []
    assert differing(inputs, _changed(_read("shard.made"), path, wrong), _read("image")) == [told]


def test_an_own_default_of_the_engine_or_the_image_is_no_drift() -> None:
    made = _changed(_read("shard.made"), "host.LogConfig", {"Type": "journald", "Config": {"tag": "x"}})
    made = _changed(made, "host.Ulimits", [{"Name": "nofile", "Soft": 1024, "Hard": 1024}])
    made = _changed(made, "config.Healthcheck", {"Test": ["CMD", "true"]})
    plain = {key: value for key, value in _read("shard.inputs").items() if not key.startswith("log")}
    assert differing(plain, made, _read("image")) == []


def test_a_volume_without_a_name_of_ours_is_the_one_that_was_asked_for() -> None:
    inputs = {**_read("shard.inputs"), "mounts": [{"type": "volume", "target": "/var/lib/rocestack"}]}
    volume = {"Type": "volume", "Name": "0a" * 32, "Destination": "/var/lib/rocestack", "RW": True}
    assert differing(inputs, _changed(_read("shard.made"), "mounts", [volume]), _read("image")) == []
    named = _changed(_read("shard.made"), "mounts", [{**volume, "Name": "mine"}])
    assert differing(inputs, named, _read("image")) == [
        ("mounts", "volume mine:/var/lib/rocestack:rw", "volume :/var/lib/rocestack:rw")
    ]


@pytest.mark.parametrize(("path", "value", "told"), CHANGES, ids=[one[0] for one in CHANGES])
def test_each_setting_is_told_by_its_key(path: str, value: Any, told: tuple[str, str]) -> None:
    made = _changed(_read("shard.made"), path, value)
    found = differing(_read("shard.inputs"), made, _read("image"))
    assert [(key, there) for key, there, _ in found] == [told]


def test_a_command_is_told_by_its_first_other_word() -> None:
    made = _read("shard.made")
    words = list(made["config"]["Cmd"])
    place = words.index("--num_epochs") + 1
    words[place] = "99"
    made = _changed(made, "config.Cmd", words)
    found = differing(_read("shard.inputs"), made, _read("image"))
    assert [key for key, _, _ in found] == ["command"]
    assert found[0][1].startswith(f"word {place + 1} 99 ")
    shorter = differing(_read("shard.inputs"), _changed(made, "config.Cmd", words[:place]), _read("image"))
    assert shorter[0][1] == f"word {place + 1} nothing more"


def test_an_environment_is_told_by_names_and_never_by_values() -> None:
    inputs = {**_read("shard.inputs"), "envs": ["TOKEN=right", "GONE=1", "SAME=2"]}
    made = _changed(_read("shard.made"), "config.Env", _env("TOKEN=wrong", "MORE=3", "SAME=2"))
    assert differing(inputs, made, _read("image")) == [
        ("env", "no GONE, MORE, TOKEN (another value)", "GONE, no MORE, TOKEN")
    ]


def test_a_label_of_ours_counts_and_another_ones_does_not() -> None:
    made = _read("shard.made")
    labels = made["config"]["Labels"]
    other = _changed(made, "config.Labels", {**labels, "maintainer": "x", "rocestack.generation": "9"})
    assert differing(_read("shard.inputs"), other, _read("image")) == []
    other = _changed(made, "config.Labels", {**labels, "rocestack.run_id": "x"})
    found = differing(_read("shard.inputs"), other, _read("image"))
    assert found == [("labels", "rocestack.run_id (another value)", "rocestack.run_id")]


def test_what_comes_of_an_image_that_is_gone_is_not_compared() -> None:
    made = _changed(_read("shard.made"), "config.Env", ["ANY=1"])
    assert differing(_read("shard.inputs"), made, None) == []
    assert image_config(None) is None
    assert image_config("removed") is None
    assert image_config(json.dumps({"Env": []})) == {"Env": []}


def test_gpus_of_both_runtimes_read_back_as_they_were_given() -> None:
    request = [{"Driver": "", "Count": 0, "DeviceIDs": ["3"], "Capabilities": [["gpu"]]}]
    toolkit = _changed(_read("shard.made"), "host.DeviceRequests", request)
    assert differing({**_read("shard.inputs"), "gpus": "device=3"}, toolkit, _read("image")) == []
    nvidia = _changed(_read("shard.made"), "host.Runtime", "nvidia")
    nvidia = _changed(nvidia, "config.Env", _env("NVIDIA_VISIBLE_DEVICES=3"))
    inputs = {**_read("shard.inputs"), "runtime": "nvidia", "envs": ["NVIDIA_VISIBLE_DEVICES=3"]}
    assert differing(inputs, nvidia, _read("image")) == []


def test_every_key_is_compared_on_both_sides_and_told_in_the_reference() -> None:
    assert set(settings_recorded({}, {})) == set(settings_found({})) == set(KEYS) == set(CONTAINERS)
