"""What the switch shows: every `show` command gives data for `| json-print` and text for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import running_config
from .grammar import ENABLE, EXEC, Rule, rule
from .model import (
    DEFAULT_WEIGHTS,
    PORT_COUNT,
    TRAFFIC_CLASSES,
    Config,
    Pool,
    Port,
    Refused,
    Switch,
    port_names,
)
from .ports import Link

RELEASE = "3.6.8012"
_BUILD_DATE = "2019-01-10 12:08:31"
# The buffer that the pools share; the switch reports what a pool really has of it.
_BUFFER_MEGABYTES = 11.8
_RULER = "-" * 60


@dataclass(frozen=True)
class View:
    """What a show command may look at: the switch, its links, and the date to print."""

    switch: Switch
    link: Callable[[str], Link]
    now: str

    @property
    def config(self) -> Config:
        """The configuration that runs."""
        return self.switch.running


@dataclass(frozen=True)
class Shown:
    """An answer: its text, and its data where the command knows `| json-print`."""

    text: str
    data: Any = None


def _version(_view: View) -> Shown:
    data = {
        "Product name": "Onyx",
        "Product release": RELEASE,
        "Build ID": "#1-dev",
        "Build date": _BUILD_DATE,
        "Target arch": "x86_64",
        "Target hw": "x86_64",
        "Built by": "lab@stand-in",
        "Version summary": f"X86_64 {RELEASE} {_BUILD_DATE} x86_64",
        "Product model": "x86onie",
        "Host ID": "000000000000",
        "System serial num": "STAND-IN",
        "System UUID": "00000000-0000-0000-0000-000000000000",
    }
    return Shown("\n".join(f"{key + ':':<19}{value}" for key, value in data.items()), data)


def _hosts(view: View) -> Shown:
    name = view.config.hostname
    return Shown(f"Hostname: {name}\nName server: none\nDomain name: none")


def _running(view: View) -> Shown:
    return _configuration(view, view.config, expanded=False)


def _running_expanded(view: View) -> Shown:
    return _configuration(view, view.config, expanded=True)


def _saved(view: View) -> Shown:
    return _configuration(view, view.switch.files[view.switch.active], expanded=False)


def _configuration(view: View, config: Config, expanded: bool) -> Shown:
    return Shown(running_config.render(config, view.switch.active, view.now, expanded))


def _files(view: View) -> Shown:
    names = sorted(view.switch.files)
    return Shown("\n".join(f"{name} (active)" if name == view.switch.active else name for name in names))


def _pools(view: View) -> Shown:
    return _pool_answer(view.config.pools)


def _pool_named(view: View, name: str) -> Shown:
    if name not in view.config.pools:
        raise Refused(f"% Traffic pool {name} does not exist.")
    return _pool_answer({name: view.config.pools[name]})


def _pool_answer(pools: dict[str, Pool]) -> Shown:
    data: dict[str, Any] = {name: [_pool_facts(pool)] for name, pool in sorted(pools.items())}
    data["Exception list"] = {"message": "N/A"}
    lines = []
    for name, pool in sorted(pools.items()):
        lines += [f"Traffic pool: {name}", *_fields(_pool_facts(pool)), ""]
    return Shown("\n".join([*lines, "Exception list:", "N/A"]), data)


def _pool_facts(pool: Pool) -> dict[str, str]:
    return {
        "Type": pool.type,
        "Switch Priorities": _listed(pool.priorities),
        "Memory [%]": f"{pool.memory:.2f}",
        "Memory actual": f"{pool.memory * _BUFFER_MEGABYTES / 100:.1f}M",
        "Usage": "0",
        "Max Usage": "0",
    }


def _listed(numbers: list[int]) -> str:
    return " ".join(str(number) for number in numbers) if numbers else "N/A"


def _fields(facts: dict[str, str]) -> list[str]:
    return [f"  {key + ':':<24}{value}" for key, value in facts.items()]


def _qos(view: View, name: str) -> Shown:
    port = _one_port(view, name)
    facts = {
        "Trust mode": port.trust,
        "Default switch-priority": "0",
        "Default PCP": "0",
        "Default DEI": "0",
        "PCP,DEI rewrite": "disabled",
        "IP PCP;DEI rewrite": "enable",
        "DSCP rewrite": "disabled",
    }
    mapping = {
        f"{priority}(0) {priority}(1)": [
            {
                "switch-priority": str(priority),
                "DSCP": " ".join(str(dscp) for dscp in range(priority * 8, priority * 8 + 8)),
            }
        ]
        for priority in TRAFFIC_CLASSES
    }
    data = [{f"Eth{name}": [facts, {"PCP(DEI); DSCP to switch-priority mapping": [mapping]}]}]
    rows = [f"  {key:<12}{facts['switch-priority']:<18}{facts['DSCP']}" for key, (facts,) in mapping.items()]
    table = ["  PCP(DEI)    switch-priority   DSCP", f"  {_RULER}", *rows]
    return Shown("\n".join([f"Eth{name}", *_fields(facts), "", *table]), data)


def _congestion(view: View, name: str) -> Shown:
    port = _one_port(view, name)
    data: list[dict[str, str]] = [{"Interface ethernet": name, "ECN marked packets": "0"}]
    for tc in TRAFFIC_CLASSES:
        data.append({"header": f"TC-{tc}", **_congestion_facts(port, tc)})
    lines = [f"Interface ethernet {name}", "  ECN marked packets: 0"]
    for each in data[1:]:
        facts = {key: value for key, value in each.items() if key != "header"}
        lines += [f"  {each['header']}", *(f"  {line}" for line in _fields(facts))]
    return Shown("\n".join(lines), data)


def _congestion_facts(port: Port, tc: int) -> dict[str, str]:
    if tc not in port.congestion:
        return {"Mode": "none"}
    each = port.congestion[tc]
    unit = " KB" if each.unit == "absolute" else "%"
    return {
        "Mode": each.mode if each.mode == "both" else each.mode.upper(),
        "Threshold mode": each.unit,
        "Minimum threshold": f"{each.minimum}{unit}",
        "Maximum threshold": f"{each.maximum}{unit}",
        "RED dropped packets": "0",
    }


def _ets(view: View, name: str) -> Shown:
    port = _one_port(view, name)
    weights = {tc: _weight(port, tc) for tc in TRAFFIC_CLASSES}
    total = sum(weights.values())
    classes = {
        str(tc): [
            {
                "S.Mode": "Strict" if port.ets.get(tc) == "strict" else "WRR",
                "W": str(weight),
                "W(%)": str(round(100 * weight / total)) if total else "0",
                "BW Sh.(Mbps)": "N/A",
                "BW Gr.(Mbps)": "0",
            }
        ]
        for tc, weight in weights.items()
    }
    flags = {
        "S.Mode": "Scheduling Mode [Strict/WRR]",
        "W": "Weight",
        "Bw.Sh": "Bandwidth Shaper",
        "Bw.Gr": "Bandwidth Guaranteed",
        "D": "-",
    }
    head = {"Interface Bandwidth Shape [Mbps]": "N/A", "Multicast unaware mapping": "disabled"}
    data = [{f"Eth{name}": [head, {"Flags": [flags]}, {"ETS per TC": [classes]}]}]
    rows = ["  TC   S.Mode   W     W(%)   BW Sh.(Mbps)   BW Gr.(Mbps)", f"  {_RULER}"]
    for tc, (facts,) in classes.items():
        rows.append(f"  {tc:<5}{facts['S.Mode']:<9}{facts['W']:<6}{facts['W(%)']:<7}{'N/A':<15}0")
    return Shown("\n".join([f"Eth{name}", *_fields(head), "", *rows]), data)


def _weight(port: Port, tc: int) -> int:
    setting = port.ets.get(tc)
    if setting == "strict":
        return 0
    return DEFAULT_WEIGHTS[tc] if setting is None else int(setting)


def _pfc(view: View) -> Shown:
    config = view.config
    others = [priority for priority in TRAFFIC_CLASSES if priority not in config.pfc_priorities]
    head = {
        "PFC": "enabled" if config.pfc else "disabled",
        "Priority Enabled List": _listed(config.pfc_priorities),
        "Priority Disabled List": _listed(others),
    }
    table = {f"Eth{name}": [_pfc_facts(view, name)] for name in _all_ports()}
    lines = [f"{key}: {value}" for key, value in head.items()]
    lines += ["", _RULER, f"{'Interface':<20}{'PFC admin':<20}PFC oper", _RULER]
    lines += [f"{name:<20}{facts['PFC admin']:<20}{facts['PFC oper']}" for name, (facts,) in table.items()]
    return Shown("\n".join(lines), [head, table])


def _pfc_facts(view: View, name: str) -> dict[str, str]:
    port = view.config.ports.get(name, Port())
    works = view.config.pfc and port.pfc == "on" and not port.shutdown and view.link(name).up
    return {"PFC admin": port.pfc, "PFC oper": "Enabled" if works else "Disabled"}


def _all_ports() -> list[str]:
    return [f"1/{number}" for number in range(1, PORT_COUNT + 1)]


def _status(view: View) -> Shown:
    rows = ["Port        Operational state    Admin      Mac address", _RULER]
    data: dict[str, Any] = {}
    for name in _all_ports():
        facts = _port_facts(view, name)
        data[f"Eth{name}"] = [facts]
        rows.append(
            f"Eth{name:<9}{facts['Operational state']:<21}{facts['Admin state']:<11}{facts['Mac address']}"
        )
    return Shown("\n".join(rows), data)


def _interface(view: View, name: str) -> Shown:
    facts = {**_port_facts(view, name), "MTU": f"{_one_port(view, name).mtu} bytes", **_counters(view, name)}
    return Shown("\n".join([f"Eth{name}", *_fields(facts)]), [{f"Eth{name}": [facts]}])


def _port_facts(view: View, name: str) -> dict[str, str]:
    port = _one_port(view, name)
    link = view.link(name)
    return {
        "Admin state": "Disabled" if port.shutdown else "Enabled",
        "Operational state": "Up" if link.up and not port.shutdown else "Down",
        "Mac address": link.address.upper(),
    }


def _counters(view: View, name: str) -> dict[str, str]:
    return {key.replace("_", " "): str(value) for key, value in view.link(name).counters}


def _one_port(view: View, name: str) -> Port:
    names = port_names(name)
    if len(names) != 1:
        raise Refused(f"% Invalid interface: {name}. This command takes one port.")
    return view.config.ports.get(names[0], Port())


# Each action takes the view, then the values of its words.
SHOW_RULES: list[Rule] = [
    rule("show version", EXEC, _version),
    rule("show hosts", EXEC, _hosts),
    rule("show traffic pool", ENABLE, _pools),
    rule("show traffic pool <name>", ENABLE, _pool_named),
    rule("show qos interface ethernet <port>", ENABLE, _qos),
    rule("show interfaces ethernet <port> congestion-control", ENABLE, _congestion),
    rule("show interfaces ethernet <port>", EXEC, _interface),
    rule("show interfaces ethernet status", EXEC, _status),
    rule("show dcb ets interface ethernet <port>", ENABLE, _ets),
    rule("show dcb priority-flow-control", ENABLE, _pfc),
    rule("show running-config", ENABLE, _running),
    rule("show running-config expanded", ENABLE, _running_expanded),
    rule("show configuration", ENABLE, _saved),
    rule("show configuration running", ENABLE, _running),
    rule("show configuration files", ENABLE, _files),
]
