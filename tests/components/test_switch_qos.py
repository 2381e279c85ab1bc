"""The switch's step: which ports, which login, and what ceases to be ours, told exactly once."""

from __future__ import annotations

from typing import Any

from pulumi.runtime import rpc
from pydantic import SecretStr

from components.switch_qos import login, secrets
from facts.checkpoint import Checkpoint
from settings import flat
from settings.models import Stack, SwitchAccess
from settings.switch import JumpHost, SwitchTransport
from tests.components.harness import Program, World, lab_stack

STEP = "swx-mld-1-2/switch_qos.roce"


def stdin(stack: Stack, before: Program | None = None, found: dict[str, str] | None = None) -> dict[str, str]:
    return flat.parse(program(stack, before, found).stdin(STEP))


def program(stack: Stack, before: Program | None = None, found: dict[str, str] | None = None) -> Program:
    checkpoint = before.checkpoint() if before is not None else Checkpoint()
    switches_found = {"swx-mld-1-2": found} if found is not None else {}
    return Program(World(stack, checkpoint=checkpoint, switches_found=switches_found))


def changed(**sections: dict[str, Any]) -> Stack:
    stack = lab_stack()
    return stack.model_copy(
        update={name: getattr(stack, name).model_copy(update=values) for name, values in sections.items()}
    )


def test_only_the_wired_ports_by_default() -> None:
    assert stdin(lab_stack())["ports"] == "1/1,1/2"


def test_the_guides_ports_if_the_stack_says_so() -> None:
    ports = stdin(changed(switch={"qos_ports": ("1/1-1/32",)}))["ports"]
    assert ports == ",".join(f"1/{number}" for number in range(1, 33))


def test_a_port_that_leaves_is_told_once() -> None:
    first = program(changed(switch={"qos_ports": ("1/1-1/4",)}))
    fewer = changed(switch={"qos_ports": ("1/1-1/2",)})
    second = program(fewer, first)
    lines = flat.parse(second.stdin(STEP))
    assert (lines["ports"], lines["former_ports"]) == ("1/1,1/2", "1/1,1/2,1/3,1/4")
    third = program(fewer, second)
    assert third.stdin(STEP) == second.stdin(STEP)
    # A later repair has nothing to give back: what is on those ports now is someone else's.
    found = {key: value for key, value in lines.items() if not key.startswith("former_")}
    repaired = stdin(fewer, third, {**found, "trust": "L2"})
    assert repaired["generation"] == "2"
    assert "former_ports" not in repaired
    assert not [key for key in stdin(lab_stack()) if key.startswith("former_")]


def test_in_sync_with_a_former_line_stays_in_sync() -> None:
    first = program(changed(switch={"qos_ports": ("1/1-1/4",)}))
    second = program(lab_stack(), first)
    lines = flat.parse(second.stdin(STEP))
    third = program(lab_stack(), second, {key: lines[key] for key in ("trust", "ports", "pool", "saved")})
    assert third.stdin(STEP) == second.stdin(STEP)


def test_another_priority_tells_the_former_one() -> None:
    first = program(lab_stack())
    other = {"switch_priority": 4, "traffic_class": 4, "dscp": 34}
    lines = stdin(changed(roce=other), first)
    assert {key: value for key, value in lines.items() if key.startswith("former_")} == {
        "former_pool_switch_priority": "3",
        "former_ecn_traffic_class": "3",
        "former_pfc_priority": "3",
    }


def test_what_nobody_saved_is_drift() -> None:
    first = program(lab_stack())
    lines = flat.parse(first.stdin(STEP))
    again = stdin(lab_stack(), first, {**lines, "saved": "no"})
    assert again["drift_saved"] == "found no, wanted yes (repair 1)"


def test_the_secrets_are_in_the_environment_alone() -> None:
    made = program(lab_stack())
    assert "-- a password --" not in made.stdin(STEP)
    environment = made.by_name[STEP].inputs["environment"]
    assert rpc.is_rpc_secret(environment)
    assert rpc.unwrap_rpc_secret(environment) == {"ROCESTACK_SWITCH_PASSWORD": "-- a password --"}


def test_the_ways_to_the_switch() -> None:
    jump = JumpHost(address="gate", user="ops", host_key="ssh-ed25519 AAAAJ")
    by_key = SwitchAccess(
        name="s",
        address="a",
        port=22,
        user="admin",
        host_key="ssh-rsa AAAA",
        private_key=SecretStr("k"),
        jump=jump,
        jump_key=SecretStr("j"),
    )
    assert login(by_key) == {
        "address": "a",
        "port": "22",
        "user": "admin",
        "host_key": "ssh-rsa AAAA",
        "jump_address": "gate",
        "jump_port": "22",
        "jump_user": "ops",
        "jump_host_key": "ssh-ed25519 AAAAJ",
    }
    assert secrets(by_key) == {"ROCESTACK_SWITCH_KEY": "k", "ROCESTACK_JUMP_KEY": "j"}
    over_https = SwitchAccess(
        name="s",
        address="a",
        port=443,
        user="admin",
        transport=SwitchTransport.JSON_API,
        certificate_sha256="ab",
        password=SecretStr("p"),
    )
    assert login(over_https) == {
        "address": "a",
        "port": "443",
        "user": "admin",
        "transport": "json-api",
        "certificate_sha256": "ab",
    }
