"""The settings' flat lines: what is read, what is passed over, and how wrong ones are refused."""

from __future__ import annotations

import pytest

from onyx.errors import WantedError
from onyx.wanted import (
    JUMP_KEY_VARIABLE,
    KEY_VARIABLE,
    PASSWORD_VARIABLE,
    Wanted,
    parse_lines,
    read_access,
    read_former,
    read_wanted,
)

GOOD = {
    "address": "127.0.0.1",
    "port": "22400",
    "user": "admin",
    "host_key": "ssh-ed25519 AAAAC3Nz switch",
    "hostname": "swx-mld-1-2",
    "ports": "1/2,Eth1/1",
    "pool": "roce",
    "pool_type": "lossless",
    "pool_memory_percent": "50",
    "pool_switch_priority": "3",
    "trust": "L3",
    "dscp_map": "48=6 26=3",
    "roce": "none",
    "minimum_release": "3.6.1002",
    "ecn_traffic_class": "3",
    "ecn_minimum_kb": "150",
    "ecn_maximum_kb": "1500",
    "strict_traffic_class": "6",
    "pfc_priority": "3",
}


PASSWORD = {PASSWORD_VARIABLE: "very-secret"}


def test_values_are_normal_forms() -> None:
    lines = read_wanted(GOOD).lines()
    assert lines == {
        **{key: value for key, value in GOOD.items() if key not in ("address", "port", "user", "host_key")},
        "ports": "1/1,1/2",
        "pool_memory_percent": "50.00",
        "dscp_map": "26=3 48=6",
        "lldp": "on",
        "global_pause": "off",
        "saved": "yes",
    }
    assert read_wanted({**GOOD, **lines}).lines() == lines


def test_access_keeps_the_password_out_of_its_text() -> None:
    access = read_access(GOOD, PASSWORD)
    assert (access.address, access.port, access.user) == ("127.0.0.1", 22400, "admin")
    assert (access.transport, access.password, access.jump) == ("ssh", "very-secret", None)
    assert "very-secret" not in repr(access)


def test_access_by_key_past_a_jump_host() -> None:
    lines = {
        "jump_address": "gate",
        "jump_port": "22",
        "jump_user": "ops",
        "jump_host_key": "ssh-ed25519 AAAAJ",
    }
    access = read_access({**GOOD, **lines}, {KEY_VARIABLE: "the-key", JUMP_KEY_VARIABLE: "another-key"})
    assert access.jump is not None
    assert (access.private_key, access.jump.user, access.jump.private_key) == (
        "the-key",
        "ops",
        "another-key",
    )
    assert "-key'" not in repr(access)


def test_access_over_https() -> None:
    lines = {**GOOD, "transport": "json-api", "certificate_sha256": ":".join(["AB"] * 32)}
    del lines["host_key"]
    access = read_access(lines, PASSWORD)
    assert (access.transport, access.certificate_sha256, access.host_key) == ("json-api", "ab" * 32, "")


def test_what_was_ours_until_now() -> None:
    wanted = read_wanted({**GOOD, "former_ports": "1/1,1/2,1/9"})
    former = read_former({**GOOD, "former_ports": "1/9,1/1,1/2", "former_pfc_priority": "4"}, wanted)
    assert isinstance(former, Wanted)
    assert (former.ports, former.pfc_priority, former.pool) == (("1/1", "1/2", "1/9"), 4, "roce")
    assert read_former(GOOD, wanted) is None


@pytest.mark.parametrize(
    ("lines", "secrets", "says"),
    [
        ({}, {}, "set the variable ROCESTACK_SWITCH_PASSWORD .or ROCESTACK_SWITCH_KEY"),
        ({"transport": "json-api"}, {KEY_VARIABLE: "k"}, "set the variable ROCESTACK_SWITCH_PASSWORD$"),
        ({"transport": "telnet"}, PASSWORD, "allowed is one of ssh, json-api"),
        ({"transport": "json-api", "certificate_sha256": "ab"}, PASSWORD, "allowed are 32 bytes as hex"),
        ({"jump_address": "gate"}, PASSWORD, "set the variable ROCESTACK_JUMP_KEY"),
    ],
)
def test_access_that_cannot_be(lines: dict[str, str], secrets: dict[str, str], says: str) -> None:
    with pytest.raises(WantedError, match=says):
        read_access({**GOOD, **lines}, secrets)


def test_lines_that_are_no_settings_are_passed_over() -> None:
    text = "drift_trust: 'found L2, wanted L3'\ngeneration: '2'\nnode: '1'\npool: 'it''s'\n"
    assert parse_lines(text) == {"pool": "it's"}


def test_a_malformed_line_is_named_but_not_repeated() -> None:
    with pytest.raises(WantedError, match="line 2 is not a setting line") as caught:
        parse_lines("pool: 'roce'\npassword hunter2\n")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("trust", "L4", "allowed is one of L2, L3, both, port"),
        ("pool_type", "fast", "allowed is one of lossless, lossy"),
        ("pool_memory_percent", "half", "allowed is a percentage"),
        ("pool_memory_percent", "101", "at most 100 per cent"),
        ("pool_memory_percent", "0", "more than 0"),
        ("pfc_priority", "8", "a whole number from 0 to 7"),
        ("ecn_minimum_kb", "1501", "must not exceed ecn_maximum_kb 1500"),
        ("ports", "1/1,x", "is not a port"),
        ("hostname", "two words", "allowed is one word"),
        ("frobnicate", "1", "unknown setting 'frobnicate'"),
        ("dscp_map", "26", "allowed are pairs such as 26=3"),
        ("roce", "on", "allowed is one of none, lossless, semi-lossless"),
        ("minimum_release", "new", "allowed is a release such as"),
        ("saved", "no", "allowed is one of yes"),
    ],
)
def test_wrong_settings(key: str, value: str, says: str) -> None:
    with pytest.raises(WantedError, match=says):
        read_wanted({**GOOD, key: value})


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("port", "70000", "from 1 to 65535"),
        ("host_key", "AAAA", "allowed is a public host key"),
        ("address", "a b", "allowed is one word"),
    ],
)
def test_wrong_access(key: str, value: str, says: str) -> None:
    with pytest.raises(WantedError, match=says):
        read_access({**GOOD, key: value}, PASSWORD)


def test_a_missing_setting() -> None:
    with pytest.raises(WantedError, match="'trust' is missing"):
        read_wanted({key: value for key, value in GOOD.items() if key != "trust"})
