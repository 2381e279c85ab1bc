"""The loader: the lab's own file is right, and everything wrong with another comes in one error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.loader import SettingsError, load_file, parse

LAB_FILE = Path(__file__).parents[2] / "Pulumi.lab.yaml"
Sections = dict[str, Any]


@pytest.fixture
def sections() -> Sections:
    """Return the lab's sections, the flavours of its vendors left out."""
    config = yaml.safe_load(LAB_FILE.read_text())["config"]
    everything = {key.partition(":")[2]: value for key, value in config.items()}
    return {name: value for name, value in everything.items() if name not in ("gpu", "ofed", "docker")}


def test_the_labs_file_loads() -> None:
    stack = load_file(LAB_FILE)
    assert [host.name for host in stack.hosts] == ["clx-mld-41", "clx-mld-42"]
    assert stack.data_cidr(stack.head) == "31.31.31.41/24"


def test_eight_hosts_load(sections: Sections) -> None:
    sections["hosts"] = [
        {
            "name": f"clx-mld-{40 + n}",
            "data_address": f"31.31.31.{40 + n}",
            "container_subnet": f"172.30.{40 + n}.0/24",
            "switch_port": f"1/{n}",
        }
        for n in range(1, 9)
    ]
    assert len(parse(sections, "x").hosts) == 8


def _set(*path: Any, value: Any) -> Callable[[Sections], None]:
    def change(sections: Sections) -> None:
        place: Any = sections
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


_PACKAGE = {"source": "/share/driver.deb", "sha256": "0" * 64}
_MIRROR = {
    "url": "http://mirror/docker/",
    "suite": "bookworm",
    "key_url": "http://mirror/docker/gpg",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            _set("bogus", value=1),
            "rocestack:bogus = 1: is not a known section; allowed: access, apt, dataset, docker, gpu",
        ),
        (_set("network", "speed", value=1), "rocestack:network.speed = 1: is not a known setting"),
        (
            _set("network", "mtu", value="big"),
            "rocestack:network.mtu = 'big': input should be a valid integer",
        ),
        (_set("network", "mtu", value=100_000), "less than or equal to 9216"),
        (_set("hosts", 1, "name", value="clx-mld-41"), "hosts[1].name = 'clx-mld-41': is also that of"),
        (
            _set("hosts", 1, "name", value="operator"),
            "hosts[1].name = 'operator': stands for the operator's machine; allowed is any other name",
        ),
        (_set("hosts", 1, "name", value="vendor"), "hosts[1].name = 'vendor': stands for the lab's vendors"),
        (_set("switch", "name", value="vendor"), "switch.name = 'vendor': stands for the lab's vendors"),
        (_set("hosts", 1, "switch_port", value="1/1"), "hosts[1].switch_port = '1/1': is also that of"),
        (_set("hosts", 1, "data_address", value="31.31.31.41"), "is also that of clx-mld-41"),
        (_set("hosts", 1, "data_address", value="10.0.0.1"), "is not in network.data_subnet"),
        (_set("hosts", 1, "data_address", value="31.31.31.255"), "is not a host's address"),
        (_set("hosts", 0, "container_subnet", value="31.31.31.0/25"), "overlaps network.data_subnet"),
        (_set("lab", "cable_subnet", value="172.30.0.0/16"), "overlaps hosts[0].container_subnet"),
        (_set("hosts", 0, "container_subnet", value="172.30.41.0/30"), "is too small for Docker's bridge"),
        (_set("hosts", 0, "address", value="10.1.1.1"), "is made by the lab; leave it out"),
        (_set("switch", "name", value="clx-mld-41"), "is also a host's name"),
        (_set("roce", "dscp", value=48), "dscp 48 maps to switch priority 6"),
        (_set("training", "epoch_size", value=8), "allowed is at least batch_size * shards = 32"),
        (_set("training", "num_layers", value=19), "is no ResNet depth; allowed: 18, 34"),
        (_set("training", "transport", value="smoke"), "input should be 'tcp'"),
        (_set("docker", value={"repository": _MIRROR}), "is of no use with docker.flavour docker.io"),
        (_set("docker", value={"runtime_version": "1.0"}), "is of no use with docker.runtime none"),
        (
            _set("docker", value={"runtime": "container-toolkit"}),
            "docker.runtime = 'container-toolkit': needs an",
        ),
        (_set("gpu", value={"driver": "local-repo", "version": "384.90"}), "allowed is 390 or later"),
        (_set("gpu", value={"driver": "none", "version": "390.12"}), "is of no use with gpu.driver none"),
        (_set("gpu", value={"driver": "repo", "package": _PACKAGE}), "gpu.package = '…': is of no use with"),
        (
            _set("image", value={"base": "debian:12"}),
            "image.base = '…': is of no use with image.flavour debian",
        ),
        (_set("image", value={"caffe2": {"commit": "main"}}), "image.caffe2.commit"),
        (_set("image", value={"flavour": "source", "base": "nvidia/cuda"}), "image.base = 'nvidia/cuda'"),
        (_set("image", value={"flavour": "source", "base_digest": "sha256:1"}), "image.base_digest"),
        (
            _set("image", value={"flavour": "source", "caffe2": {"cuda_arch_bin": []}}),
            "image.caffe2.cuda_arch_bin",
        ),
        (_set("lab", "vendor_port", value=22401), "is one of the SSH ports 22400 to 22402"),
        (
            _set("registry", value={"push_address": "10.0.0.1:5000", "ca_file": "ca.crt"}),
            "registry.address = None: is required with",
        ),
        (_set("registry", "server", value="head"), "input should be 'named' or 'head-host'"),
        (
            _set("registry", value={"server": "head-host", "ca_file": "ca.crt"}),
            "registry.ca_file = 'ca.crt': is of no use with registry.server head-host",
        ),
        (_set("registry", value={"server": "head-host", "port": 80}), "greater than or equal to 1024"),
        (
            _set("registry", value={"server": "head-host", "port": 5555}),
            "registry.port = 5555: is also training.redis_port on the head host",
        ),
        (_set("registry", value=None), "registry = None: is missing; image.distribution registry needs it"),
        (
            _set("image", "distribution", value="stream"),
            "is of no use with image.distribution stream; leave it out",
        ),
        (
            _set("image", "distribution", value="mail"),
            "input should be 'registry', 'stream' or 'build-everywhere'",
        ),
        (_set("hosts", value=[]), "at least 1"),
    ],
)
def test_one_wrong_value_is_one_clear_error(
    sections: Sections, change: Callable[[Sections], None], says: str
) -> None:
    change(sections)
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.lab.yaml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("Pulumi.lab.yaml has ")
    assert "nothing was changed" in str(caught.value)


@pytest.mark.parametrize(
    ("registry", "distribution"),
    [
        ({"server": "head-host"}, "registry"),
        ({"server": "head-host", "port": 5443}, "registry"),
        (None, "stream"),
    ],
)
def test_the_image_comes_without_a_registry_of_somebody(
    sections: Sections, registry: Sections | None, distribution: str
) -> None:
    sections["image"]["distribution"] = distribution
    del sections["registry"]
    if registry is not None:
        sections["registry"] = registry
    assert parse(sections, "x").image.distribution.value == distribution


def test_more_shards_than_gpus_are_refused() -> None:
    document = yaml.safe_load((LAB_FILE.with_name("Pulumi.roce100g.yaml")).read_text())
    sections = {key.partition(":")[2]: value for key, value in document["config"].items()}
    assert len(parse(sections, "Pulumi.roce100g.yaml").shards) == 32
    sections["training"]["shards_per_host"] = 5
    with pytest.raises(SettingsError, match=r"shards_per_host = 5: .* at most gpu.count = 4"):
        parse(sections, "Pulumi.roce100g.yaml")


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"package": None}, ["gpu.package"]),
        ({"version": None, "package": None}, ["gpu.version", "gpu.package"]),
        ({"driver": "repo", "package": None}, ["gpu.repository"]),
    ],
)
def test_a_driver_on_metal_needs_its_source(change: Sections, missing: list[str]) -> None:
    document = yaml.safe_load((LAB_FILE.with_name("Pulumi.roce100g.yaml")).read_text())
    sections = {key.partition(":")[2]: value for key, value in document["config"].items()}
    parse(sections, "Pulumi.roce100g.yaml")
    sections["gpu"] |= change
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.roce100g.yaml")
    assert [problem.path for problem in caught.value.problems] == missing


def test_all_errors_come_at_once(sections: Sections) -> None:
    sections["bogus"] = 1
    sections["network"]["mtu"] = "big"
    sections["roce"]["dscp"] = 48
    sections["hosts"][1]["name"] = "clx-mld-41"
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.lab.yaml")
    assert [problem.path for problem in caught.value.problems] == [
        "network.mtu",
        "roce",
        "bogus",
        "hosts[1].name",
    ]


def test_a_missing_section_is_named(sections: Sections) -> None:
    del sections["hosts"]
    with pytest.raises(SettingsError, match=r"rocestack:hosts = None: is missing"):
        parse(sections, "Pulumi.lab.yaml")


def test_metal_needs_addresses_and_host_keys(sections: Sections) -> None:
    del sections["lab"]
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.metal.yaml")
    assert {problem.path for problem in caught.value.problems} == {
        *(f"hosts[{index}].{field}" for index in (0, 1) for field in ("address", "host_key")),
        "access",
        *(f"dataset.{archive}" for archive in ("train", "val", "lists")),
        "switch.address",
        "switch.host_key",
        "switch.password",
    }


def test_metal_needs_the_sources_of_what_it_installs(sections: Sections) -> None:
    del sections["lab"]
    sections["gpu"] = {"driver": "repo"}
    sections["docker"] = {"flavour": "docker-ce", "runtime": "nvidia-docker"}
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.metal.yaml")
    said = str(caught.value)
    assert "docker.repository = None: is required with docker.flavour docker-ce" in said
    assert "docker.runtime_repository = None: is required with docker.runtime nvidia-docker" in said


def test_a_repository_of_docker_has_the_guides_key_unless_told_otherwise(sections: Sections) -> None:
    sections["docker"] = {"flavour": "docker-ce", "repository": _MIRROR}
    repository = parse(sections, "Pulumi.lab.yaml").docker.repository
    assert repository is not None
    assert repository.key_fingerprint == "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
    assert repository.components == ("stable",)


def test_a_password_is_never_shown(sections: Sections) -> None:
    sections["switch"]["password"] = ["hunter2"]
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.lab.yaml")
    assert "hunter2" not in str(caught.value)
    sections["switch"]["password"] = "hunter2"
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.lab.yaml")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "is no valid YAML"), ("a: 1", "has no `config:` mapping"), (None, "cannot be read")],
)
def test_an_unreadable_file_is_one_clear_error(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=says):
        load_file(path)


_ISO = {"source": "/share/MLNX_OFED.iso", "sha256": "a" * 64}


@pytest.mark.parametrize(
    ("ofed", "said"),
    [
        (
            {"flavour": "mlnx_ofed", "version": "4.2"},
            "ofed.iso = None: is required with ofed.flavour mlnx_ofed",
        ),
        (
            {"flavour": "mlnx_ofed", "iso": _ISO},
            "ofed.version = None: is required with ofed.flavour mlnx_ofed",
        ),
        (
            {"flavour": "doca_ofed", "version": "2.9"},
            "ofed.repository = None: is required with ofed.flavour doca",
        ),
        ({"flavour": "inbox", "iso": _ISO}, "is of no use with ofed.flavour inbox; leave it out"),
        ({"flavour": "inbox", "flags": ["--force"]}, "ofed.flags = '--force': are mlnxofedinstall's"),
        ({"allow_unobservable": ["ofed_stack.qos.pause"] * 2}, "names a fact twice"),
        (
            {"allow_unobservable": ["ofed_stack.qos.paus"]},
            "ofed.allow_unobservable[0] = 'ofed_stack.qos.paus'",
        ),
    ],
)
def test_the_rdma_stack_has_its_source_and_no_other(sections: Sections, ofed: Sections, said: str) -> None:
    del sections["lab"]
    with pytest.raises(SettingsError) as caught:
        parse({**sections, "ofed": ofed}, "Pulumi.lab.yaml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "ofed",
    [
        {"flavour": "mlnx_ofed", "version": "4.2", "iso": _ISO, "flags": ["--without-fw-update"]},
        {"flavour": "doca_ofed", "version": "2.9", "repository": {**_MIRROR, "key_fingerprint": "A" * 40}},
        {"allow_unobservable": ["ofed_stack.qos.pause", "ofed_stack.qos.traffic_class"]},
    ],
)
def test_a_right_rdma_stack_is_no_problem(sections: Sections, ofed: Sections) -> None:
    assert parse({**sections, "ofed": ofed}, "Pulumi.lab.yaml").ofed.flavour == ofed.get("flavour", "inbox")
