"""The docker plugin against a real engine, over its socket and over SSH, through its own protocol."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.common import wire
from tests.plugins.conftest import SshServer, run
from tests.plugins.harness import Failed, PluginProcess

CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"
HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
LABEL = "rocestack.test"


@pytest.fixture
def mark() -> Iterator[str]:
    """Return a name for this test's objects; whatever it leaves is removed."""
    name = f"rocestack-test-{uuid.uuid4().hex[:8]}"
    yield name
    for kind, removal in (("container", ("rm", "-f", "-v")), ("network", ("rm",)), ("volume", ("rm",))):
        listing = ("ls", "-a", "-q") if kind == "container" else ("ls", "-q")
        for found in run("docker", kind, *listing, "--filter", f"label={LABEL}={name}").split():
            run("docker", kind, *removal, found)


@pytest.fixture
def plugin() -> Iterator[PluginProcess]:
    with PluginProcess("docker", {"host": HOST}) as process:
        yield process


def labels(mark: str) -> list[dict[str, str]]:
    return [{"label": LABEL, "value": mark}]


def sleeper(image: str, mark: str, **inputs: Any) -> dict[str, Any]:
    return {
        "name": mark,
        "image": image,
        "entrypoints": ["/bin/sh", "-c"],
        "command": ["trap 'exit 0' TERM; while :; do sleep 0.2; done"],
        "labels": labels(mark),
        **inputs,
    }


def inspect(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(run("docker", "inspect", name))
    return found[0]


def exists(kind: str, name: str) -> bool:
    listed = run(
        "docker", kind, "ls", *(("-a",) if kind == "container" else ()), "--filter", f"name=^{name}$", "-q"
    )
    return bool(listed)


def test_a_node_container_from_creation_to_removal(plugin: PluginProcess, image: str, mark: str) -> None:
    _, net = plugin.create(
        NETWORK, {"name": mark, "ipamConfigs": [{"subnet": "10.143.191.0/24"}], "labels": labels(mark)}
    )
    volume_id, volume = plugin.create(VOLUME, {"name": mark, "labels": labels(mark)})
    inputs = plugin.check(
        CONTAINER,
        sleeper(
            image,
            mark,
            hostname="node",
            envs=["B=2", "A=1"],
            capabilities={"adds": ["NET_ADMIN"]},
            securityOpts=["seccomp=unconfined", "systempaths=unconfined"],
            deviceCgroupRules=["a *:* rwm"],
            cgroupnsMode="private",
            tmpfs={"/run": ""},
            restart="always",
            mounts=[{"type": "volume", "source": volume["name"], "target": "/var/lib/docker"}],
            networksAdvanced=[{"name": net["name"], "ipv4Address": "10.143.191.10", "aliases": ["alias"]}],
            hosts=[{"host": "registry", "ip": "10.143.191.1"}],
            destroyGraceSeconds=5.0,
        ),
    )
    id_, state = plugin.create(CONTAINER, inputs)
    assert [item["ipAddress"] for item in state["networkDatas"]] == ["10.143.191.10"]
    info = inspect(mark)
    assert info["Id"] == id_
    assert info["HostConfig"]["DeviceCgroupRules"] == ["a *:* rwm"]
    assert info["HostConfig"]["MaskedPaths"] == []
    assert list(info["NetworkSettings"]["Networks"]) == [mark]
    seen = plugin.read(CONTAINER, id_, inputs, state)
    assert wire.decode(seen.inputs) == inputs, "an untouched container has no drift"
    plugin.delete(CONTAINER, id_, state)
    plugin.delete(CONTAINER, id_, state)
    assert not exists("container", mark)
    plugin.delete(VOLUME, volume_id, volume)
    assert not exists("volume", mark)


def test_drift_is_seen_in_what_the_program_set(plugin: PluginProcess, image: str, mark: str) -> None:
    inputs = plugin.check(CONTAINER, sleeper(image, mark, memory=128.0, memorySwap=256.0))
    id_, state = plugin.create(CONTAINER, inputs)
    run("docker", "update", "--memory", "100m", mark)
    seen = wire.decode(plugin.read(CONTAINER, id_, inputs, state).inputs)
    assert list(plugin.diff(CONTAINER, seen, inputs).detailedDiff) == ["memory"]
    repaired = plugin.update(CONTAINER, id_, state, seen, inputs)
    assert inspect(mark)["HostConfig"]["Memory"] == 128 << 20
    run("docker", "stop", "-t", "0", mark)
    seen = wire.decode(plugin.read(CONTAINER, id_, inputs, repaired).inputs)
    assert seen["mustRun"] is False
    plugin.update(CONTAINER, id_, state, seen, inputs)
    assert inspect(mark)["State"]["Running"]
    run("docker", "rm", "-f", mark)
    assert plugin.read(CONTAINER, id_, inputs, state).id == ""
    plugin.delete(CONTAINER, id_, state)


def test_labels_and_environment_replace_old_before_new(plugin: PluginProcess, image: str, mark: str) -> None:
    olds = plugin.check(CONTAINER, sleeper(image, mark, envs=["A=1", "B=2"]))
    same = plugin.diff(CONTAINER, olds, sleeper(image, mark, envs=["B=2", "A=1"]))
    assert (same.changes, list(same.replaces)) == (1, [])
    changed = plugin.diff(CONTAINER, olds, sleeper(image, mark, envs=["A=2", "B=2"]))
    assert list(changed.replaces) == ["envs[0]"]
    assert changed.deleteBeforeReplace
    limit = plugin.diff(CONTAINER, olds, sleeper(image, mark, envs=["A=1", "B=2"], memory=64.0))
    assert (limit.changes, list(limit.replaces)) == (2, [])


def test_a_container_that_ends_at_once(plugin: PluginProcess, image: str, mark: str) -> None:
    ending = sleeper(image, mark, command=["echo last words; exit 3"])
    with pytest.raises(Failed, match="it ended at once") as caught:
        plugin.create(CONTAINER, ending)
    assert "last words" in str(caught.value)
    assert caught.value.id == inspect(mark)["Id"], "the state keeps it, so that the next run replaces it"
    assert list(plugin.diff(CONTAINER, plugin.check(CONTAINER, ending), ending).replaces) == []
    plugin.delete(CONTAINER, caught.value.id, caught.value.outputs)
    assert not exists("container", mark)
    id_, state = plugin.create(CONTAINER, {**ending, "mustRun": False})
    assert plugin.read(CONTAINER, id_, plugin.check(CONTAINER, {**ending, "mustRun": False}), state).id == id_


def test_attach_waits_for_the_end_and_brings_the_logs(plugin: PluginProcess, image: str, mark: str) -> None:
    job = sleeper(
        image, mark, command=["sleep 0.5; echo done; exit 5"], mustRun=False, attach=True, logs=True
    )
    _, state = plugin.create(CONTAINER, job)
    assert (state["exitCode"], state["containerLogs"]) == (5.0, "done\n")


def test_a_name_that_is_taken(plugin: PluginProcess, image: str, mark: str) -> None:
    run("docker", "create", "--name", mark, "--label", f"{LABEL}={mark}", image)
    with pytest.raises(Failed, match="an earlier run left it: docker rm -f") as caught:
        plugin.create(CONTAINER, sleeper(image, mark))
    assert caught.value.id == ""
    with pytest.raises(Failed, match="somebody else may need it"):
        plugin.create(CONTAINER, sleeper(image, mark, labels=[{"label": LABEL, "value": "other"}]))
    run("docker", "volume", "create", "--label", f"{LABEL}={mark}", mark)
    with pytest.raises(Failed, match="there is one of that name already"):
        plugin.create(VOLUME, {"name": mark})
    assert plugin.create(VOLUME, {"name": mark, "labels": labels(mark)})[0] == mark


def test_an_image_that_is_nowhere(plugin: PluginProcess, mark: str) -> None:
    name = f"localhost:1/{mark}:1"
    with pytest.raises(Failed, match=r"there is no image .* here, and it cannot be pulled"):
        plugin.create(IMAGE, {"name": name})
    with pytest.raises(Failed, match=r"there is no image .* here, and it cannot be pulled"):
        plugin.create(CONTAINER, {"name": mark, "image": name})
    assert not exists("container", mark)


def test_an_image_that_is_there_is_not_pulled_and_can_be_kept(plugin: PluginProcess, image: str) -> None:
    id_, state = plugin.create(IMAGE, {"name": image, "keepLocally": True})
    assert id_ == state["imageId"] + image
    plugin.delete(IMAGE, id_, state)
    assert inspect(image)["Id"] == state["imageId"]


def test_a_network_in_use_is_not_removed_until_it_is_free(
    plugin: PluginProcess, image: str, mark: str
) -> None:
    inputs = plugin.check(
        NETWORK, {"name": mark, "labels": labels(mark), "ipamConfigs": [{"subnet": "10.143.192.0/24"}]}
    )
    id_, state = plugin.create(NETWORK, inputs)
    assert wire.decode(plugin.read(NETWORK, id_, inputs, state).inputs) == inputs
    container_id, container = plugin.create(
        CONTAINER, sleeper(image, mark, networksAdvanced=[{"name": mark}])
    )
    plugin.delete(CONTAINER, container_id, container)
    plugin.delete(NETWORK, id_, state)
    plugin.delete(NETWORK, id_, state)
    assert plugin.read(NETWORK, id_, inputs, state).id == ""


def over_ssh(sshd: SshServer, known: Path) -> dict[str, Any]:
    options = ["-i", str(sshd.keys / "client"), "-o", f"UserKnownHostsFile={known}"]
    options += ["-o", "StrictHostKeyChecking=yes"]
    return {"host": f"ssh://root@127.0.0.1:{sshd.port}", "sshOpts": json.dumps(options)}


def test_over_ssh_with_options(sshd: SshServer, image: str, mark: str, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.keys / 'host.pub').read_text()}")
    with PluginProcess("docker", over_ssh(sshd, known)) as process:
        inputs = process.check(CONTAINER, sleeper(image, mark))
        id_, state = process.create(CONTAINER, inputs)
        assert inspect(mark)["Id"] == id_
        assert wire.decode(process.read(CONTAINER, id_, inputs, state).inputs) == inputs
        process.delete(CONTAINER, id_, state)
    assert not exists("container", mark)
    assert sshd.processes("dial-stdio") == []


def test_over_ssh_the_host_key_counts(sshd: SshServer, mark: str, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.keys / 'client.pub').read_text()}")
    with (
        PluginProcess("docker", over_ssh(sshd, known)) as process,
        pytest.raises(Failed, match=r"Host key verification failed\.; `ssh` with the provider's sshOpts"),
    ):
        process.create(VOLUME, {"name": mark})


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"host": "unix:///nonexistent/docker.sock"},
            "cannot reach the Docker engine at unix:///nonexistent",
        ),
        ({"host": "tcp://127.0.0.1:1"}, "cannot reach the Docker engine at tcp://127.0.0.1:1"),
        ({"host": "ssh://root@127.0.0.1:1"}, "port 1: Connection refused"),
        ({"host": wire.UNKNOWN}, "the provider's host is not known yet"),
    ],
)
def test_a_dead_engine_fails_what_needs_it_and_nothing_else(
    config: dict[str, Any], reason: str, mark: str
) -> None:
    with PluginProcess("docker", config) as process:
        planned = process.create(VOLUME, {"name": mark}, preview=True)[1]
        assert planned["mountpoint"] is wire.UNKNOWN
        with pytest.raises(Failed, match=reason) as caught:
            process.create(VOLUME, {"name": mark})
        assert "Traceback" not in str(caught.value)
        with pytest.raises(Failed, match=reason):
            process.delete(VOLUME, mark, {"name": mark})


def test_unknown_inputs_are_named(plugin: PluginProcess, image: str, mark: str) -> None:
    with pytest.raises(AssertionError, match=r"the input 'env' is not served .* did you mean 'envs'"):
        plugin.create(CONTAINER, sleeper(image, mark, env=["A=1"]))
    with pytest.raises(AssertionError, match="the input 'gpus' is not served"):
        plugin.create(CONTAINER, sleeper(image, mark, gpus="all"))
    with pytest.raises(Failed, match="'docker:index/image:Image' is not served"):
        plugin.create("docker:index/image:Image", {})
