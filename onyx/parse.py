"""From what the switch prints to typed values: JSON answers in both layouts, and configurations.

Until release 3.6.6000 the switch's JSON is objects keyed by what they are about; since then it is lists whose
parts carry that name as their key or as their "header". Each reader takes both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from onyx import dialect
from onyx.errors import UnexpectedAnswer
from onyx.ports import expand, normal
from onyx.state import Configuration, Kind, Neighbours, PfcTable, Setting, congestion, percent

# A port as the answers name it; a member of a port channel has that in parentheses.
_ETHERNET = re.compile(r"^Eth(\d+/\d+(?:/\d+)?)(?: \(\w+\))?$")
_PORT_LINE = re.compile(r"^(no )?interface ethernet (\S+) (.+)$")
_MAC = re.compile(r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")


def json_answer(text: str) -> Any:
    """Return the data of an answer to `… | json-print`; the switch may print lines before it.

    Raises UnexpectedAnswer when there is no JSON in it.
    """
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.lstrip()[:1] in ("{", "[")), None)
    if start is None:
        shown = dialect.masked(text.strip())[:80]
        raise UnexpectedAnswer(f"the switch answered {shown!r} where JSON was asked for")
    try:
        return json.loads("\n".join(lines[start:]))
    except json.JSONDecodeError as error:
        raise UnexpectedAnswer(f"the switch's JSON breaks off or is malformed: {error}") from error


def _parts(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an answer has at its top, name and value, whichever layout it is in."""
    for part in data if isinstance(data, list) else [data]:
        if isinstance(part, Mapping) and "header" in part:
            yield str(part["header"]), {key: value for key, value in part.items() if key != "header"}
        elif isinstance(part, Mapping):
            yield from part.items()


def _facts(value: Any) -> dict[str, Any]:
    """Return the facts in a value that is an object, or a list of objects that belong together."""
    merged: dict[str, Any] = {}
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, Mapping):
            merged.update(part)
    return merged


def release(data: Any) -> str:
    """Return the "Product release" of `show version`, such as "3.6.8012"."""
    return str(_get(_facts(data), "Product release", "show version"))


def pfc_table(data: Any) -> PfcTable:
    """Return the PFC state; the ports' rows stand beside the head or, in the older layout, in "Table 2"."""
    head: dict[str, Any] = {}
    admin: dict[str, str] = {}
    oper: dict[str, str] = {}
    for key, value in _rows(data):
        port = _ETHERNET.match(key)
        if port is None:
            head[key] = value
            continue
        facts = _facts(value)
        if facts:
            admin[port.group(1)] = str(facts["PFC admin"]).lower()
            oper[port.group(1)] = str(facts["PFC oper"]).lower()
    where = "show dcb priority-flow-control"
    enabled = str(_get(head, "PFC", where)).lower() == "enabled"
    priorities = _numbers(_get(head, "Priority Enabled List", where))
    return PfcTable(enabled, frozenset(priorities), admin, oper)


def _rows(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of an answer with those of its tables ("Table 2") among them."""
    for key, value in _parts(data):
        if key.startswith("Table "):
            yield from _parts(value)
        else:
            yield key, value


def pools(data: Any) -> dict[Setting, str]:
    """Return the pools of `show traffic pool [name]`; what is no pool ("Exception list") is left out."""
    found = {}
    where = "show traffic pool"
    for name, value in _parts(data):
        facts = _facts(value)
        if "Memory [%]" in facts:
            found[Setting(Kind.POOL_TYPE, name)] = str(_get(facts, "Type", where)).lower()
            found[Setting(Kind.POOL_MEMORY, name)] = percent(str(facts["Memory [%]"]))
            for number in _numbers(_get(facts, "Switch Priorities", where)):
                found[Setting(Kind.POOL_PRIORITY, name, number)] = "yes"
    return found


def trust(data: Any, port: str) -> str:
    """Return the trust mode of `port` from `show qos interface ethernet`."""
    return str(_get(_of_port(data, port), "Trust mode", "show qos interface"))


def dscp_map(data: Any, port: str) -> dict[int, int]:
    """Return the switch priority of each DSCP on `port`, from `show qos interface ethernet`."""
    table = _facts(_of_port(data, port).get("PCP(DEI); DSCP to switch-priority mapping"))
    found = {}
    for value in table.values():
        facts = _facts(value)
        priority = int(_get(facts, "switch-priority", "show qos interface"))
        found.update(dict.fromkeys(_numbers(facts.get("DSCP", "")), priority))
    return found


def congestion_classes(data: Any, port: str) -> dict[Setting, str]:
    """Return the classes with congestion control, of `show interfaces ethernet … congestion-control`."""
    found = {}
    for name, value in _parts(data):
        facts = _facts(value)
        if not name.startswith("TC-") or str(facts.get("Mode", "none")).lower() == "none":
            continue
        low, high = (re.split(r"[ %]", str(facts[f"{end} threshold"]))[0] for end in ("Minimum", "Maximum"))
        mode = str(facts["Mode"]).lower()
        setting = Setting(Kind.CONGESTION, port, int(name.removeprefix("TC-")))
        found[setting] = congestion(mode, str(facts["Threshold mode"]).lower(), low, high)
    return found


def strict_classes(data: Any, port: str) -> set[int]:
    """Return the strict traffic classes of `port` from `show dcb ets interface ethernet`."""
    table = _facts(_get(_of_port(data, port), "ETS per TC", "show dcb ets interface"))
    return {int(tc) for tc, value in table.items() if str(_facts(value).get("S.Mode")).lower() == "strict"}


def roce_mode(text: str) -> str:
    """Return the mode that `show roce` prints: lossless, semi-lossless, lossy, or none."""
    found = re.search(r"^RoCE mode\s*:\s*(\S+)", text, re.MULTILINE)
    if found is None:
        raise UnexpectedAnswer('the switch\'s answer to "show roce" has no "RoCE mode"')
    return "none" if found.group(1) == "N/A" else found.group(1).lower()


def roce_facts(text: str) -> dict[str, str]:
    """Return what `show roce` says the mode means: trust, ecn ("ecn absolute 150 1500"), pfc, strict."""
    trusted = re.search(r"^Port trust mode\s*:\s*(\S+)", text, re.MULTILINE)
    marks = re.search(r"Mode\s*:\s*(\w+),\s*(\w+)\s+Min\s*:\s*(\d+)\D*?Max\s*:\s*(\d+)", text)
    pauses = re.findall(r"switch-priority (\d)\s*:\s*enabled", text)
    strict = re.findall(r"^\s*\d\s+(\d)\s+\S+\s+Strict\s*$", text, re.MULTILINE)
    return {
        "trust": trusted.group(1) if trusted else "none",
        "ecn": congestion(*marks.groups()) if marks else "none",
        "pfc": ",".join(pauses) or "none",
        "strict": ",".join(strict) or "none",
    }


def neighbours(data: Any) -> dict[str, str]:
    """Return the system name behind each port, from `show lldp remote`; who gave no name is left out."""
    found = {}
    for key, value in _rows(data):
        port = _ETHERNET.match(key)
        if port is None:
            continue
        for fact, name in _facts(value).items():
            if fact.lower().endswith("system name") and str(name) not in ("", "N/A", "Not Advertised"):
                found[port.group(1)] = str(name)
    return found


def mac_table(data: Any) -> dict[str, str]:
    """Return the port behind which each hardware address was seen, from `show mac-address-table`.

    Addresses are in lower case; entries of port channels and tunnels are left out.
    """
    found = {}
    for entry in _objects(data):
        address = str(entry.get("Mac Address", "")).lower()
        place = next((str(value) for key, value in entry.items() if key.startswith("Port")), "")
        port = _ETHERNET.match(place)
        if port is not None and _MAC.match(address):
            found[address] = port.group(1)
    return found


def who_is_there(lldp: Any, macs: Any) -> Neighbours:
    """Return the neighbours from both answers; one that is None was not given."""
    return Neighbours(
        neighbours(lldp) if lldp is not None else {}, mac_table(macs) if macs is not None else {}
    )


def _objects(data: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, Mapping):
        yield data
        data = list(data.values())
    for part in data if isinstance(data, list) else []:
        yield from _objects(part)


def _of_port(data: Any, port: str) -> dict[str, Any]:
    for key, value in _parts(data):
        name = _ETHERNET.match(key)
        if name is not None and name.group(1) == port:
            return _facts(value)
    raise UnexpectedAnswer(f"the switch's answer does not speak of port {port}")


def _get(data: Any, key: str, where: str) -> Any:
    if not isinstance(data, Mapping) or key not in data:
        raise UnexpectedAnswer(f'the switch\'s answer to "{where}" has no "{key}"')
    return data[key]


def _numbers(text: Any) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(text))]


def file_names(text: str) -> list[str]:
    """Return the names in `show configuration files`, without the mark of the active one.

    Lines with a colon, such as "Unsaved changes: no", are no names.
    """
    return [line.split()[0] for line in text.splitlines() if line.split() and ":" not in line]


def configuration(text: str) -> Configuration:
    """Return the settings in a running or saved configuration, ranges collapsed or expanded.

    Lines about other things are passed over; comments and the three-space indent carry no meaning. A later
    line about the same setting wins, as it does when the switch loads the file.
    """
    values: dict[Setting, str] = {}
    manual = False
    for raw in text.splitlines():
        line = " ".join(raw.split())
        on_port = _PORT_LINE.match(line)
        if line.startswith(dialect.MANUAL_BUFFERS):
            manual = True
        elif on_port is not None:
            _read_port_line(values, expand(on_port.group(2)), (on_port.group(1) or "") + on_port.group(3))
        elif line and not line.startswith("#"):
            _read_global_line(values, line)
    return Configuration(manual_buffers=manual).changed(values)


def _read_global_line(values: dict[Setting, str], line: str) -> None:
    for pattern, read in _GLOBAL:
        match = pattern.match(line)
        if match is not None:
            values.update(read(*match.groups()))
            return


def _read_port_line(values: dict[Setting, str], names: list[str], rest: str) -> None:
    for pattern, kind, value in _ON_PORT:
        match = pattern.match(rest)
        if match is not None:
            number = int(match.groupdict().get("tc") or -1)
            for name in names:
                values[Setting(kind, normal(name), number)] = value(match)
            return


_Read = Callable[..., dict[Setting, str]]
_Value = Callable[[re.Match[str]], str]


def _hostname(name: str) -> dict[Setting, str]:
    return {Setting(Kind.HOSTNAME): name}


def _lldp() -> dict[Setting, str]:
    return {Setting(Kind.LLDP): "on"}


def _roce(mode: str | None) -> dict[Setting, str]:
    return {Setting(Kind.ROCE): mode or "lossless"}


def _pool_type(name: str, kind: str) -> dict[Setting, str]:
    return {Setting(Kind.POOL_TYPE, name): kind}


def _pool_memory(name: str, share: str) -> dict[Setting, str]:
    return {Setting(Kind.POOL_MEMORY, name): percent(share)}


def _pool_map(name: str, priorities: str) -> dict[Setting, str]:
    return {Setting(Kind.POOL_PRIORITY, name, number): "yes" for number in _numbers(priorities)}


def _pfc_on() -> dict[Setting, str]:
    return {Setting(Kind.PFC): "on"}


def _pfc_priority(priority: str) -> dict[Setting, str]:
    return {Setting(Kind.PFC_PRIORITY, number=int(priority)): "yes"}


def _word(match: re.Match[str]) -> str:
    return match["value"]


def _always(value: str) -> _Value:
    return lambda _match: value


def _thresholds(match: re.Match[str]) -> str:
    return congestion(match["mode"], match["unit"], match["low"], match["high"])


_GLOBAL: tuple[tuple[re.Pattern[str], _Read], ...] = tuple(
    (re.compile(rf"^{pattern}$"), read)
    for pattern, read in (
        (r"hostname (\S+)", _hostname),
        (r"lldp", _lldp),
        (r"roce(?: (lossless|semi-lossless|lossy))?", _roce),
        (r"traffic pool (\S+) type (\S+)", _pool_type),
        (r"traffic pool (\S+) memory percent (\S+)", _pool_memory),
        (r"traffic pool (\S+) map switch-priority ([\d ]+)", _pool_map),
        (r"dcb priority-flow-control enable(?: force)?", _pfc_on),
        (r"dcb priority-flow-control priority (\d) enable(?: force)?", _pfc_priority),
    )
)

_ON_PORT: tuple[tuple[re.Pattern[str], Kind, _Value], ...] = tuple(
    (re.compile(rf"^{pattern}$"), kind, value)
    for pattern, kind, value in (
        (r"qos trust (?P<value>\S+)", Kind.TRUST, _word),
        (
            r"traffic-class (?P<tc>\d) congestion-control (?P<mode>red|ecn|both) "
            r"minimum-(?P<unit>absolute|relative) (?P<low>\d+) maximum-(?:absolute|relative) (?P<high>\d+)",
            Kind.CONGESTION,
            _thresholds,
        ),
        (r"traffic-class (?P<tc>\d) dcb ets (?P<value>strict|wrr \d+)", Kind.SCHEDULING, _word),
        (r"dcb priority-flow-control mode (?P<value>on|off)(?: force)?", Kind.PORT_PFC, _word),
        (r"flowcontrol send (?P<value>on|off)(?: force)?", Kind.PAUSE_SEND, _word),
        (r"flowcontrol receive (?P<value>on|off)(?: force)?", Kind.PAUSE_RECEIVE, _word),
        (r"no lldp transmit", Kind.LLDP_TRANSMIT, _always("off")),
        (r"no lldp receive", Kind.LLDP_RECEIVE, _always("off")),
    )
)
