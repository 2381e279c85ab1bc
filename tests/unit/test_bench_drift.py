"""The drift bench: ratios, goals, table, plot, and what the peers' answers say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.drift_report import Row, failures, read_rows, table, write_rows
from bench.light.hosts import addresses
from bench.peers.tools import ansible_differing, pyinfra_differing
from bench.plot import svg
from bench.servers import BenchError

SECONDS = {"program": 4.0, "floor": 1.0, "empty": 0.5, "idle": 2.5, "pyinfra": 12.0, "ansible": 80.0}
NAMES = ["light-000", "light-001", "light-002"]


def _row(hosts: int = 64, memory: float = 300.0, **seconds: float) -> Row:
    taken = {**SECONDS, **seconds}
    return Row(hosts, 1000, taken, dict.fromkeys(taken, 3), memory, "2030-01-02 03:04", (0.5, 1.0))


def test_ratios() -> None:
    row = _row()
    assert row.bound == 3.5
    assert row.each_resource == 2.0
    assert row.each_host == 62.5
    assert (row.times("ansible"), row.times("pyinfra"), row.times("chef")) == (20.0, 3.0, None)


def test_all_goals_met_at_their_limits() -> None:
    assert failures([_row(program=4.0), _row(256, program=16.0)]) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (_row(ansible=79.0), "64 hosts: 19.8 times as fast as ansible, wanted 20"),
        (_row(pyinfra=11.0), "64 hosts: 2.8 times as fast as pyinfra, wanted 3"),
        (_row(idle=1.0), "64 hosts: 2.00 times floor and idle, wanted at most 1.5"),
        (_row(memory=301.0), "64 hosts: the program took 301 MB, wanted at most 300"),
        (_row(256, program=17.0), "256 hosts: 66 ms a host, 62 ms at 64"),
    ],
)
def test_each_goal_that_is_missed_is_said(row: Row, said: str) -> None:
    rows = [row, _row(256, program=0.1)] if row.hosts == 64 else [_row(), row]
    assert failures(rows) == [said]


def test_the_ratios_are_goals_at_64_hosts_alone() -> None:
    assert failures([_row(8, program=60.0), _row(), _row(256)]) == []


def test_a_number_of_hosts_that_was_not_measured_meets_no_goal() -> None:
    assert failures([_row(8)]) == ["64 hosts: not measured", "256 hosts: not measured"]


def test_a_peer_that_was_not_measured_is_named_so() -> None:
    row = _row()
    row = Row(**{**vars(row), "seconds": {k: v for k, v in SECONDS.items() if k != "ansible"}})
    assert failures([row, _row(256)]) == ["64 hosts: ansible not measured"]
    assert "| 12.0 s, 3.0 times | not measured |" in table([row])


def test_table_names_rounds_that_were_fewer() -> None:
    row = _row()
    row = Row(**{**vars(row), "rounds": {**row.rounds, "ansible": 1}})
    line = table([row]).splitlines()[-1]
    assert line == (
        "| 64 | 1000 | **4.0 s** | 62 ms | 12.0 s, 3.0 times | 80.0 s, 20.0 times | 1.0 s | 0.5 s | 2.5 s "
        "| 2.0 ms | 1.14 | 300 MB | 3 (ansible 1) | 2030-01-02 03:04, 0.5 to 1.0 |"
    )


def test_rows_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    assert read_rows(path) == []
    write_rows(path, [_row(), _row(8)])
    assert read_rows(path) == [_row(), _row(8)]


def test_plot_has_each_series_and_its_points() -> None:
    text = svg({"a & b": [(8, 1.0), (64, 5.0), (256, 50.0)], "none": []}, "T < 1", "hosts", "seconds")
    root = ET.fromstring(text)
    words = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a & b", "T < 1", "hosts", "seconds", "8", "64", "256", "1", "10", "100"} <= set(words)
    assert "none" not in words
    # Three points and the legend's.
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 4


def test_plot_goes_up_and_to_the_right() -> None:
    root = ET.fromstring(svg({"a": [(8, 1.0), (64, 5.0)]}, "t", "x", "y"))
    places = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in root.iter() if "cx" in one.attrib]
    assert places[0][0] < places[1][0]
    assert places[0][1] > places[1][1]


def test_plot_of_one_point_and_of_none() -> None:
    ET.fromstring(svg({"a": [(8, 1.0)]}, "t", "x", "y"))
    with pytest.raises(ValueError, match="nothing to draw"):
        svg({"a": []}, "t", "x", "y")


def test_addresses_stay_within_a_byte() -> None:
    assert addresses(0) == ("10.143.0.1", "31.31.0.1")
    assert addresses(249) == ("10.143.0.250", "31.31.0.250")
    assert addresses(250) == ("10.143.1.1", "31.31.1.1")


RECAP = """\
PLAY RECAP *********************************************************************
light-000                  : ok=4    changed=0    unreachable=0    failed=1    skipped=0    rescued=0
light-001                  : ok=13   changed=1    unreachable=0    failed=0    skipped=0    rescued=0
light-002                  : ok=13   changed=0    unreachable=0    failed=0    skipped=0    rescued=0
"""
DRY = """\
--> Preparing operation files...
    Loading: deploy.py
    [light-002] Ready: deploy.py
    [light-000] Ready: deploy.py
    [light-001] Ready: deploy.py

--> Detected changes:
    Operation                                       Change                     Conditional Change
    Nouveau is blacklisted                          -                          -
    mtu: found 1500, wanted 9000                    2 (light-000, light-001)   -
    The unit that brings the qos back at boot       -                          -
"""


def test_ansible_names_hosts_that_changed_or_failed() -> None:
    assert ansible_differing(RECAP, NAMES) == {"light-000", "light-001"}


def test_pyinfra_names_hosts_that_would_change() -> None:
    assert pyinfra_differing(DRY, NAMES) == {"light-000", "light-001"}


def test_no_change_is_no_difference() -> None:
    assert ansible_differing(RECAP, NAMES) - {"light-000", "light-001"} == set()
    assert pyinfra_differing(DRY.replace("2 (light-000, light-001)", "-"), NAMES) == set()


@pytest.mark.parametrize("names", [["light-003"], [*NAMES, "light-003"]])
def test_a_host_of_which_nothing_is_said_is_an_error(names: list[str]) -> None:
    for judge, text in ((ansible_differing, RECAP), (pyinfra_differing, DRY)):
        with pytest.raises(BenchError, match="does not say how all hosts are"):
            judge(text, names)
    with pytest.raises(BenchError, match="does not say"):
        pyinfra_differing(DRY.replace("Detected changes", ""), NAMES)
