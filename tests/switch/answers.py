"""What a switch with a given configuration prints, in both JSON layouts; and configurations to try."""

from __future__ import annotations

import json
from typing import Any, Literal

from hypothesis import strategies as st

from onyx.diff import commands
from onyx.ports import expand
from onyx.state import Configuration, Kind, Setting, congestion
from onyx.wanted import Wanted

Layout = Literal["before 3.6.6000", "from 3.6.6000"]
LAYOUTS: tuple[Layout, ...] = ("before 3.6.6000", "from 3.6.6000")

WANTED = Wanted(
    hostname="swx-mld-1-2",
    ports=("1/1", "1/2"),
    pool="roce",
    pool_type="lossless",
    pool_memory_percent="50.00",
    pool_switch_priority=3,
    trust="L3",
    dscp_map=((26, 3), (48, 6)),
    ecn_traffic_class=3,
    ecn_minimum_kb=150,
    ecn_maximum_kb=1500,
    strict_traffic_class=6,
    pfc_priority=3,
)


def running_config(config: Configuration, expanded: bool) -> str:
    """Return `show running-config [expanded]`: the lines that lead from the defaults to `config`."""
    lines = [
        *("##", '## Running database "initial"', "## Generated at 2018/03/10 09:38:38 +0000", "##"),
        *("   no cli default prefix-modes enable", "   license install LK2-RESTRICTED-0000"),
    ]
    for line in commands(Configuration(), config):
        head, dash, rest = line.partition("-1/")
        if not (expanded and dash and line.startswith("interface ethernet ")):
            lines.append(f"   {line}")
            continue
        first = head.removeprefix("interface ethernet ")
        last, _, setting = rest.partition(" ")
        lines += [f"   interface ethernet {port} {setting}" for port in expand(f"{first}-1/{last}")]
    return "\r\n".join([*lines, "# radius-server key ********"])


def pool_answer(config: Configuration, layout: Layout) -> str:
    """Return `show traffic pool | json-print`."""
    data: dict[str, Any] = {}
    for name in config.pools():
        priorities = " ".join(str(number) for number in config.pool_priorities(name))
        facts = {
            "Type": config.get(Setting(Kind.POOL_TYPE, name)),
            "Switch Priorities": priorities or "N/A",
            "Memory [%]": config.get(Setting(Kind.POOL_MEMORY, name)),
            "Memory actual": "5.9M",
        }
        data[name] = [facts] if layout == "from 3.6.6000" else facts
    data["Exception list"] = {"message": "N/A"}
    return json.dumps(data)


def pfc_answer(config: Configuration, ports: list[str], layout: Layout) -> str:
    """Return `show dcb priority-flow-control | json-print`."""
    on = [n for n in range(8) if config.get(Setting(Kind.PFC_PRIORITY, number=n)) == "yes"]
    head = {
        "PFC": "enabled" if config.get(Setting(Kind.PFC)) == "on" else "disabled",
        "Priority Enabled List": " ".join(str(n) for n in on) or "N/A",
        "Priority Disabled List": " ".join(str(n) for n in range(8) if n not in on),
    }
    rows = {
        f"Eth{port}": [
            {"PFC admin": config.get(Setting(Kind.PORT_PFC, port)).capitalize(), "PFC oper": "Disabled"}
        ]
        for port in ports
    }
    if layout == "from 3.6.6000":
        return json.dumps([head, rows])
    return json.dumps({**head, "Table 1": {}, "Table 2": rows})


def qos_answer(config: Configuration, port: str, layout: Layout) -> str:
    """Return `show qos interface ethernet … | json-print`."""
    table = {
        f"{n}(0) {n}(1)": [{"switch-priority": str(n), "DSCP": " ".join(str(n * 8 + d) for d in range(8))}]
        for n in range(8)
    }
    parts = [
        {"Trust mode": config.get(Setting(Kind.TRUST, port)), "DSCP rewrite": "disabled"},
        {"PCP(DEI); DSCP to switch-priority mapping": [table]},
    ]
    return _by_port(port, parts, layout)


def ets_answer(config: Configuration, port: str, layout: Layout) -> str:
    """Return `show dcb ets interface ethernet … | json-print`."""
    modes = {n: config.get(Setting(Kind.SCHEDULING, port, n)) for n in range(8)}
    table = {
        str(n): [{"S.Mode": "Strict" if mode == "strict" else "WRR", "W": "12"}] for n, mode in modes.items()
    }
    parts = [
        {"Interface Bandwidth Shape [Mbps]": "N/A"},
        {"Flags": [{"W": "Weight"}]},
        {"ETS per TC": [table]},
    ]
    return _by_port(port, parts, layout)


def _by_port(port: str, parts: list[dict[str, Any]], layout: Layout) -> str:
    if layout == "from 3.6.6000":
        return json.dumps([{f"Eth{port}": parts}])
    return json.dumps({f"Eth{port}": {key: value for part in parts for key, value in part.items()}})


def congestion_answer(config: Configuration, port: str, layout: Layout) -> str:
    """Return `show interfaces ethernet … congestion-control | json-print`."""
    head = {"Interface ethernet": port, "ECN marked packets": "0"}
    classes: dict[str, dict[str, str]] = {}
    for n in range(8):
        value = config.get(Setting(Kind.CONGESTION, port, n))
        if value == "none":
            classes[f"TC-{n}"] = {"Mode": "none"}
            continue
        mode, unit, low, high = value.split()
        sign = " KB" if unit == "absolute" else "%"
        classes[f"TC-{n}"] = {
            "Mode": mode if mode == "both" else mode.upper(),
            "Threshold mode": unit,
            "Minimum threshold": f"{low}{sign}",
            "Maximum threshold": f"{high}{sign}",
        }
    if layout == "from 3.6.6000":
        return json.dumps([head, *({"header": name, **facts} for name, facts in classes.items())])
    return json.dumps({**head, **{name: [facts] for name, facts in classes.items()}})


PORTS = ("1/1", "1/2", "1/3", "1/9", "1/10", "1/31", "1/32")


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Return any configuration that a switch can have: a priority is in one pool, pools fit the memory."""
    values: dict[Setting, str] = {Setting(Kind.HOSTNAME): draw(st.sampled_from(["swx-a", "swx-b", "s3"]))}
    names = draw(st.lists(st.sampled_from(["roce", "storage", "p-3"]), unique=True))
    left = 100.0
    free = list(range(8))
    for name in names:
        values[Setting(Kind.POOL_TYPE, name)] = draw(st.sampled_from(["lossless", "lossy"]))
        share = draw(st.integers(0, int(left * 4))) / 4
        left -= share
        values[Setting(Kind.POOL_MEMORY, name)] = f"{share:.2f}"
        for number in draw(st.lists(st.sampled_from(free), unique=True, max_size=3)) if free else []:
            values[Setting(Kind.POOL_PRIORITY, name, number)] = "yes"
            free.remove(number)
    for kind in (Kind.LLDP, Kind.PFC):
        values[Setting(kind)] = draw(st.sampled_from(["on", "off"]))
    for number in draw(st.lists(st.integers(0, 7), unique=True, max_size=3)):
        values[Setting(Kind.PFC_PRIORITY, number=number)] = "yes"
    for port in draw(st.lists(st.sampled_from(PORTS), unique=True)):
        values |= draw(_port(port))
    return Configuration().changed(values)


@st.composite
def _port(draw: st.DrawFn, port: str) -> dict[Setting, str]:
    values = {Setting(Kind.TRUST, port): draw(st.sampled_from(["L2", "L3", "both", "port"]))}
    for number in draw(st.lists(st.integers(0, 7), unique=True, max_size=2)):
        mode = draw(st.sampled_from(["ecn", "red", "both"]))
        unit, top = draw(st.sampled_from([("absolute", 10000), ("relative", 100)]))
        low, high = sorted(draw(st.tuples(st.integers(0, top), st.integers(0, top))))
        values[Setting(Kind.CONGESTION, port, number)] = congestion(mode, unit, low, high)
    for number in draw(st.lists(st.integers(0, 7), unique=True, max_size=2)):
        values[Setting(Kind.SCHEDULING, port, number)] = draw(st.sampled_from(["strict", "wrr 20"]))
    if draw(st.booleans()):
        values[Setting(Kind.PORT_PFC, port)] = "on"
    else:
        for kind in (Kind.PAUSE_SEND, Kind.PAUSE_RECEIVE):
            values[Setting(kind, port)] = draw(st.sampled_from(["on", "off"]))
    for kind in (Kind.LLDP_TRANSMIT, Kind.LLDP_RECEIVE):
        values[Setting(kind, port)] = draw(st.sampled_from(["on", "off"]))
    return values
