"""A stack without a lab: the settings say how each machine is reached, and what is missing is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.cluster import metal
from settings.loader import parse
from settings.models import Stack
from tests.components.harness import ROOT


def _metal_stack(private_key_file: Path) -> Stack:
    config = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]
    sections: dict[str, Any] = {key.partition(":")[2]: value for key, value in config.items()}
    for name in ("lab", "gpu", "ofed", "docker"):
        del sections[name]
    for number, host in enumerate(sections["hosts"], start=1):
        host |= {"address": f"192.0.2.{number}", "user": "ops", "host_key": f"ssh-ed25519 AAAA{number}"}
    sections["hosts"][1]["port"] = 2222
    sections["switch"] |= {"address": "192.0.2.99", "host_key": "ssh-rsa AAAAS", "password": "hunter2"}
    sections["dataset"] = {
        name: {"source": f"/archives/{name}.tar", "md5": "1" * 32} for name in ("train", "val", "lists")
    }
    sections["access"] = {"private_key_file": str(private_key_file)}
    return parse(sections, "Pulumi.metal.yaml")


def test_machines_come_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "id").write_text("-- a private key --")
    machines = metal(_metal_stack(tmp_path / "id"))
    host = machines.hosts["clx-mld-42"]
    assert (host.address, host.port, host.user) == ("192.0.2.2", 2222, "ops")
    assert host.private_key.get_secret_value() == "-- a private key --"
    assert Path(host.known_hosts_file).read_text().splitlines() == [
        "192.0.2.1 ssh-ed25519 AAAA1",
        "[192.0.2.2]:2222 ssh-ed25519 AAAA2",
    ]
    assert machines.switches["swx-mld-1-2"].password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(machines)
    assert machines.nodes == {}
    assert machines.standins == ()


def test_a_missing_key_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pulumi.RunError, match=r"access.private_key_file = '.*/none' cannot be read"):
        metal(_metal_stack(tmp_path / "none"))
