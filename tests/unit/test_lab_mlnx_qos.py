"""The stand-in for mlnx_qos: state, output and refusals as the original's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.standins import mlnx_qos

FIXTURES = Path(__file__).parents[1] / "fixtures" / "mlnx_qos" / "standin"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "net" / "enp1f0" / "ecn").mkdir(parents=True)
    (tmp_path / "net" / "eth0").mkdir()
    monkeypatch.setattr(mlnx_qos, "STATE", tmp_path / "state")
    monkeypatch.setattr(mlnx_qos, "CARDS", tmp_path / "net")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mlnx_qos", *arguments])
        code = 0
        try:
            mlnx_qos.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, capsys.readouterr().out

    return call


GUIDE = (
    ("--trust", "dscp"),
    ("-f", "0,0,0,1,0,0,0,0"),
    ("-s", "ets,ets,ets,ets,ets,ets,strict,ets", "-t", "10,10,10,50,10,5,0,5"),
)


@pytest.mark.parametrize(("case", "changes"), [("fresh", ()), ("guide", GUIDE)])
def test_output(run: Run, case: str, changes: tuple[tuple[str, ...], ...]) -> None:
    for change in changes:
        assert run("-i", "enp1f0", *change)[0] == 0
    assert run("-i", "enp1f0") == (0, (FIXTURES / f"{case}.txt").read_text())


def test_the_same_change_twice_is_the_same_state(run: Run) -> None:
    once = run("-i", "enp1f0", *GUIDE[1])
    assert run("-i", "enp1f0", *GUIDE[1]) == once


@pytest.mark.parametrize(
    ("arguments", "first_line"),
    [
        (["-i", "enp1f0", "-f", "0,0,0,1"], "pfc list must have 8 items"),
        (["-i", "enp1f0", "-f", "0,0,0,1,0,0,0,0,0"], "Too many items for PFC"),
        (["-i", "enp1f0", "-f", "0,0,0,2,0,0,0,0"], "Bad value for PFC: 2 is not in the range 0..1"),
        (["-i", "enp1f0", "--trust", "port"], "Invalid trust state command. Refer to the help."),
        (["-i", "enp1f0", "--dscp2prio", "set,64,3"], "Invalid dscp2prio command. Refer to the help."),
        (["-i", "enp1f0", "--dscp2prio", "del,26,3"], "dscp2prio command failed"),
        (
            ["-i", "enp1f0", "--trust", "dscp", "--dscp2prio", "set,26,3"],
            "trust and dscp2prio commands cannot be used at the same time.",
        ),
        (["-i", "enp1f0", "-s", "ets,ets"], "tsa list must have 8 items"),
        (["-i", "enp1f0", "-t", "0,0,0,50,0,0,0,0"], "ETS BW for a strict/vendor TC must be 0"),
        (
            ["-i", "enp1f0", "-s", ",".join(["ets"] * 8), "-t", "10,10,10,10,10,10,10,10"],
            "Netlink error: Bad value. see dmesg.",
        ),
        (["-i", "eth0", "--trust", "dscp"], "Netlink error: Operation not supported (95)"),
        (["-i", "eth0"], "Priority trust state is not supported on your system"),
        (["-i", "enp1f0", "extra"], "Bad arguments"),
        ([], "Interface name is required"),
    ],
)
def test_refusals_change_nothing(run: Run, arguments: list[str], first_line: str) -> None:
    code, output = run(*arguments)
    assert (code, output.splitlines()[0]) == (1, first_line)
    assert run("-i", "enp1f0") == (0, (FIXTURES / "fresh.txt").read_text())


def test_what_came_before_a_refusal_stays(run: Run) -> None:
    assert run("-i", "enp1f0", "-f", "0,0,0,1,0,0,0,0", "--trust", "port")[0] == 1
    assert run("-i", "enp1f0", "-P", "3") == (0, "1\n")


def test_only_root_changes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run("-i", "enp1f0", "--trust", "dscp") == (1, "Netlink error: Operation not permitted (1)\n")
    assert run("-i", "enp1f0")[0] == 0


def test_the_last_dscp_entry_takes_the_trust_with_it(run: Run) -> None:
    assert "Priority trust state: dscp" in run("-i", "enp1f0", "--dscp2prio", "set,26,3")[1]
    assert "\tprio:3 dscp:26,\n" in run("-i", "enp1f0")[1]
    assert "Priority trust state: pcp" in run("-i", "enp1f0", "--dscp2prio", "del,26,3")[1]
