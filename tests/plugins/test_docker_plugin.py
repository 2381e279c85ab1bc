"""The docker plugin against a real engine, over its socket and over SSH, through its own protocol."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.utils import version_lt
from pulumi.runtime.proto import provider_pb2

from engine.plugins.common import wire
from tests.plugins.conftest import LABEL, SshServer, run
from tests.plugins.harness import Failed, PluginProcess, wait_until

CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"
HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


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


@pytest.mark.parametrize(("grace", "orderly"), [(20.0, True), (0.0, False)])
def test_a_container_has_its_grace_period(
    plugin: PluginProcess, image: str, mark: str, grace: float, orderly: bool
) -> None:
    plugin.create(VOLUME, {"name": mark, "labels": labels(mark)})
    ending = (
        "trap 'sleep 1; echo ended > /out/file; exit 0' TERM; touch /out/ready; while :; do sleep 0.2; done"
    )
    mounts = [{"type": "volume", "source": mark, "target": "/out"}]
    wanted = sleeper(
        image, mark, command=[ending], mounts=mounts, destroyGraceSeconds=grace, stopSignal="SIGTERM"
    )
    ready = {"tests": ["CMD", "test", "-e", "/out/ready"], "interval": "200ms"}
    id_, state = plugin.create(CONTAINER, {**wanted, "healthcheck": ready, "wait": True})
    plugin.delete(CONTAINER, id_, state)
    found = run("docker", "run", "--rm", "-v", f"{mark}:/out", "--entrypoint", "/bin/ls", image, "/out")
    assert ("file" in found.split()) is orderly
    plugin.delete(CONTAINER, id_, state)


def test_a_container_that_removes_itself(plugin: PluginProcess, image: str, mark: str) -> None:
    ending = sleeper(image, mark, command=["exit 0"], rm=True)
    with pytest.raises(Failed, match=r"it ended at once and removed itself \(rm\)"):
        plugin.create(CONTAINER, ending)
    job = {**ending, "mustRun": False}
    id_, state = plugin.create(CONTAINER, job)
    inputs = plugin.check(CONTAINER, job)
    assert plugin.read(CONTAINER, id_, inputs, state).id == id_, "it has done as it was told"
    plugin.delete(CONTAINER, id_, state)
    running = plugin.check(CONTAINER, sleeper(image, mark, rm=True))
    id_, state = plugin.create(CONTAINER, running)
    run("docker", "stop", "-t", "0", mark)
    # The engine removes it by itself, a moment after it ended.
    wait_until(lambda: plugin.read(CONTAINER, id_, running, state).id == "", "it must run, and is gone")
    plugin.delete(CONTAINER, id_, state)


def test_limits_change_in_place(plugin: PluginProcess, image: str, mark: str) -> None:
    olds = plugin.check(CONTAINER, sleeper(image, mark, memory=64.0, cpuPeriod=50000.0, cpuQuota=25000.0))
    id_, state = plugin.create(CONTAINER, olds)
    news = sleeper(image, mark, memory=256.0, cpuPeriod=50000.0, cpuQuota=40000.0)
    changed = plugin.diff(CONTAINER, olds, news)
    assert (sorted(changed.detailedDiff), list(changed.replaces)) == (["cpuQuota", "memory"], [])
    plugin.update(CONTAINER, id_, state, olds, news)
    found = inspect(mark)
    assert found["Id"] == id_
    assert (found["HostConfig"]["Memory"], found["HostConfig"]["CpuQuota"]) == (256 << 20, 40000)


def test_what_this_engine_cannot_do_is_said_and_nothing_stays(
    plugin: PluginProcess, image: str, mark: str
) -> None:
    with pytest.raises(Failed, match="could not select device driver") as caught:
        plugin.create(CONTAINER, sleeper(image, mark, gpus="all"))
    plugin.delete(CONTAINER, caught.value.id, caught.value.outputs)
    assert not exists("container", mark)
    older = version_lt(inspect_engine(), "1.44")
    check = {"tests": ["CMD", "true"], "startInterval": "1s"}
    if older:
        with pytest.raises(Failed, match=r"healthcheck\.startInterval needs API version 1\.44"):
            plugin.create(CONTAINER, sleeper(image, mark, healthcheck=check))
    else:
        plugin.create(CONTAINER, sleeper(image, mark, healthcheck=check))
    assert exists("container", mark) is not older


def inspect_engine() -> str:
    return run("docker", "version", "--format", "{{.Server.APIVersion}}")


def ask(plugin: PluginProcess, function: str, **args: Any) -> dict[str, Any]:
    token = f"docker:index/{function}:{function}"
    answer = plugin.ask("Invoke", provider_pb2.InvokeRequest(tok=token, args=wire.encode(args)))
    assert not answer.failures, answer.failures[0].reason
    return wire.decode(getattr(answer, "return"))


def test_functions(plugin: PluginProcess, image: str, mark: str) -> None:
    id_, _ = plugin.create(NETWORK, {"name": mark, "labels": labels(mark)})
    plugin.create(CONTAINER, sleeper(image, mark, networksAdvanced=[{"name": mark, "aliases": ["a"]}]))
    network = ask(plugin, "getNetwork", name=mark)
    assert (network["id"], network["driver"]) == (id_, "bridge")
    assert [item["name"] for item in network["containers"]] == [mark]
    assert ask(plugin, "getRemoteImage", name=image)["id"] == inspect(image)["Id"]
    with pytest.raises(Failed, match="has no network 'absent'"):
        ask(plugin, "getNetwork", name="absent")
    with pytest.raises(Failed, match="has no image 'absent:1'; a RemoteImage pulls one"):
        ask(plugin, "getRemoteImage", name="absent:1")
    with pytest.raises(Failed, match="'docker:index/getLogs:getLogs' is not served"):
        ask(plugin, "getLogs", name=mark)
    with pytest.raises(AssertionError, match="'name' is required"):
        ask(plugin, "getNetwork")


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
    with pytest.raises(AssertionError, match=r"'cluster' is not served"):
        plugin.create(VOLUME, {"name": mark, "cluster": {}})
    with pytest.raises(
        Failed, match=r"'docker:index/registryImage:RegistryImage' is not served.*Image builds"
    ):
        plugin.create("docker:index/registryImage:RegistryImage", {})
