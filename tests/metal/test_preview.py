"""`pulumi preview` of the reference stack with no machine reachable: all is planned, nothing is claimed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.metal.conftest import ROOT, Cli

STACK = "roce100g"
HOSTS = [f"clx-mld-{number}" for number in range(41, 49)]


@pytest.fixture
def config_file(tmp_path: Path, closed_port: int) -> Path:
    """Return the stack's file with loopback for every address, so that nothing else is ever asked."""
    document = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())
    config = document["config"]
    for machine in (*config["rocestack:hosts"], config["rocestack:switch"]):
        machine |= {"address": "127.0.0.1", "port": closed_port}
    config["rocestack:access"] = {"private_key_file": str(tmp_path / "no-key")}
    path = tmp_path / f"Pulumi.{STACK}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.smoke
def test_every_create_is_planned_and_up_refuses_placeholders(cli: Cli, config_file: Path) -> None:
    given = ("--stack", STACK, "--config-file", str(config_file))
    status, said = cli.run("stack", "init", STACK)
    assert status == 0, said
    status, said = cli.run("preview", *given)
    assert status == 0, said
    assert "Traceback" not in said
    assert "still placeholders: hosts[0].host_key" in said
    told = said.partition("\nDiagnostics:\n")[2]
    for host in HOSTS:
        assert told.count(f"{host} is unreachable") == 1, said
    assert told.count("access.private_key_file = ") == told.count("registry.ca_file = ") == 1, said

    status, plan = cli.run("preview", *given, "--json")
    assert status == 0, plan
    steps = json.loads(plan[plan.index("{") :])["steps"]
    assert {step["op"] for step in steps} == {"create"}
    names = {step["urn"].rsplit("::", 1)[-1] for step in steps}
    assert {f"{host}/docker_host.routes" for host in HOSTS} <= names
    assert {f"{HOSTS[index // 4]}/caffe2-shard-{index}" for index in range(32)} <= names

    status, said = cli.run("up", *given, "--yes", "--skip-preview")
    assert status != 0
    assert "still placeholders" in said
    assert "Traceback" not in said
    status, exported = cli.run("stack", "export", "--stack", STACK)
    left = json.loads(exported)["deployment"].get("resources") or []
    assert [one["type"] for one in left if one["type"] != "pulumi:pulumi:Stack"] == []
