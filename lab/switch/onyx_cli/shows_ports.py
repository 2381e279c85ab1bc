"""The `show` commands about ports: interfaces, counters, the MAC table and LLDP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .answer import NOT_AVAILABLE, RULER, Shown, View, table
from .fabric import Link, Neighbour, Traffic
from .grammar import EXEC, Rule, rule
from .model import Port

_VLAN = "1"
_NO_NEIGHBOURS = "\nNo lldp remote information.\n"
_TLVS = "PD, SN, SD, SC, MA, PFC, AP, ETS-C, ETS-R"
_NOT_SAID = "Not Advertised"


def _status(view: View) -> Shown:
    data: dict[str, Any] = {}
    for name in view.config.names():
        link = view.link(name)
        data[f"Eth{name}"] = [
            {
                "Operational state": "Up" if link.up else "Down",
                "Speed": _speed(link),
                "Negotiation": "No-Negotiation",
            }
        ]
    titles = ["Port", "Operational state", "Speed", "Negotiation"]
    rows = ([name, *facts.values()] for name, (facts,) in data.items())
    return Shown("\n".join(table(titles, [16, 22, 16, 16], rows)), data)


def _speed(link: Link) -> str:
    """What the interface says; the lab's cables are no optics, so a link may have no speed."""
    return f"{link.speed // 1000} Gbps" if link.up and link.speed and link.speed >= 1000 else NOT_AVAILABLE


def _interfaces(view: View) -> Shown:
    return _interface_answer(view, view.config.names())


def _interface(view: View, text: str) -> Shown:
    return _interface_answer(view, view.config.named(text))


def _interface_answer(view: View, names: list[str]) -> Shown:
    texts: list[str] = []
    data: list[dict[str, Any]] = []
    for name in names:
        facts = _interface_facts(view, name)
        received, sent = _counts(view.link(name), "rx"), _counts(view.link(name), "tx")
        lines = [f"Eth{name}:", *(f"  {key:<33}: {value}" for key, value in facts.items())]
        texts.append("\n".join([*lines, "", *_count_lines("Rx", received), "", *_count_lines("Tx", sent)]))
        if view.release.lists_tables:
            data.append({f"Eth{name}": [facts, {"Rx": [received]}, {"Tx": [sent]}]})
        else:
            data.append({"header": f"Eth{name}", **facts, "Rx": received, "Tx": sent})
    return Shown("\n\n".join(texts), data)


def _interface_facts(view: View, name: str) -> dict[str, str]:
    port, link = view.config.seen(name), view.link(name)
    return {
        "Admin state": "Disabled" if port.shutdown else "Enabled",
        "Operational state": "Up" if link.up else "Down",
        "Last change in operational status": NOT_AVAILABLE,
        "Boot delay time": "0 sec",
        "Description": port.description or NOT_AVAILABLE,
        "Mac address": link.address,
        "MTU": f"{port.mtu} bytes(Maximum packet size {port.mtu + 22} bytes)",
        "Fec": "auto",
        "Flow-control": f"receive {port.pause_receive} send {port.pause_send}",
        "Actual speed": _speed(link),
        "Width reduction mode": "Not supported",
        "Switchport mode": "access",
        "MAC learning mode": "Enabled",
        "Forwarding mode": "inherited cut-through",
        "Telemetry sampling": "Disabled\t TCs: N\\A",
        'Last clearing of "show interface" counters': "Never",
        "60 seconds ingress rate": NOT_AVAILABLE,
        "60 seconds egress rate": NOT_AVAILABLE,
    }


def _counts(link: Link, way: str) -> dict[str, str]:
    """Return the counters of a direction; what the interface does not count is N/A."""
    known = {"packets": "packets", "bytes": "bytes", "error packets": "errors", "discard packets": "dropped"}
    names = ["packets", "unicast packets", "multicast packets", "broadcast packets", "bytes"]
    names += ["error packets", "discard packets", *(["hoq discard packets"] if way == "tx" else [])]
    return {name: _count(link.counters.get(f"{way}_{known.get(name, '')}")) for name in names}


def _count(value: int | None) -> str:
    return NOT_AVAILABLE if value is None else str(value)


def _count_lines(title: str, counts: Mapping[str, str]) -> list[str]:
    return [title, *(f"  {value:<20} {name}" for name, value in counts.items())]


def _counters(view: View) -> Shown:
    return _counter_answer(view, view.config.names())


def _counters_of(view: View, text: str) -> Shown:
    return _counter_answer(view, view.config.named(text))


def _counter_answer(view: View, names: list[str]) -> Shown:
    texts, data = [], {}
    for name in names:
        link = view.link(name)
        received, sent = _counts(link, "rx"), _counts(link, "tx")
        texts.append(
            "\n".join([f"Eth{name}:", "", *_count_lines("Rx", received), "", *_count_lines("Tx", sent)])
        )
        data[f"Eth{name}"] = [{"Rx": [received]}, {"Tx": [sent]}]
    return Shown("\n\n".join(texts), data)


def _counters_priority(view: View, text: str, priority: int) -> Shown:
    name, port = view.port(text)
    received = _of_priority(port, view.fabric.traffic(name, "rx"), priority)
    sent = _of_priority(port, view.fabric.traffic(name, "tx"), priority)
    rx = {**_traffic_counts(received), "pause packets": NOT_AVAILABLE, "pause duration": NOT_AVAILABLE}
    tx = {**_traffic_counts(sent), "pause packets": NOT_AVAILABLE, "pause duration": NOT_AVAILABLE}
    lines = [f"Eth{name} priority {priority}:", *_count_lines("Rx", rx), "", *_count_lines("Tx", tx)]
    return Shown("\n".join(lines), {f"Eth{name}": [{f"Priority {priority}": [{"Rx": [rx]}, {"Tx": [tx]}]}]})


def _counters_pfc(view: View, text: str, priority: int) -> Shown:
    name, _port = view.port(text)
    # No frame is paused here, and none is seen: the count is not known.
    counts = {"pause packets": NOT_AVAILABLE, "pause duration": NOT_AVAILABLE}
    lines = [f"PFC {priority}", *_count_lines("Rx", counts), "", *_count_lines("Tx", counts)]
    return Shown(
        "\n".join(lines), {f"Eth{name}": [{f"PFC {priority}": [{"Rx": [counts]}, {"Tx": [counts]}]}]}
    )


def _counters_class(view: View, text: str, tc: int) -> Shown:
    name, port = view.port(text)
    sent = view.fabric.traffic(name, "tx")
    parts = [_of_priority(port, sent, each) for each in range(8) if port.traffic_class(each) == tc]
    whole = None if sent is None else _sum(part for part in parts if part is not None)
    counts = {
        **_traffic_counts(whole),
        "queue depth": NOT_AVAILABLE,
        "no buffer discard": NOT_AVAILABLE,
        "shaper discard": NOT_AVAILABLE,
    }
    return Shown("\n".join(_count_lines(f"TC {tc}", counts)), {f"Eth{name}": [{f"TC {tc}": [counts]}]})


def _of_priority(port: Port, traffic: dict[int, Traffic] | None, priority: int) -> Traffic | None:
    """Return the IP traffic of a switch priority, as the port's trust would sort it in; None when unknown.

    The lab's frames have no VLAN tag: without trust in the DSCP they all get the port's default priority, 0.
    """
    if traffic is None:
        return None
    if port.trust in ("L3", "both"):
        return _sum(each for dscp, each in traffic.items() if dscp // 8 == priority)
    return _sum(traffic.values()) if priority == 0 else Traffic()


def _sum(parts: Any) -> Traffic:
    parts = list(parts)
    return Traffic(sum(part.packets for part in parts), sum(part.bytes for part in parts))


def _traffic_counts(traffic: Traffic | None) -> dict[str, str]:
    if traffic is None:
        return {"packets": NOT_AVAILABLE, "bytes": NOT_AVAILABLE}
    return {"packets": str(traffic.packets), "bytes": str(traffic.bytes)}


def _mac_table(view: View) -> Shown:
    return _mac_answer(view, view.fabric.mac_table())


def _mac_of(view: View, address: str) -> Shown:
    return _mac_answer(view, [row for row in view.fabric.mac_table() if row[0] == address.lower()])


def _mac_behind(view: View, text: str) -> Shown:
    name, _port = view.port(text)
    return _mac_answer(view, [row for row in view.fabric.mac_table() if row[1] == name])


def _mac_vlan(view: View, vlan: int) -> Shown:
    return _mac_answer(view, view.fabric.mac_table() if str(vlan) == _VLAN else [])


def _mac_answer(view: View, entries: list[tuple[str, str]]) -> Shown:
    here = set(view.config.names())
    rows = [
        {"Mac Address": address.upper(), "Type": "Dynamic", "Port\\Next Hop": f"Eth{port}"}
        for address, port in entries
        if port in here and view.link(port).up
    ]
    cells = ([_VLAN, *row.values()] for row in rows)
    lines = [
        *table(["Vlan", "Mac Address", "Type", "Port\\Next Hop"], [8, 22, 14, 20], cells),
        "",
        f"Number of unicast:    {len(rows)}",
        "Number of multicast:  0",
    ]
    data: dict[str, Any] = {_VLAN: rows} if rows else {}
    data |= {"Number of unicast": str(len(rows)), "Number of multicast": "0"}
    return Shown("\n".join(lines), data)


def _lldp_local(view: View) -> Shown:
    state = "enabled" if view.config.lldp else "disabled"
    facts = {
        "Chassis sub type": "Mac Address",
        "Chassis id": view.fabric.link(view.config.names()[0]).address,
        "System Name": view.config.hostname,
        "System Description": f"Mellanox MSN2700,{view.release.product},SWv{view.release.text}",
        "Supported capabilities": "B,R",
        "Supported capabilities enabled": "B",
    }
    title = "Local global configuration"
    data = [{"LLDP": state}, {"header": title, **facts}]
    lines = [f"LLDP: {state}", "", title, *(f"  {key}: {value}" for key, value in facts.items())]
    return Shown("\n".join(lines), data)


def _lldp_interfaces(view: View) -> Shown:
    data = {}
    for name in view.config.names():
        port = view.config.seen(name)
        data[f"Eth{name}"] = [
            {
                "Receive": "Enabled" if port.lldp_receive else "Disabled",
                "Transmit": "Enabled" if port.lldp_transmit else "Disabled",
                "TLVs": _TLVS,
            }
        ]
    rows = ([name, *facts.values()] for name, (facts,) in data.items())
    titles = ["Interface", "Receive", "Transmit", "TLVs"]
    return Shown("\n".join(table(titles, [12, 12, 12, 44], rows)), data)


def _neighbours(view: View) -> dict[str, Neighbour]:
    """Return who the switch may know of: LLDP is on, the port receives it, and its link is up."""
    if not view.config.lldp:
        return {}
    heard = view.fabric.neighbours()
    return {
        name: heard[name]
        for name in view.config.names()
        if name in heard and view.config.seen(name).lldp_receive and view.link(name).up
    }


def _lldp_remote(view: View) -> Shown:
    found = _neighbours(view)
    if not found:
        return Shown(_NO_NEIGHBOURS)
    data = {
        f"Eth{name}": [
            {"Device ID": each.chassis, "Port ID": each.port, "System Name": each.system_name or _NOT_SAID}
        ]
        for name, each in found.items()
    }
    rows = ([name, *facts.values()] for name, (facts,) in data.items())
    titles = ["Local Interface", "Device ID", "Port ID", "System Name"]
    return Shown("\n".join(table(titles, [20, 24, 24, 24], rows)), data)


def _lldp_details(view: View) -> Shown:
    return _lldp_answer(_neighbours(view))


def _lldp_detail(view: View, text: str) -> Shown:
    name, _port = view.port(text)
    return _lldp_answer({key: each for key, each in _neighbours(view).items() if key == name})


def _lldp_answer(found: dict[str, Neighbour]) -> Shown:
    if not found:
        return Shown(_NO_NEIGHBOURS)
    texts, data = [], []
    for index, (name, each) in enumerate(found.items(), start=1):
        facts = {
            "Remote Index": str(index),
            "Remote chassis id": each.chassis,
            "chassis id subtype": each.chassis_kind,
            "Remote port-id": each.port,
            "port id subtype": each.port_kind,
            "Remote port description": each.port_description or _NOT_SAID,
            "Remote system name": each.system_name or _NOT_SAID,
            "Remote system description": each.system_description or _NOT_SAID,
            "Remote system capabilities supported": each.capabilities or _NOT_SAID,
            "Remote system capabilities enabled": each.capabilities_enabled or _NOT_SAID,
        }
        lines = [f"  {key:<36}: {value}" for key, value in facts.items()]
        # What the neighbour says of itself may have several lines; an empty one ends it.
        lines.insert(8, "")
        texts.append("\n".join([f"Eth{name}:", *lines]))
        data.append({f"Eth{name}": [facts]})
    return Shown(f"\n\n{RULER}\n".join(texts), data)


# Each action takes the view, then the values of its words.
PORT_SHOW_RULES: list[Rule] = [
    rule("show interfaces [ethernet]", EXEC, _interfaces),
    rule("show interfaces ethernet <port>", EXEC, _interface),
    rule("show interfaces ethernet status", EXEC, _status),
    rule("show interfaces ethernet counters", EXEC, _counters),
    rule("show interfaces ethernet <port> counters", EXEC, _counters_of),
    rule("show interfaces ethernet <port> counters priority <0-7>", EXEC, _counters_priority),
    rule("show interfaces ethernet <port> counters pfc prio <0-7>", EXEC, _counters_pfc),
    rule("show interfaces ethernet <port> counters tc <0-7>", EXEC, _counters_class),
    rule("show mac-address-table", EXEC, _mac_table),
    rule("show mac-address-table address <mac>", EXEC, _mac_of),
    rule("show mac-address-table interface ethernet <port>", EXEC, _mac_behind),
    rule("show mac-address-table vlan <1-4094>", EXEC, _mac_vlan),
    rule("show lldp local", EXEC, _lldp_local),
    rule("show lldp interfaces [ethernet]", EXEC, _lldp_interfaces),
    rule("show lldp remote", EXEC, _lldp_remote),
    rule("show lldp interfaces ethernet remote", EXEC, _lldp_details),
    rule("show lldp interfaces ethernet <port> remote", EXEC, _lldp_detail),
]
