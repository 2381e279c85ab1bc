"""The simulated switch under any commands: what it prints and what it stores gives the same switch again."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.switch.onyx_cli.model import Switch, from_json, to_json
from lab.switch.onyx_cli.release import Release
from lab.switch.onyx_cli.session import Session
from lab.switch.onyx_cli.store import FileStore, MemoryStore
from tests.fabric import MemoryFabric

NEW = Release("3.8.2306")
# The machine decides how fast the examples are made; the same ones come in each run.
many = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
few = settings(many, max_examples=15)

digits = st.integers(0, 7)
names = st.sampled_from(["roce", "storage", "a"])
ports = st.sampled_from(["1/1", "1/2-1/4", "1/3", "1/3/1", "1/3/2-1/3/4", "1/1-1/32", "1/9-1/10", "1/32"])
percents = st.floats(0, 60).map(lambda value: f"{value:.2f}")
priorities = st.lists(digits, min_size=1, max_size=3).map(lambda found: " ".join(map(str, found)))
thresholds = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted)


def line(pattern: str, **parts: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.builds(pattern.format, **parts)


on_port = st.one_of(
    line("qos trust {mode}", mode=st.sampled_from(["port", "L2", "L3", "both"])),
    line("{no}qos rewrite {what}", no=st.sampled_from(["", "no "]), what=st.sampled_from(["pcp", "dscp"])),
    line(
        "traffic-class {tc} congestion-control {mode} minimum-{unit} {pair[0]} maximum-{unit} {pair[1]}",
        tc=digits,
        mode=st.sampled_from(["red", "ecn", "both"]),
        unit=st.sampled_from(["absolute", "relative"]),
        pair=thresholds,
    ),
    line("no traffic-class {tc} congestion-control", tc=digits),
    line("traffic-class {tc} dcb ets strict", tc=digits),
    line("traffic-class {tc} dcb ets wrr {weight}", tc=digits, weight=st.integers(1, 100)),
    line("no traffic-class {tc} dcb ets", tc=digits),
    line("traffic-class {tc} bind switch-priority {priorities}", tc=digits, priorities=priorities),
    line("no traffic-class {tc} bind switch-priority", tc=digits),
    line(
        "flowcontrol {way} {state} force",
        way=st.sampled_from(["send", "receive"]),
        state=st.sampled_from(["on", "off"]),
    ),
    line("{no}lldp {way}", no=st.sampled_from(["", "no "]), way=st.sampled_from(["transmit", "receive"])),
    line("mtu {mtu} force", mtu=st.integers(1500, 9216)),
    line("description {text}", text=st.sampled_from(["spare", "to the other rack", "x"])),
    st.just("dcb priority-flow-control mode on force"),
    st.sampled_from(
        [
            "no qos trust",
            "no dcb priority-flow-control mode force",
            "pfc-wd",
            "no pfc-wd",
            "shutdown",
            "shutdown",
            "no shutdown",
            "no description",
            "speed 25G force",
            "no speed",
            "module-type qsfp-split-4 force",
            "module-type qsfp force",
        ]
    ),
)
globally = st.one_of(
    line("hostname {name}", name=st.sampled_from(["sw-a", "sw-b"])),
    line("traffic pool {name} type {kind}", name=names, kind=st.sampled_from(["lossless", "lossy"])),
    line("traffic pool {name} memory percent {percent}", name=names, percent=percents),
    line("traffic pool {name} map switch-priority {priorities}", name=names, priorities=priorities),
    line("no traffic pool {name} map switch-priority {priority}", name=names, priority=digits),
    line("no traffic pool {name}", name=names),
    line("{no}dcb priority-flow-control priority {n} enable", no=st.sampled_from(["", "no "]), n=digits),
    line("{command} {n}", command=st.sampled_from(["vlan", "no vlan"]), n=st.integers(2, 5)),
    line("vlan {vlan} name {name}", vlan=st.integers(2, 5), name=names),
    line("default interface ethernet {ports}", ports=ports),
    st.sampled_from(
        [
            "lldp",
            "no lldp",
            "dcb priority-flow-control enable force",
            "no dcb priority-flow-control enable force",
            "no cli default prefix-modes enable",
            "cli default prefix-modes enable",
            "advanced buffer management force",
            "no advanced buffer management force",
            "roce",
            "roce lossy",
            "no roce",
            "license install KEY-1",
            "ntp server time.example",
        ]
    ),
)
on_ports = line("interface ethernet {ports} {rest}", ports=ports, rest=on_port)
# Half of the commands are about ports. Long lists, so that commands meet that bear on each other.
everywhere = st.booleans().flatmap(lambda port: on_ports if port else globally)
changes = st.lists(everywhere, min_size=10, max_size=40)


def configured(store: MemoryStore | FileStore, *lines: str) -> Session:
    cli = Session(store, MemoryFabric(), NEW)
    for each in ("enable", "configure terminal", *lines):
        cli.handle(each)
    return cli


@given(changes)
@many
def test_what_is_printed_configures_another_switch_alike(lines: list[str]) -> None:
    store = MemoryStore(Switch.factory("switch"))
    cli = configured(store, *lines)
    for form in ("show running-config", "show running-config expanded"):
        other = MemoryStore(Switch.factory("other"))
        copied = configured(other)
        for each in cli.handle(form).splitlines():
            assert copied.handle(each) == "", each
        assert other.switch.running == store.switch.running


@given(changes)
@many
def test_json_keeps_any_switch(lines: list[str]) -> None:
    store = MemoryStore(Switch.factory("switch", "boot"))
    configured(store, *lines, "configuration write to x no-switch")
    assert from_json(json.loads(json.dumps(to_json(store.switch)))) == store.switch


@given(changes, changes)
@many
def test_a_configuration_file_brings_back_what_was_written(before: list[str], after: list[str]) -> None:
    store = MemoryStore(Switch.factory("switch"))
    cli = configured(store, *before, "configuration write to kept no-switch")
    kept = copy.deepcopy(store.switch.running)
    for each in after:
        cli.handle(each)
    assert cli.handle("configuration switch-to kept") == ""
    assert store.switch.running == kept


@given(changes, changes)
@few
def test_a_restart_brings_back_what_was_saved(saved: list[str], lost: list[str]) -> None:
    with TemporaryDirectory() as folder:
        stores = [FileStore(Path(folder), boot, lambda: Switch.factory("switch")) for boot in ("one", "two")]
        cli = configured(stores[0], *saved, "configuration write")
        with stores[0].locked() as switch:
            kept = copy.deepcopy(switch.running)
        for each in lost:
            cli.handle(each)
        with stores[1].locked() as switch:
            assert switch.running == kept


@given(changes, everywhere)
@many
def test_a_refused_command_changes_nothing(lines: list[str], last: str) -> None:
    store = MemoryStore(Switch.factory("switch"))
    cli = configured(store, *lines)
    before = copy.deepcopy(store.switch)
    if cli.handle(last).startswith("%"):
        assert store.switch == before
