"""The docker plugin's pure parts: settings, names, and what is sent to the engine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.plugins.common import schema, wire
from engine.plugins.common.errors import PluginError
from engine.plugins.common.resource import Call
from engine.plugins.docker import container_body as body
from engine.plugins.docker import naming, settings, spec
from engine.plugins.docker.network import create_arguments
from engine.plugins.docker.transport import ssh_command


class Quiet:
    """A log that nobody reads."""

    def status(self, text: str) -> None:
        """Take a passing line."""

    def warning(self, text: str) -> None:
        """Take a warning."""


CALL = Call("urn:pulumi:s::p::docker:index/container:Container::node", "node", Quiet(), b"seed")


def container(**inputs: Any) -> dict[str, Any]:
    return schema.typed(spec.CONTAINER.inputs, {"name": "n", "image": "i", **inputs})


# Settings.


@pytest.mark.parametrize(
    ("config", "environ", "host", "options"),
    [
        ({}, {}, settings.DEFAULT_HOST, ()),
        ({}, {"DOCKER_HOST": "unix:///x"}, "unix:///x", ()),
        ({"host": "tcp://h:1"}, {"DOCKER_HOST": "unix:///x"}, "tcp://h:1", ()),
        ({"host": "ssh://h", "sshOpts": '["-i","k"]'}, {}, "ssh://h", ("-i", "k")),
        ({"host": "ssh://h", "sshOpts": ["-i", "k"]}, {}, "ssh://h", ("-i", "k")),
        ({"host": wire.UNKNOWN}, {"DOCKER_HOST": "unix:///x"}, None, ()),
        ({"host": "ssh://h", "sshOpts": wire.UNKNOWN}, {}, None, ()),
    ],
)
def test_which_engine(
    config: dict[str, Any], environ: dict[str, str], host: str | None, options: tuple[str, ...]
) -> None:
    found = settings.settings(config, environ)
    assert (found.host, found.ssh_options) == (host, options)


@pytest.mark.parametrize(
    ("config", "reasons"),
    [
        ({"host": "unix:///x", "sshOpts": "[]", "version": "5.2.0", "context": "", "__internal": {}}, []),
        ({"host": wire.UNKNOWN, "sshOpts": wire.UNKNOWN}, []),
        ({"context": "c"}, [("context", "does not serve the setting 'context'; use host")]),
        ({"hots": "x"}, [("hots", "has no setting 'hots'")]),
        ({"host": "node1"}, [("host", "host is 'node1'; it begins with one of unix://, ssh://")]),
        ({"sshOpts": "-i key"}, [("sshOpts", "sshOpts must be a list")]),
    ],
)
def test_settings_that_fit_and_that_do_not(config: dict[str, Any], reasons: list[tuple[str, str]]) -> None:
    found = settings.problems(config)
    assert [name for name, _ in found] == [name for name, _ in reasons]
    assert all(part in text for (_, text), (_, part) in zip(found, reasons, strict=True))


def test_a_registrys_password_does_not_show() -> None:
    login = [{"address": "r:5000", "username": "u", "password": "pass word"}, {"username": "nowhere"}]
    found = settings.settings({"registryAuth": json.dumps(login)}, {})
    assert [item.address for item in found.registries] == ["r:5000"]
    assert "pass word" not in repr(found)


def test_the_ssh_command_asks_nothing_and_takes_the_options() -> None:
    command = ssh_command("ssh://root@127.0.0.1:22401", ["-i", "k", "-o", "UserKnownHostsFile=f"])
    assert command[:4] == ["ssh", "-T", "-o", "BatchMode=yes"]
    tail = ["-p", "22401", "-l", "root", "--", "127.0.0.1", "docker system dial-stdio"]
    assert command[-11:] == ["-i", "k", "-o", "UserKnownHostsFile=f", *tail]
    assert ssh_command("ssh://node", [])[-3:] == ["--", "node", "docker system dial-stdio"]


# Names and defaults.


def test_a_given_name_stays_and_defaults_are_noted() -> None:
    found = naming.with_defaults(spec.CONTAINER.inputs, CALL, {}, {"name": "x", "image": "i"}, named=True)
    assert found["name"] == "x"
    assert found["mustRun"] is True
    assert "mustRun" in found["__defaults"]
    assert "name" not in found["__defaults"]
    assert naming.given(found) == {"name", "image"}


def test_a_generated_name_is_kept_and_is_the_same_for_the_same_seed() -> None:
    first = naming.with_defaults(spec.NETWORK.inputs, CALL, {}, {}, named=True)
    assert first["name"].startswith("node-")
    assert len(first["name"]) == len("node-") + 7
    assert naming.with_defaults(spec.NETWORK.inputs, CALL, {}, {}, named=True) == first
    later = Call(CALL.urn, CALL.name, CALL.log, b"other seed")
    assert naming.with_defaults(spec.NETWORK.inputs, later, first, {}, named=True)["name"] == first["name"]


def test_a_name_that_was_given_before_is_not_taken_for_a_generated_one() -> None:
    olds = {"name": "mine", "__defaults": []}
    found = naming.with_defaults(spec.NETWORK.inputs, CALL, olds, {}, named=True)
    assert found["name"].startswith("node-")


# What is sent.


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"deviceCgroupRules": ["a *:* rwm"]}, {"DeviceCgroupRules": ["a *:* rwm"]}),
        ({"cgroupnsMode": "private"}, {"CgroupnsMode": "private"}),
        ({"privileged": False}, {"Privileged": False}),
        ({"init": True}, {"Init": True}),
        ({"memory": 64.0, "memorySwap": -1.0}, {"Memory": 64 << 20, "MemorySwap": -1}),
        ({"shmSize": 1.0, "memorySwap": 2.0}, {"ShmSize": 1 << 20, "MemorySwap": 2 << 20}),
        ({"cpus": "1.5"}, {"NanoCpus": 1_500_000_000}),
        (
            {"restart": "on-failure", "maxRetryCount": 3.0},
            {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        ),
        ({}, {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "NetworkMode": "bridge"}),
        (
            {"logDriver": "json-file", "logOpts": {"max-size": "1m"}},
            {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}},
        ),
        ({"capabilities": {"adds": ["NET_ADMIN"]}}, {"CapAdd": ["NET_ADMIN"], "CapDrop": []}),
        (
            {"securityOpts": ["seccomp=unconfined", "systempaths=unconfined"]},
            {"SecurityOpt": ["seccomp=unconfined"], "MaskedPaths": [], "ReadonlyPaths": []},
        ),
        ({"tmpfs": {"/run": "", "/tmp": "mode=1777"}}, {"Tmpfs": {"/run": "", "/tmp": "mode=1777"}}),
        ({"sysctls": {"net.ipv4.ip_forward": "1"}}, {"Sysctls": {"net.ipv4.ip_forward": "1"}}),
        (
            {
                "devices": [
                    {"hostPath": "/dev/a"},
                    {"hostPath": "/dev/b", "containerPath": "/dev/c", "permissions": "r"},
                ]
            },
            {
                "Devices": [
                    {"PathOnHost": "/dev/a", "PathInContainer": "/dev/a", "CgroupPermissions": "rwm"},
                    {"PathOnHost": "/dev/b", "PathInContainer": "/dev/c", "CgroupPermissions": "r"},
                ]
            },
        ),
        (
            {"ulimits": [{"name": "memlock", "soft": -1.0, "hard": -1.0}]},
            {"Ulimits": [{"Name": "memlock", "Soft": -1, "Hard": -1}]},
        ),
        ({"hosts": [{"host": "registry", "ip": "10.0.0.1"}]}, {"ExtraHosts": ["registry:10.0.0.1"]}),
        (
            {
                "ports": [
                    {"internal": 22.0, "external": 22401.0, "ip": "127.0.0.1"},
                    {"internal": 53.0, "protocol": "udp"},
                ]
            },
            {
                "PortBindings": {
                    "22/tcp": [{"HostIp": "127.0.0.1", "HostPort": "22401"}],
                    "53/udp": [{"HostIp": "0.0.0.0", "HostPort": ""}],
                }
            },
        ),
        (
            {"mounts": [{"type": "bind", "source": "/a", "target": "/b", "readOnly": True}]},
            {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]},
        ),
        (
            {
                "mounts": [
                    {"type": "tmpfs", "target": "/b", "tmpfsOptions": {"sizeBytes": 5.0, "mode": 448.0}}
                ]
            },
            {
                "Mounts": [
                    {
                        "Type": "tmpfs",
                        "Source": "",
                        "Target": "/b",
                        "ReadOnly": False,
                        "TmpfsOptions": {"SizeBytes": 5, "Mode": 448},
                    }
                ]
            },
        ),
        (
            {
                "volumes": [
                    {"volumeName": "v", "containerPath": "/v"},
                    {"hostPath": "/h", "containerPath": "/c", "readOnly": True},
                    {"fromContainer": "other"},
                    {"containerPath": "/anonymous"},
                ]
            },
            {"Binds": ["v:/v:rw", "/h:/c:ro"], "VolumesFrom": ["other"]},
        ),
    ],
)
def test_host_configuration(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    sent = body.create_body(container(**inputs))["HostConfig"]
    assert {key: sent[key] for key in expected} == expected


def test_configuration_of_the_process() -> None:
    sent = body.create_body(
        container(
            command=["a", "b"],
            entrypoints=["e"],
            envs=["A=1"],
            labels=[{"label": "l", "value": "v"}],
            user="0:0",
            hostname="h",
            workingDir="/w",
            stopTimeout=9.0,
            healthcheck={"tests": ["CMD", "true"], "interval": "1m30s", "timeout": "500ms", "retries": 2.0},
        )
    )
    expected = {
        "Image": "i",
        "Cmd": ["a", "b"],
        "Entrypoint": ["e"],
        "Env": ["A=1"],
        "Labels": {"l": "v"},
        "User": "0:0",
        "Hostname": "h",
        "WorkingDir": "/w",
        "StopTimeout": 9,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 90 * 10**9, "Timeout": 5 * 10**8, "Retries": 2},
    }
    assert {key: sent[key] for key in expected} == expected


def test_what_is_not_set_is_left_to_the_engine() -> None:
    sent = body.create_body(container())
    assert not {"Cmd", "Entrypoint", "Env", "Hostname", "Healthcheck", "StopTimeout"} & set(sent)
    assert not {"Init", "ShmSize", "Memory", "IpcMode", "MaskedPaths"} & set(sent["HostConfig"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"cpus": "many"}, "cpus is 'many'"),
        ({"healthcheck": {"interval": "10"}}, "healthcheck.interval is '10'; it is a duration such as"),
        ({"volumes": [{"volumeName": "v"}]}, "volumes: an entry needs containerPath or fromContainer"),
        (
            {"mounts": [{"type": "bind", "source": "/a", "target": "/b", "tmpfsOptions": {}}]},
            "tmpfsOptions does not fit the mount at /b, a bind",
        ),
    ],
)
def test_values_without_meaning(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError) as caught:
        body.create_body(container(**inputs))
    assert message in str(caught.value)


def test_networks_are_joined_in_order_with_what_was_asked_for() -> None:
    networks = [
        {"name": "mgmt", "ipv4Address": "10.0.0.2", "aliases": ["n"]},
        {"name": "cable", "driverOpts": ["a=b=c"], "macAddress": "02:42:0a:00:00:02"},
    ]
    assert body.endpoints(container(networksAdvanced=networks)) == [
        ("mgmt", {"ipv4_address": "10.0.0.2", "aliases": ["n"]}),
        ("cable", {"driver_opt": {"a": "b=c"}, "mac_address": "02:42:0a:00:00:02"}),
    ]
    assert body.endpoints(container()) == []


def test_an_update_in_place_sends_restart_and_limits_only() -> None:
    assert body.update_arguments(container(memory=64.0, memorySwap=-1.0, cpuSet="0", hostname="h")) == {
        "restart_policy": {"Name": "no", "MaximumRetryCount": 0},
        "mem_limit": 64 << 20,
        "memswap_limit": -1,
        "cpuset_cpus": "0",
    }


def test_networks_arguments() -> None:
    inputs = {
        "name": "n",
        "ipamConfigs": [{"subnet": "10.0.0.0/24", "gateway": "10.0.0.1", "ipRange": "10.0.0.128/25"}],
        "labels": [{"label": "a", "value": "b"}],
        "options": {"o": "p"},
    }
    sent = create_arguments(schema.typed(spec.NETWORK.inputs, inputs))
    assert sent["ipam"]["Config"] == [
        {"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1", "IPRange": "10.0.0.128/25"}
    ]
    assert (sent["driver"], sent["labels"], sent["options"]) == ("bridge", {"a": "b"}, {"o": "p"})
    assert "ipam" not in create_arguments(schema.typed(spec.NETWORK.inputs, {"name": "n"}))
