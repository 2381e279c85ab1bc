"""What the switch prints, read from recorded shapes, becomes the same typed values in every form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from onyx import parse, ports
from onyx.dialect import PROMPT, refusal, release_number
from onyx.errors import UnexpectedAnswer
from onyx.state import Congestion, Pool, Port, percent

FIXTURES = Path(__file__).parent.parent / "fixtures" / "onyx"


def text(case: str) -> str:
    return (FIXTURES / case).read_text()


def data(case: str) -> Any:
    return parse.json_answer(text(case))


GUIDE_ECN = Congestion("ecn", True, 150, 1500)


def test_the_guides_running_config() -> None:
    config = parse.running_config(text("guide/show_running-config.txt"))
    assert config.hostname == "swx-mld-1-2"
    assert config.pools == {"roce": Pool("lossless", "50.00", frozenset({3}))}
    assert sorted(config.ports, key=ports.order) == [f"1/{number}" for number in range(1, 33)]
    assert set(map(repr, config.ports.values())) == {repr(Port("L3", {3: GUIDE_ECN}, frozenset({6}), False))}
    assert (config.pfc, config.pfc_priorities, config.manual_buffers) == (False, frozenset(), False)


def test_a_running_config_with_single_lines_and_other_settings() -> None:
    config = parse.running_config(text("mixed/show_running-config.txt"))
    assert config.pools["roce"] == Pool("lossless", "50.00", frozenset({3, 4}))
    assert config.pools["lossy-two"] == Pool("lossy", "0.00", frozenset())
    assert config.port("1/1") == Port("L3", {3: GUIDE_ECN}, frozenset({6}), True)
    red, both = Congestion("red", False, 9, 90), Congestion("both", False, 10, 80)
    assert config.port("1/2") == Port("both", {2: red, 3: both}, frozenset({2, 6}), True)
    assert config.port("1/2").ecn == {3: both}
    assert config.port("1/9/2").trust == "port"
    assert config.port("1/7") == Port()
    assert (config.pfc, config.pfc_priorities) == (True, frozenset({3, 4}))


def test_a_fresh_switch_has_nothing_of_ours() -> None:
    config = parse.running_config(text("fresh/show_running-config.txt"))
    assert (config.hostname, config.pools, config.ports, config.pfc) == ("switch-4f2a10", {}, {}, False)


def test_manual_buffer_mode_is_seen() -> None:
    assert parse.running_config(text("fresh/manual_buffers.txt")).manual_buffers


def test_release() -> None:
    assert parse.release(data("guide/show_version.json")) == "3.6.6004"


@pytest.mark.parametrize(
    ("case", "pools"),
    [
        ("guide/show_traffic_pool_roce.json", {"roce": Pool("lossless", "50.00", frozenset({3}))}),
        (
            "mixed/show_traffic_pool.json",
            {
                "lossy-two": Pool("lossy", "0.00", frozenset()),
                "roce": Pool("lossless", "50.00", frozenset({3, 4})),
            },
        ),
    ],
)
def test_pools(case: str, pools: dict[str, Pool]) -> None:
    assert parse.pools(data(case)) == pools


@pytest.mark.parametrize(
    ("case", "classes"),
    [
        ("guide/show_congestion_control_1_1.json", {3: GUIDE_ECN}),
        (
            "mixed/show_congestion_control_1_2.json",
            {2: Congestion("red", False, 9, 90), 3: Congestion("both", True, 500, 1550)},
        ),
    ],
)
def test_congestion(case: str, classes: dict[int, Congestion]) -> None:
    assert parse.congestion(data(case)) == classes


def test_trust_and_strict_classes_of_a_port() -> None:
    assert parse.trust(data("guide/show_qos_interface_ethernet_1_1.json"), "1/1") == "L3"
    assert parse.strict(data("guide/show_dcb_ets_1_1.json"), "1/1") == frozenset({6})


def test_pfc_with_two_elements() -> None:
    table = parse.pfc_table(data("guide/show_dcb_pfc.json"))
    assert (table.enabled, table.priorities) == (True, frozenset({3}))
    assert table.admin == {"1/1": "on", "1/2": "on"}
    assert table.oper == {"1/1": "enabled", "1/2": "disabled"}


def test_pfc_with_three_elements_and_text_before() -> None:
    table = parse.pfc_table(data("release-3.8/show_dcb_pfc.txt"))
    assert (table.enabled, table.priorities) == (False, frozenset())
    assert table.admin == {"1/11/1": "auto"}


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
