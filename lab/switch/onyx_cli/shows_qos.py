"""The `show` commands about quality of service: pools, trust, congestion control, ETS, PFC and RoCE."""

from __future__ import annotations

from typing import Any

from .answer import NOT_AVAILABLE, Shown, View, fields, listed, table
from .grammar import ENABLE, EXEC, Rule, rule
from .model import DEFAULT_WEIGHTS, TRAFFIC_CLASSES, Pool, Port
from .names import Refused
from .release import QOS_TRUST, ROCE_COMMAND, TRAFFIC_POOLS

# The buffer that the pools share; the switch reports what a pool really has of it.
_BUFFER_MEGABYTES = 11.8


def _pools(view: View) -> Shown:
    return _pool_answer({name: _pool_facts(pool) for name, pool in sorted(view.config.pools.items())})


def _pool_named(view: View, name: str) -> Shown:
    if name not in view.config.pools:
        raise Refused(f"% Traffic pool {name} does not exist.")
    return _pool_answer({name: _pool_facts(view.config.pools[name])})


def _pool_answer(pools: dict[str, dict[str, str]]) -> Shown:
    data: dict[str, Any] = {name: [facts] for name, facts in pools.items()}
    data["Exception list"] = {"message": NOT_AVAILABLE}
    lines = []
    for name, facts in pools.items():
        lines += [f"Traffic pool: {name}", *fields(facts), ""]
    return Shown("\n".join([*lines, "Exception list:", NOT_AVAILABLE]), data)


def _pool_facts(pool: Pool) -> dict[str, str]:
    return {
        "Type": pool.type,
        "Switch Priorities": listed(pool.priorities),
        "Memory [%]": f"{pool.memory:.2f}",
        "Memory actual": f"{pool.memory * _BUFFER_MEGABYTES / 100:.1f}M",
        # Nothing is queued here, so nobody can say how full the pool was.
        "Usage": NOT_AVAILABLE,
        "Max Usage": NOT_AVAILABLE,
    }


def _qos_all(view: View) -> Shown:
    parts = [_qos(view, name) for name in view.config.names()]
    return Shown("\n\n".join(part.text for part in parts), [row for part in parts for row in part.data])


def _qos(view: View, text: str) -> Shown:
    name, port = view.port(text)
    facts = {
        "Trust mode": port.trust,
        "Default switch-priority": "0",
        "Default PCP": "0",
        "Default DEI": "0",
        "PCP,DEI rewrite": "enabled" if port.rewrite_pcp else "disabled",
        "IP PCP;DEI rewrite": "enable",
        "DSCP rewrite": "enabled" if port.rewrite_dscp else "disabled",
    }
    mapping = {
        f"{priority}(0) {priority}(1)": [{"switch-priority": str(priority), "DSCP": _dscps(priority)}]
        for priority in TRAFFIC_CLASSES
    }
    rewrite: dict[str, Any] = {"Egress Interface": f"Eth{name}"}
    for priority in TRAFFIC_CLASSES:
        row = {
            "PCP(DEI)": f"{priority}(0)",
            "TC": str(port.traffic_class(priority)),
            "DSCP": str(priority * 8),
        }
        rewrite[str(priority)] = [row]
    mapping_title = "PCP(DEI); DSCP to switch-priority mapping"
    rewrite_title = "PCP(DEI); DSCP rewrite mapping (switch-priority to PCP(DEI); DSCP; traffic-class)"
    data = [{f"Eth{name}": [facts, {mapping_title: [mapping]}, {rewrite_title: [rewrite]}]}]
    lines = [
        f"Eth{name}",
        *fields(facts, width=26),
        "",
        f"{mapping_title}:",
        *table(
            ["PCP(DEI)", "DSCP", "switch-priority"],
            [12, 32, 16],
            ([key, row["DSCP"], row["switch-priority"]] for key, (row,) in mapping.items()),
        ),
        "",
        f"{rewrite_title}:",
        *table(
            ["switch-priority", "PCP(DEI)", "TC", "DSCP"],
            [18, 12, 6, 8],
            (
                [str(priority), f"{priority}(0)", str(port.traffic_class(priority)), str(priority * 8)]
                for priority in TRAFFIC_CLASSES
            ),
        ),
    ]
    return Shown("\n".join(lines), data)


def _dscps(priority: int) -> str:
    return " ".join(str(dscp) for dscp in range(priority * 8, priority * 8 + 8))


def _congestion(view: View, text: str) -> Shown:
    name, port = view.port(text)
    # Nothing is marked or dropped early here: the counts are not known, not zero.
    data: list[dict[str, str]] = [{"Interface ethernet": name, "ECN marked packets": NOT_AVAILABLE}]
    for tc in TRAFFIC_CLASSES:
        data.append({"header": f"TC-{tc}", **_congestion_facts(port, tc)})
    lines = [f"Interface ethernet {name}", f"  ECN marked packets: {NOT_AVAILABLE}"]
    for each in data[1:]:
        facts = {key: value for key, value in each.items() if key != "header"}
        lines += [f"  {each['header']}", *fields(facts, indent=4)]
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
        "RED dropped packets": NOT_AVAILABLE,
    }


def _ets_all(view: View) -> Shown:
    parts = [_ets(view, name) for name in view.config.names()]
    return Shown("\n\n".join(part.text for part in parts), [row for part in parts for row in part.data])


def _ets(view: View, text: str) -> Shown:
    name, port = view.port(text)
    weights = {tc: _weight(port, tc) for tc in TRAFFIC_CLASSES}
    total = sum(weights.values())
    classes = {
        str(tc): [
            {
                "S.Mode": "Strict" if port.ets.get(tc) == "strict" else "WRR",
                "W": str(weight),
                "W(%)": str(round(100 * weight / total)) if total else "0",
                "BW Sh.(Mbps)": NOT_AVAILABLE,
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
    head = {"Interface Bandwidth Shape [Mbps]": NOT_AVAILABLE, "Multicast unaware mapping": "disabled"}
    data = [{f"Eth{name}": [head, {"Flags": [flags]}, {"ETS per TC": [classes]}]}]
    titles = ["TC", "S.Mode", "W", "W(%)", "BW Sh.(Mbps)", "BW Gr.(Mbps)"]
    rows = ([tc, *(facts[title] for title in titles[1:])] for tc, (facts,) in classes.items())
    lines = [f"Eth{name}", *fields(head, width=36), "", *table(titles, [6, 10, 6, 8, 16, 16], rows)]
    return Shown("\n".join(lines), data)


def _weight(port: Port, tc: int) -> int:
    setting = port.ets.get(tc)
    if setting == "strict":
        return 0
    return DEFAULT_WEIGHTS[tc] if setting is None else int(setting)


def _pfc(view: View) -> Shown:
    return _pfc_answer(view, view.config.names())


def _pfc_one(view: View, text: str) -> Shown:
    return _pfc_answer(view, [view.port(text)[0]])


def _pfc_answer(view: View, names: list[str]) -> Shown:
    config = view.config
    head = {
        "PFC": "enabled" if config.pfc else "disabled",
        "Priority Enabled List": listed(config.pfc_priorities),
        "Priority Disabled List": listed(
            priority for priority in TRAFFIC_CLASSES if priority not in config.pfc_priorities
        ),
    }
    lossless = {
        str(tc): [{"Lossless": "Y" if config.pfc and tc in config.pfc_priorities else "N"}]
        for tc in TRAFFIC_CLASSES
    }
    ports = {f"Eth{name}": [_pfc_facts(view, name)] for name in names}
    lines = [f"{key}: {value}" for key, value in head.items()]
    if view.release.pfc_shows_classes:
        lines += [
            "",
            *table(["TC", "Lossless"], [8, 12], ([tc, row["Lossless"]] for tc, (row,) in lossless.items())),
        ]
    rows = ([name, facts["PFC admin"], facts["PFC oper"]] for name, (facts,) in ports.items())
    lines += ["", *table(["Interface", "PFC admin", "PFC oper"], [20, 20, 20], rows)]
    data: Any = [head, lossless, ports] if view.release.pfc_shows_classes else [head, ports]
    if not view.release.lists_tables:
        data = {**head, "Table 1": lossless, "Table 2": ports}
    return Shown("\n".join(lines), data)


def _pfc_facts(view: View, name: str) -> dict[str, str]:
    port = view.config.seen(name)
    works = view.config.pfc and port.pfc == "on" and view.link(name).up
    return {"PFC admin": port.pfc, "PFC oper": "Enabled" if works else "Disabled"}


def _roce(view: View) -> Shown:
    config = view.config
    if not config.roce:
        return Shown("RoCE mode: N/A", {"RoCE mode": NOT_AVAILABLE})
    pfc = config.roce != "lossy"
    deviating = [f"Eth{name}" for name in sorted(config.ports) if _deviates(view, name)]
    data = {
        "RoCE mode": config.roce,
        "LLDP": "enabled" if config.lldp else "disabled",
        "Port trust mode": "L3",
        "PFC": "enabled" if pfc else "disabled",
        "Exception list": " ".join(deviating) or NOT_AVAILABLE,
    }
    pools = [["lossy-default", "lossy", "auto", "0 1 2 4 5 6 7" if pfc else "0 1 2 3 4 5 6 7"]]
    if pfc:
        pools.append(["roce-reserved", "lossless", "auto", "3"])
    lines = [
        f"RoCE mode      : {config.roce}",
        f"LLDP           : {data['LLDP']}",
        "Port trust mode: L3",
        "",
        "Application TLV:",
        "  Selector: udp",
        "  Protocol: 4791",
        "  Priority: 3",
        "",
        "Port congestion-control:",
        "  Mode: ecn, absolute",
        "  Min : 150",
        "  Max : 1500",
        "",
        f"PFC : {data['PFC']}",
        *(["  switch-priority 3: enabled"] if pfc else []),
        "",
        "RoCE used TCs:",
        *table(
            ["Switch-Priority", "TC", "Application", "ETS"],
            [18, 6, 14, 10],
            [["3", "3", "RoCE", "WRR 50%"], ["6", "6", "CNP", "Strict"]],
        ),
        "",
        "RoCE buffer pools:",
        *table(["Traffic Pool", "Type", "Memory [%]", "Switch Priorities"], [18, 12, 14, 20], pools),
        "",
        "Exception list:",
        data["Exception list"],
    ]
    return Shown("\n".join(lines), data)


def _deviates(view: View, name: str) -> bool:
    plain, port = view.config.seen("none"), view.config.seen(name)
    return (port.trust, port.congestion, port.ets, port.pfc) != (
        plain.trust,
        plain.congestion,
        plain.ets,
        plain.pfc,
    )


# Each action takes the view, then the values of its words.
QOS_SHOW_RULES: list[Rule] = [
    rule("show traffic pool", ENABLE, _pools, TRAFFIC_POOLS),
    rule("show traffic pool <name>", ENABLE, _pool_named, TRAFFIC_POOLS),
    rule("show qos", ENABLE, _qos_all, QOS_TRUST),
    rule("show qos interface ethernet <port>", ENABLE, _qos, QOS_TRUST),
    rule("show interfaces ethernet <port> congestion-control", EXEC, _congestion),
    rule("show dcb ets", EXEC, _ets_all),
    rule("show dcb ets interface ethernet <port>", EXEC, _ets),
    rule("show dcb priority-flow-control", EXEC, _pfc),
    rule("show dcb priority-flow-control interface ethernet <port>", EXEC, _pfc_one),
    rule("show roce", EXEC, _roce, ROCE_COMMAND),
]
