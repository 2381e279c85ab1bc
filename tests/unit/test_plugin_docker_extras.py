"""The docker plugin: devices, limits of their traffic, and files put into a container."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.common import diff, schema
from engine.plugins.common.errors import PluginError
from engine.plugins.docker import container_body, container_extras, container_state, spec
from engine.plugins.docker.container import Container
from engine.plugins.docker.functions import found_network
from engine.plugins.docker.host import Host


def container(**inputs: Any) -> dict[str, Any]:
    return schema.typed(spec.CONTAINER.inputs, {"name": "n", "image": "i", **inputs})


def sent(**inputs: Any) -> dict[str, Any]:
    body: dict[str, Any] = container_body.create_body(container(**inputs))["HostConfig"]
    return body


@pytest.mark.parametrize(
    ("text", "count", "ids"),
    [
        ("all", -1, None),
        ("2", 2, None),
        ("device=0,2", 0, ["0", "2"]),
        ("device=GPU-3a23c669", 0, ["GPU-3a23c669"]),
        ('"device=0,2"', 0, ["0", "2"]),
    ],
)
def test_gpus(text: str, count: int, ids: list[str] | None) -> None:
    assert sent(gpus=text)["DeviceRequests"] == [
        {"Driver": "", "Count": count, "DeviceIDs": ids, "Capabilities": [["gpu"]], "Options": {}}
    ]


@pytest.mark.parametrize("text", ["some", "device=", "driver=nvidia"])
def test_gpus_without_meaning(text: str) -> None:
    with pytest.raises(PluginError, match="allowed are 'all', a number, or 'device="):
        sent(gpus=text)


def test_device_requests() -> None:
    nvidia = {"driver": "nvidia", "count": -1.0, "capabilities": ["gpu", "compute"], "options": {"a": "b"}}
    cdi = {"deviceIds": ["nvidia.com/gpu=all"]}
    assert sent(deviceRequests=[nvidia, cdi])["DeviceRequests"] == [
        {
            "Driver": "nvidia",
            "Count": -1,
            "DeviceIDs": None,
            "Capabilities": [["gpu", "compute"]],
            "Options": {"a": "b"},
        },
        {
            "Driver": "cdi",
            "Count": 0,
            "DeviceIDs": ["nvidia.com/gpu=all"],
            "Capabilities": None,
            "Options": {},
        },
    ]
    assert sent()["DeviceRequests"] == []


@pytest.mark.parametrize(("name", "key"), list(container_extras.THROTTLES.items()))
def test_limits_of_device_traffic(name: str, key: str) -> None:
    body = sent(**{name: [{"path": "/dev/sda", "rate": 1024.0}]})
    assert body[key] == [{"Path": "/dev/sda", "Rate": 1024}]
    assert key not in sent()


def test_cpu_time_and_self_removal() -> None:
    body = sent(cpuPeriod=50000.0, cpuQuota=25000.0, rm=True)
    assert (body["CpuPeriod"], body["CpuQuota"], body["AutoRemove"]) == (50000, 25000, True)
    arguments = container_body.update_arguments(container(cpuPeriod=50000.0, cpuQuota=25000.0))
    assert (arguments["cpu_period"], arguments["cpu_quota"]) == (50000, 25000)


def test_more_memory_brings_more_swap_as_when_the_container_is_made() -> None:
    assert container_body.update_arguments(container(memory=64.0))["memswap_limit"] == 128 << 20
    given = container_body.update_arguments(container(memory=64.0, memorySwap=70.0))
    assert given["memswap_limit"] == 70 << 20
    assert "memswap_limit" not in container_body.update_arguments(container())


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"gpus": "all"}, None),
        ({"gpus": "all", "deviceRequests": [{"driver": "cdi"}]}, "gpus"),
        ({"rm": True}, None),
        ({"rm": True, "attach": True}, "rm"),
        ({"uploads": [{"file": "/a", "content": "x"}]}, None),
        ({"uploads": [{"file": "/a"}]}, "uploads[0]"),
        (
            {"uploads": [{"file": "/a", "content": "x"}, {"file": "/b", "content": "x", "source": "y"}]},
            "uploads[1]",
        ),
    ],
)
def test_inputs_that_exclude_each_other(inputs: dict[str, Any], path: str | None) -> None:
    found = Container(Host()).problems({"name": "n", "image": "i", **inputs})
    assert [item for item, _ in found] == ([path] if path else [])


def test_the_archive_of_the_uploads(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"\0binary")
    uploads = [
        {"file": "/b", "contentBase64": "AAE=", "executable": True},
        {"file": "/deep/a", "content": "ü", "permissions": "0600", "owner": "7", "group": "root"},
        {"file": "/c", "source": str(source)},
    ]
    data = container_extras.archive(container(uploads=uploads)["uploads"])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {
            item.name: (item.mode, item.uid, item.gid, tar.extractfile(item).read())  # type: ignore[union-attr]
            for item in tar.getmembers()
        }
    assert found == {
        "b": (0o744, 0, 0, b"\0\1"),
        "c": (0o644, 0, 0, b"\0binary"),
        "deep/a": (0o600, 7, 0, "ü".encode()),
    }


@pytest.mark.parametrize(
    ("upload", "reason"),
    [
        ({"content": "x", "permissions": "rw"}, "permissions of /a are 'rw'; they are octal"),
        ({"content": "x", "owner": "nobody-knows"}, "this machine knows no owner 'nobody-knows'"),
        ({"contentBase64": "%"}, "contentBase64 of /a is no base64"),
        ({"source": "/nowhere/file"}, "cannot read source /nowhere/file"),
    ],
)
def test_uploads_that_cannot_be_made(upload: dict[str, Any], reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        container_extras.archive(container(uploads=[{"file": "/a", **upload}])["uploads"])
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "needed"),
    [
        ({}, []),
        (
            {"platform": "linux/amd64", "cgroupnsMode": "host"},
            [("platform", "1.41"), ("cgroupnsMode", "1.41")],
        ),
        ({"healthcheck": {"interval": "1s"}}, []),
        ({"healthcheck": {"startInterval": "1s"}}, [("healthcheck.startInterval", "1.44")]),
        (
            {"mounts": [{"type": "volume", "target": "/a", "volumeOptions": {"subpath": "b"}}]},
            [("mounts.volumeOptions.subpath", "1.45")],
        ),
    ],
)
def test_what_only_newer_engines_serve(inputs: dict[str, Any], needed: list[tuple[str, str]]) -> None:
    assert container_body.needs(container(**inputs)) == needed


def test_a_volume_is_relabelled_and_a_part_of_it_is_mounted() -> None:
    volume = {"hostPath": "/h", "containerPath": "/c", "readOnly": True, "selinuxRelabel": "Z"}
    assert sent(volumes=[volume])["Binds"] == ["/h:/c:ro,Z"]
    mount = {"type": "volume", "source": "v", "target": "/a", "volumeOptions": {"subpath": "b"}}
    assert sent(mounts=[mount])["Mounts"][0]["VolumeOptions"]["Subpath"] == "b"


# What a change means.


@pytest.mark.parametrize(
    ("olds", "news", "replaced"),
    [
        ({"cpuQuota": 1.0}, {"cpuQuota": 2.0}, set()),
        ({"memory": 64.0}, {"memory": 65.0}, set()),
        ({"memory": 64.0}, {}, {"memory"}),
        ({"cpuSet": "0"}, {}, {"cpuSet"}),
        ({"maxRetryCount": 3.0}, {}, set()),
        ({"rm": True}, {"rm": False}, {"rm"}),
        ({}, {"gpus": "all"}, {"gpus"}),
        ({"platform": "linux/amd64"}, {"platform": "linux/arm64"}, {"platform"}),
        (
            {"deviceReadBps": [{"path": "/dev/a", "rate": 1.0}]},
            {"deviceReadBps": [{"path": "/dev/a", "rate": 2.0}]},
            {"deviceReadBps[0]"},
        ),
        (
            {"uploads": [{"file": "/a", "content": "x"}]},
            {"uploads": [{"file": "/a", "content": "y"}]},
            {"uploads[0]"},
        ),
    ],
)
def test_what_needs_a_new_container(olds: dict[str, Any], news: dict[str, Any], replaced: set[str]) -> None:
    changes = diff.compare(spec.CONTAINER.inputs, olds, news)
    assert changes
    assert Container(Host()).must_replace(changes, {}) == replaced


# What is read back.


def info(**host: Any) -> dict[str, Any]:
    return {
        "Name": "/n",
        "Image": "sha256:1",
        "Config": {"Image": "i"},
        "HostConfig": {"RestartPolicy": {"Name": "no"}, **host},
        "State": {"Running": True},
    }


@pytest.mark.parametrize(
    ("inputs", "there", "other"),
    [
        (
            {"gpus": "all"},
            {
                "DeviceRequests": [
                    {
                        "Driver": "",
                        "Count": -1,
                        "DeviceIDs": None,
                        "Capabilities": [["gpu"]],
                        "Options": {},
                    }
                ]
            },
            {"DeviceRequests": None},
        ),
        (
            {"deviceReadBps": [{"path": "/dev/a", "rate": 1.0}]},
            {"BlkioDeviceReadBps": [{"Path": "/dev/a", "Rate": 1}]},
            {"BlkioDeviceReadBps": [{"Path": "/dev/a", "Rate": 2}]},
        ),
        ({"cpuQuota": 5.0}, {"CpuQuota": 5}, {"CpuQuota": 6}),
        ({"rm": True}, {"AutoRemove": True}, {"AutoRemove": False}),
        (
            {"ports": [{"internal": 80.0, "external": 8080.0}]},
            {"PortBindings": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}},
            {"PortBindings": {}},
        ),
    ],
)
def test_a_difference_is_seen_and_sameness_is_none(
    inputs: dict[str, Any], there: dict[str, Any], other: dict[str, Any]
) -> None:
    inputs = {"name": "n", "image": "i", "__defaults": [], **inputs}
    assert container_state.observed(inputs, info(**there)) == inputs
    assert container_state.observed(inputs, info(**other)) != inputs


def test_the_ports_that_the_engine_chose() -> None:
    inputs = {
        "ports": [
            {"internal": 80.0, "ip": "127.0.0.1"},
            {"internal": 81.0, "external": 9.0},
            {"internal": 82.0},
        ]
    }
    there = info()
    there["NetworkSettings"] = {
        "Ports": {
            "80/tcp": [{"HostIp": "::1", "HostPort": "1"}, {"HostIp": "127.0.0.1", "HostPort": "32768"}],
            "82/tcp": None,
        }
    }
    found = container_state.bound_ports(inputs, there)["ports"]
    assert [item.get("external") for item in found] == [32768, 9.0, None]
    assert container_state.bound_ports({}, there) == {}


def test_the_answer_of_get_network() -> None:
    answer = found_network(
        {
            "Id": "id",
            "Name": "n",
            "Driver": "bridge",
            "Scope": "local",
            "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.0.0.0/24"}]},
            "Containers": {
                "c": {
                    "Name": "one",
                    "EndpointID": "e",
                    "MacAddress": "02:42:0a:00:00:02",
                    "IPv4Address": "10.0.0.2/24",
                    "IPv6Address": "",
                }
            },
        }
    )
    assert answer["ipamConfigs"] == [{"subnet": "10.0.0.0/24"}]
    assert (answer["id"], answer["scope"], answer["internal"]) == ("id", "local", False)
    assert answer["containers"][0]["ipv4Address"] == "10.0.0.2/24"
