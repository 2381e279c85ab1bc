"""New hosts that are not fit: all that is wrong with all of them in one error, before anything else."""

from __future__ import annotations

import pulumi
import pytest

from components.preflight import check_fitness, new_hosts, problems
from facts.checkpoint import Checkpoint
from facts.observe import HostObservation
from tests.components.harness import Program, World, lab_stack

STEP = "gpu_host.preflight"
NEW = frozenset({"clx-mld-41", "clx-mld-42", "clx-mld-43"})


def _seen(host: str, said: str) -> HostObservation:
    return HostObservation(host, "reachable", facts={STEP: {"stack": "", "problems": said}})


FIT = _seen("clx-mld-41", "")
UNFIT = _seen("clx-mld-42", "it runs debian10|there is no GPU of NVIDIA on its PCI bus (lspci -d 10de:)")
SILENT = HostObservation("clx-mld-43", "unreachable", reason="connection refused")
ODD = HostObservation("clx-mld-43", "reachable", unobservable={STEP: "no /etc/os-release"})


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This is no preview."""
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: False)
    return monkeypatch


def test_fit_hosts_are_no_problem(running: pytest.MonkeyPatch) -> None:
    check_fitness({"clx-mld-41": FIT}, NEW, frozenset())


def test_everything_wrong_comes_at_once(running: pytest.MonkeyPatch) -> None:
    seen = {one.host: one for one in (FIT, UNFIT, SILENT)}
    with pytest.raises(pulumi.RunError) as caught:
        check_fitness(seen, NEW, frozenset())
    assert str(caught.value).splitlines() == [
        "New hosts are not fit for this stack, 3 problems; nothing was changed:",
        "  clx-mld-42: it runs debian10",
        "  clx-mld-42: there is no GPU of NVIDIA on its PCI bus (lspci -d 10de:)",
        "  clx-mld-43: it does not answer (connection refused)",
        "Hint: put these right, then run up again; docs/how-to/metal.md has what a host needs.",
    ]


def test_a_check_that_failed_is_a_problem() -> None:
    assert problems({"clx-mld-43": ODD}, NEW, frozenset()) == [
        "clx-mld-43: it could not be checked (no /etc/os-release)"
    ]


def test_a_host_that_has_something_of_ours_is_none_of_these() -> None:
    assert problems({one.host: one for one in (UNFIT, SILENT)}, frozenset(), frozenset()) == []


def test_a_lab_node_may_still_be_starting() -> None:
    assert problems({"clx-mld-43": SILENT}, NEW, frozenset({"clx-mld-43"})) == []


def test_a_preview_warns_and_plans_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: True)
    monkeypatch.setattr("pulumi.log.warn", lambda text, *_: told.append(text))
    check_fitness({one.host: one for one in (UNFIT, SILENT)}, NEW, frozenset())
    assert [text.partition(":")[0] for text in told] == ["clx-mld-42", "clx-mld-42"]


def test_a_host_is_new_until_its_first_step() -> None:
    hosts = ["clx-mld-41", "clx-mld-42"]
    assert new_hosts(Checkpoint(), hosts) == set(hosts)
    applied = Program(World(lab_stack())).checkpoint()
    assert new_hosts(applied, [*hosts, "clx-mld-43"]) == {"clx-mld-43"}
