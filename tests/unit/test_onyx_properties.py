"""For any two configurations: the lines from one to the other lead there, back again, and read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, given, settings

from lab.switch.onyx_cli.faults import Fault
from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.session import Session as SwitchCli
from onyx import dialect, parse
from onyx.candidate import Before, give_back, impose, imposed
from onyx.diff import commands, differences, found_values
from onyx.state import Configuration, Kind, Setting
from tests.fabric import MemoryFabric
from tests.switch.answers import (
    LAYOUTS,
    PORTS,
    WANTED,
    configurations,
    congestion_answer,
    ets_answer,
    pfc_answer,
    pool_answer,
    qos_answer,
    running_config,
)

# Each example talks to the simulated switch in this process, whose speed the machine decides.
many = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


class _OneSession:
    """A store without other sessions: nothing is copied, which makes many examples cheap."""

    def __init__(self) -> None:
        self._switch = Switch.factory("fresh")

    @contextmanager
    def locked(self) -> Iterator[Switch]:
        yield self._switch

    @contextmanager
    def faults(self) -> Iterator[list[Fault]]:
        yield []


class Simulated:
    """The simulated switch with `config`, taking lines one by one."""

    def __init__(self, config: Configuration) -> None:
        self._cli = SwitchCli(_OneSession(), MemoryFabric())
        for line in (dialect.ENABLE, dialect.CONFIGURE):
            self._cli.handle(line)
        self.send(commands(self.running(), config))

    def send(self, lines: list[str]) -> None:
        for line in lines:
            assert self._cli.handle(line) == "", line

    def running(self, expanded: bool = False) -> Configuration:
        line = f"{dialect.SHOW_RUNNING} expanded" if expanded else dialect.SHOW_RUNNING
        return parse.configuration(self._cli.handle(line))


@many
@given(configurations(), configurations())
def test_the_lines_lead_there_and_back(one: Configuration, other: Configuration) -> None:
    switch = Simulated(one)
    assert switch.running() == one == switch.running(expanded=True)
    switch.send(commands(one, other))
    assert switch.running() == other
    switch.send(commands(other, one))
    assert switch.running() == one


@many
@given(configurations())
def test_no_line_leads_to_itself(config: Configuration) -> None:
    assert commands(config, config) == []


@settings(many, max_examples=8)
@given(configurations(), configurations())
def test_no_line_is_sent_in_vain(one: Configuration, other: Configuration) -> None:
    lines = commands(one, other)
    for left_out in range(len(lines)):
        switch = Simulated(one)
        for number, line in enumerate(lines):
            if number != left_out:
                # A refusal shows as well that the line left out was needed.
                switch._cli.handle(line)
        assert switch.running() != other, lines[left_out]


@many
@given(configurations())
def test_what_is_printed_reads_back(config: Configuration) -> None:
    for expanded in (False, True):
        assert parse.configuration(running_config(config, expanded)) == config


@many
@given(configurations())
def test_json_reads_back_in_both_layouts(config: Configuration) -> None:
    for layout in LAYOUTS:
        found = parse.pools(parse.json_answer(pool_answer(config, layout)))
        table = parse.pfc_table(parse.json_answer(pfc_answer(config, list(PORTS), layout)))
        if table.enabled:
            found[Setting(Kind.PFC)] = "on"
        found |= {Setting(Kind.PFC_PRIORITY, number=number): "yes" for number in table.priorities}
        for port in PORTS:
            found[Setting(Kind.PORT_PFC, port)] = table.admin[port]
            qos = parse.json_answer(qos_answer(config, port, layout))
            found[Setting(Kind.TRUST, port)] = parse.trust(qos, port)
            assert parse.dscp_map(qos, port) == {dscp: dscp // 8 for dscp in range(64)}
            found |= parse.congestion_classes(
                parse.json_answer(congestion_answer(config, port, layout)), port
            )
            strict = parse.strict_classes(parse.json_answer(ets_answer(config, port, layout)), port)
            found |= {Setting(Kind.SCHEDULING, port, number): "strict" for number in strict}
        # What these answers do not say: names, LLDP, global pause, weights.
        kinds = {each.kind for each in found}
        expected = {
            each: value
            for each, value in config.values.items()
            if each.kind in kinds and not value.startswith("wrr")
        }
        assert Configuration().changed(found).values == expected


@many
@given(configurations())
def test_our_settings_come_and_go_and_leave_all_else(config: Configuration) -> None:
    ours = impose(config, WANTED)
    assert differences(found_values(ours, WANTED), WANTED.lines()) == []
    assert impose(ours, WANTED) == ours
    changed = {each for each in {*config.values, *ours.values} if config.get(each) != ours.get(each)}
    pool = {each for each in changed if each.pool == WANTED.pool}
    assert changed <= {*imposed(WANTED), *pool}
    assert give_back(ours, WANTED, Before(config)) == config
