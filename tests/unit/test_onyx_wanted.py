"""The settings' flat lines: what is read, what is passed over, and how wrong ones are refused."""

from __future__ import annotations

import pytest

from onyx.errors import WantedError
from onyx.wanted import parse_lines, read_access, read_wanted

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
    "ecn_traffic_class": "3",
    "ecn_minimum_kb": "150",
    "ecn_maximum_kb": "1500",
    "strict_traffic_class": "6",
    "pfc_priority": "3",
}


def test_values_are_normal_forms() -> None:
    lines = read_wanted(GOOD).lines()
    assert lines == {
        **{key: value for key, value in GOOD.items() if key not in ("address", "port", "user", "host_key")},
        "ports": "1/1,1/2",
        "pool_memory_percent": "50.00",
    }
    assert read_wanted({**GOOD, **lines}).lines() == lines


def test_access_keeps_the_password_out_of_its_text() -> None:
    access = read_access(GOOD, "very-secret")
    assert (access.address, access.port, access.user) == ("127.0.0.1", 22400, "admin")
    assert (access.ports, access.pool) == (("1/1", "1/2"), "roce")
    assert "very-secret" not in repr(access)


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
        read_access({**GOOD, key: value}, "x")


def test_a_missing_setting() -> None:
    with pytest.raises(WantedError, match="'trust' is missing"):
        read_wanted({key: value for key, value in GOOD.items() if key != "trust"})
