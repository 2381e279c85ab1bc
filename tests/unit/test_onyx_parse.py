"""What the switch prints, read from recorded shapes, becomes the same typed values in every form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from onyx import parse, ports
from onyx.dialect import PROMPT, masked, refusal, release_number
from onyx.errors import UnexpectedAnswer
from onyx.state import Configuration, Kind, PfcTable, Setting, percent

FIXTURES = Path(__file__).parent.parent / "fixtures" / "onyx"
GUIDE_ECN = "ecn absolute 150 1500"


def text(case: str) -> str:
    return (FIXTURES / case).read_text()


def data(case: str) -> Any:
    return parse.json_answer(text(case))


def of_port(config: Configuration, port: str) -> dict[tuple[Kind, int], str]:
    return {(each.kind, each.number): value for each, value in config.values.items() if each.port == port}


def test_the_guides_running_config() -> None:
    config = parse.configuration(text("guide/show_running-config.txt"))
    assert {each: value for each, value in config.values.items() if each.port is None} == {
        Setting(Kind.HOSTNAME): "swx-mld-1-2",
        Setting(Kind.LLDP): "on",
        Setting(Kind.POOL_TYPE, "roce"): "lossless",
        Setting(Kind.POOL_MEMORY, "roce"): "50.00",
        Setting(Kind.POOL_PRIORITY, "roce", 3): "yes",
    }
    assert {each.port for each in config.values if each.port} == {f"1/{number}" for number in range(1, 33)}
    for number in range(1, 33):
        assert of_port(config, f"1/{number}") == {
            (Kind.TRUST, -1): "L3",
            (Kind.CONGESTION, 3): GUIDE_ECN,
            (Kind.SCHEDULING, 6): "strict",
        }
    assert not config.manual_buffers


def test_a_running_config_with_single_lines_and_other_settings() -> None:
    config = parse.configuration(text("mixed/show_running-config.txt"))
    assert config.pools() == ["lossy-two", "roce"]
    assert config.pool_priorities("roce") == [3, 4]
    assert config.get(Setting(Kind.POOL_MEMORY, "roce")) == "50.00"
    assert of_port(config, "1/1") == {
        (Kind.TRUST, -1): "L3",
        (Kind.CONGESTION, 3): GUIDE_ECN,
        (Kind.SCHEDULING, 6): "strict",
        (Kind.PORT_PFC, -1): "on",
    }
    assert of_port(config, "1/2") == {
        (Kind.TRUST, -1): "both",
        (Kind.CONGESTION, 2): "red relative 9 90",
        (Kind.CONGESTION, 3): "both relative 10 80",
        (Kind.SCHEDULING, 2): "strict",
        (Kind.SCHEDULING, 5): "wrr 20",
        (Kind.SCHEDULING, 6): "strict",
        (Kind.PORT_PFC, -1): "on",
    }
    assert of_port(config, "1/9/2") == {(Kind.TRUST, -1): "port"}
    assert of_port(config, "1/4") == {(Kind.PAUSE_RECEIVE, -1): "on"}
    assert of_port(config, "1/5") == {(Kind.LLDP_TRANSMIT, -1): "off"}
    assert of_port(config, "1/6") == {(Kind.LLDP_RECEIVE, -1): "off"}
    assert of_port(config, "1/7") == {}
    assert config.get(Setting(Kind.PFC)) == "on"
    assert config.get(Setting(Kind.PFC_PRIORITY, number=4)) == "yes"


def test_a_fresh_switch_has_nothing_of_ours() -> None:
    config = parse.configuration(text("fresh/show_running-config.txt"))
    assert config == Configuration({Setting(Kind.HOSTNAME): "switch-4f2a10"})


def test_manual_buffer_mode_is_seen() -> None:
    assert parse.configuration(text("fresh/manual_buffers.txt")).manual_buffers


def test_configuration_files() -> None:
    assert parse.file_names(text("fresh/show_configuration_files.txt")) == [
        "initial",
        "initial.bak",
        "rocestack-before",
        "rocestack-before-1-3",
        "rocestack-beforehand",
    ]


def test_release_in_both_layouts() -> None:
    assert parse.release(data("guide/show_version.json")) == "3.6.6004"
    assert parse.release(data("release-3.6.5/show_version.json")) == "3.6.5000"


@pytest.mark.parametrize(
    ("case", "pools"),
    [
        ("guide/show_traffic_pool_roce.json", {"roce": ("lossless", "50.00", {3})}),
        ("release-3.6.5/show_traffic_pool_roce.json", {"roce": ("lossless", "50.00", {3, 4})}),
        (
            "mixed/show_traffic_pool.json",
            {"lossy-two": ("lossy", "0.00", set()), "roce": ("lossless", "50.00", {3, 4})},
        ),
    ],
)
def test_pools(case: str, pools: dict[str, tuple[str, str, set[int]]]) -> None:
    expected = {}
    for name, (kind, share, priorities) in pools.items():
        expected[Setting(Kind.POOL_TYPE, name)] = kind
        expected[Setting(Kind.POOL_MEMORY, name)] = share
        expected |= {Setting(Kind.POOL_PRIORITY, name, number): "yes" for number in priorities}
    assert parse.pools(data(case)) == expected


@pytest.mark.parametrize(
    ("case", "classes"),
    [
        ("guide/show_congestion_control_1_1.json", {3: GUIDE_ECN}),
        ("release-3.6.5/show_congestion_control_1_1.json", {2: "red relative 9 90", 3: GUIDE_ECN}),
        (
            "mixed/show_congestion_control_1_2.json",
            {2: "red relative 9 90", 3: "both absolute 500 1550"},
        ),
    ],
)
def test_congestion(case: str, classes: dict[int, str]) -> None:
    expected = {Setting(Kind.CONGESTION, "1/1", number): value for number, value in classes.items()}
    assert parse.congestion_classes(data(case), "1/1") == expected


@pytest.mark.parametrize("folder", ["guide", "release-3.6.5"])
def test_trust_dscp_and_strict_classes_of_a_port(folder: str) -> None:
    qos = data(f"{folder}/show_qos_interface_ethernet_1_1.json")
    assert parse.trust(qos, "1/1") == "L3"
    assert parse.dscp_map(qos, "1/1")[26] == 3
    assert parse.strict_classes(data(f"{folder}/show_dcb_ets_1_1.json"), "1/1") == {6}


@pytest.mark.parametrize(
    ("case", "table"),
    [
        (
            "guide/show_dcb_pfc.json",
            PfcTable(True, frozenset({3}), {"1/1": "on", "1/2": "on"}, {"1/1": "enabled", "1/2": "disabled"}),
        ),
        (
            "release-3.8/show_dcb_pfc.txt",
            PfcTable(False, frozenset(), {"1/11/1": "auto"}, {"1/11/1": "disabled"}),
        ),
        (
            "release-3.6.5/show_dcb_pfc.json",
            PfcTable(
                True,
                frozenset({3, 4}),
                {"1/1": "on", "1/1/2": "auto"},
                {"1/1": "enabled", "1/1/2": "disabled"},
            ),
        ),
    ],
    ids=["two parts", "three parts and text before", "older layout"],
)
def test_pfc(case: str, table: PfcTable) -> None:
    assert parse.pfc_table(data(case)) == table


def test_neighbours() -> None:
    assert parse.neighbours(data("cabling/show_lldp_remote.json")) == {
        "1/1": "clx-mld-41.example",
        "1/2": "clx-mld-42",
    }
    assert parse.neighbours(data("cabling/show_lldp_remote_older.json")) == {"1/2": "clx-mld-42"}


def test_mac_table() -> None:
    assert parse.mac_table(data("cabling/show_mac_address_table.json")) == {
        "02:52:01:01:01:00": "1/1",
        "02:52:01:01:02:aa": "1/2/1",
        "00:40:a6:00:44:55": "1/7",
    }


def test_roce_mode() -> None:
    shown = text("release-3.10/show_roce_lossless.txt")
    assert parse.roce_mode(shown) == "lossless"
    assert parse.roce_facts(shown) == {"trust": "L3", "ecn": GUIDE_ECN, "pfc": "3", "strict": "6"}
    off = text("release-3.10/show_roce_off.txt")
    assert parse.roce_mode(off) == "none"
    assert set(parse.roce_facts(off).values()) == {"none"}
    with pytest.raises(UnexpectedAnswer, match='no "RoCE mode"'):
        parse.roce_mode("")


def test_secrets_and_licences_are_masked() -> None:
    lines = masked(text("mixed/show_running-config_secrets.txt")).splitlines()
    assert lines == [
        "   license install ********",
        "   username admin password 7 ********",
        "   radius-server key ********",
        "   tacacs-server host 10.0.0.1 key 7 ********",
        "   snmp-server community ********",
        "   traffic pool roce type lossless",
        "# ldap bind-password ********",
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("swx # show version\n", "where JSON was asked for"),
        ('{"Product release": ', "malformed"),
    ],
)
def test_an_answer_without_json(answer: str, says: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=says):
        parse.json_answer(answer)


def test_an_answer_about_something_else() -> None:
    with pytest.raises(UnexpectedAnswer, match="does not speak of port 1/2"):
        parse.trust(data("guide/show_qos_interface_ethernet_1_1.json"), "1/2")
    with pytest.raises(UnexpectedAnswer, match='has no "Product release"'):
        parse.release({"Product name": "Onyx"})


@pytest.mark.parametrize(
    ("written", "plain"),
    [("1/1", "1/1"), ("Eth1/1", "1/1"), ("ethernet 1/12", "1/12"), ("Eth1/1/2", "1/1/2")],
)
def test_port_names(written: str, plain: str) -> None:
    assert ports.normal(written) == plain


@pytest.mark.parametrize("written", ["", "1", "1/a", "Po1", "1/1-1/2"])
def test_what_is_no_port(written: str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        ports.normal(written)


@pytest.mark.parametrize(
    ("names", "ranges"),
    [
        (["1/2", "1/1"], ["1/1-1/2"]),
        (["1/1", "1/3"], ["1/1", "1/3"]),
        (["1/9", "1/10", "1/11", "1/1"], ["1/1", "1/9-1/11"]),
        (["1/1/1", "1/1/2"], ["1/1/1", "1/1/2"]),
        ([], []),
    ],
)
def test_collapse_and_expand_are_inverse(names: list[str], ranges: list[str]) -> None:
    assert ports.collapse(names) == ranges
    back = [name for each in ranges for name in ports.expand(each)]
    assert back == sorted(names, key=ports.order)


def test_a_range_over_two_modules_is_not_guessed() -> None:
    with pytest.raises(UnexpectedAnswer, match="range of ports"):
        ports.expand("1/1-2/3")


@pytest.mark.parametrize(("written", "normal"), [("50", "50.00"), ("50.0", "50.00"), ("12.5%", "12.50")])
def test_percent(written: str, normal: str) -> None:
    assert percent(written) == normal


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ('% Unrecognized command "x".\nType "?" for help.\n', '% Unrecognized command "x".'),
        ("text\n% Not now\n", "% Not now"),
        ("Memory [%]: 50\n100 % sure\n", None),
        ("", None),
    ],
)
def test_refusals(answer: str, refused: str | None) -> None:
    assert refusal(answer) == refused


@pytest.mark.parametrize(
    ("end", "is_prompt"),
    [
        ("swx-mld-1-2 [standalone: master] > ", True),
        ("swx-mld-1-2 [standalone: master] # ", True),
        ("swx-mld-1-2 [standalone: master] (config) # ", True),
        ("swx-mld-1-2 [standalone: master] (config interface ethernet 1/1-1/2) # ", True),
        ("# ldap bind-password ********", False),
        ("## Hostname: swx-mld-1-2", False),
        ("swx-mld-1-2 [standalone: master] > show version", False),
    ],
)
def test_prompts(end: str, is_prompt: bool) -> None:
    assert (re.search(PROMPT, f"line\n{end}") is not None) == is_prompt


def test_releases_compare_by_number() -> None:
    assert release_number("3.6.8012") > release_number("3.6.1002")
    assert release_number("3.10.4000") > release_number("3.8.2306")
    assert release_number("3.6.500-rc2") == (3, 6, 500)
