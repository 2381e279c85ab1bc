"""The section of the switch: its ports, its two ways of transport, and what does not go together."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.loader import SettingsError, parse
from settings.models import Stack
from settings.switch import Switch

LAB_FILE = Path(__file__).parents[2] / "Pulumi.lab.yaml"
DIGEST = ":".join(["AB"] * 32)


def lab(**switch: Any) -> Stack:
    config = yaml.safe_load(LAB_FILE.read_text())["config"]
    sections = copy.deepcopy({key.partition(":")[2]: value for key, value in config.items()})
    sections["switch"] |= switch
    return parse(sections, "Pulumi.x.yaml")


def metal(**switch: Any) -> Stack:
    config = yaml.safe_load(LAB_FILE.read_text())["config"]
    sections = copy.deepcopy({key.partition(":")[2]: value for key, value in config.items()})
    for name in ("lab", "gpu", "ofed", "docker"):
        del sections[name]
    sections["access"] = {"private_key_file": "/k"}
    sections["dataset"] = {
        name: {"source": f"/archives/{name}.tar", "md5": "1" * 32} for name in ("train", "val", "lists")
    }
    for host in sections["hosts"]:
        host |= {"address": "192.0.2.1", "host_key": "ssh-ed25519 AAAA"}
    sections["switch"] |= {"address": "192.0.2.9", **switch}
    return parse(sections, "Pulumi.x.yaml")


@pytest.mark.parametrize(
    ("ranges", "names"),
    [
        ((), ()),
        (("1/2", "1/1"), ("1/1", "1/2")),
        (("1/9-1/11", "1/10"), ("1/9", "1/10", "1/11")),
        (("1/1/1-1/1/4",), ("1/1/1", "1/1/2", "1/1/3", "1/1/4")),
    ],
)
def test_ports_one_by_one(ranges: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert Switch(name="s", qos_ports=ranges).port_names() == names


def test_the_guides_ports() -> None:
    assert len(lab(qos_ports=["1/1-1/32"]).switch.port_names()) == 32


def test_the_port_follows_the_transport() -> None:
    login = {"transport": "json-api", "certificate_sha256": DIGEST, "password": "x"}
    assert metal(**login).switch.reached_port == 443
    assert metal(**login, port=8443).switch.reached_port == 8443
    assert metal(host_key="ssh-rsa AAAA", private_key_file="/k").switch.reached_port == 22


@pytest.mark.parametrize(
    ("switch", "says"),
    [
        ({"qos_ports": ["1/2-1/32"]}, "hosts[0].switch_port = '1/1': is not among switch.qos_ports"),
        ({"qos_ports": ["1/1", "1/2", "1/9-2/3"]}, "switch.qos_ports[2] = '1/9-2/3': is no range"),
        ({"qos_ports": ["1/1", "1/2", "1/9-1/3"]}, "switch.qos_ports[2] = '1/9-1/3': is no range"),
        ({"qos_ports": ["Eth1/1"]}, "switch.qos_ports[0] = 'Eth1/1'"),
        ({"transport": "json-api"}, "is not what the lab's switch speaks: ssh"),
        ({"certificate_sha256": DIGEST}, "switch.certificate_sha256 = 'AB:"),
        ({"private_key_file": "/k"}, "switch.private_key_file = '/k': is made by the lab"),
        ({"minimum_release": "new"}, "switch.minimum_release = 'new'"),
    ],
)
def test_what_a_lab_refuses(switch: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        lab(**switch)
    assert says in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("switch", "says"),
    [
        ({"host_key": "ssh-rsa AAAA"}, ["switch.password = None: is required"]),
        ({"password": "x"}, ["switch.host_key = None: is required"]),
        (
            {"transport": "json-api", "private_key_file": "/k"},
            [
                "switch.certificate_sha256 = None: is required",
                "switch.password = None: is required",
                "switch.private_key_file = '/k': is for SSH",
            ],
        ),
    ],
)
def test_what_metal_needs(switch: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        metal(**switch)
    assert len(caught.value.problems) == len(says)
    for each in says:
        assert each in str(caught.value)


def test_the_one_command_knows_one_profile() -> None:
    assert lab(roce_command=True).switch.roce_command
    config = yaml.safe_load(LAB_FILE.read_text())["config"]
    sections = copy.deepcopy({key.partition(":")[2]: value for key, value in config.items()})
    sections["switch"]["roce_command"] = True
    sections["roce"]["ecn"]["minimum_kb"] = 200
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.x.yaml")
    assert "rocestack:roce.ecn = 'minimum_kb=200 maximum_kb=1500': is not what" in str(caught.value)
