"""The Onyx command line as data: prompts, errors, secrets, and the one-line commands for each setting."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from onyx.state import Kind, Setting

# "swx-mld-1-2 [standalone: master] (config) # " at the very end of what was read; a trailing space is sent.
PROMPT = r"(?m:^)\S+(?: \[[^\]\n]*\])?(?: \(config[^)\n]*\))? [>#] ?\Z"
# The first prompt may stand behind another one on the same line, when keys were typed before the login ended.
LOGIN_PROMPT = r"\S [>#] ?\Z"
# A line that starts with a per cent sign is the switch's only way to say that it refused something.
REFUSAL = re.compile(r"^%.*$", re.MULTILINE)

# Everything that observing needs, in one round: the release, all that is configured, all ports' PFC state.
SHOW_VERSION = "show version | json-print"
SHOW_RUNNING = "show running-config"
SHOW_PFC = "show dcb priority-flow-control | json-print"
# What the next start would load: tells a change that runs from one that is saved.
SHOW_SAVED = "show configuration"
SHOW_FILES = "show configuration files"
SHOW_FILE = "show configuration files {file}"
SHOW_ROCE = "show roce"
# Who is behind the ports. The second form is for releases that do not know the first.
SHOW_LLDP = ("show lldp remote | json-print", "show lldp interfaces ethernet remote | json-print")
SHOW_MACS = "show mac-address-table | json-print"
# What a pool and a port really do, asked after a change.
SHOW_POOL = "show traffic pool {pool} | json-print"
SHOW_QOS = "show qos interface ethernet {port} | json-print"
SHOW_CONGESTION = "show interfaces ethernet {port} congestion-control | json-print"
SHOW_ETS = "show dcb ets interface ethernet {port} | json-print"

ENABLE = "enable"
CONFIGURE = "configure terminal"
LEAVE = "exit"
SAVE = "configuration write"
SNAPSHOT = "configuration write to {file} no-switch"
DELETE_FILE = "configuration delete {file}"

# The line that gives a setting a value, and the one that takes it back to the switch's default. On ports a
# line follows PORT_PREFIX, whose {ports} is a port or a range.
PORT_PREFIX = "interface ethernet {ports} "
_LINES: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        Kind.HOSTNAME: ("hostname {value}", "no hostname"),
        Kind.LLDP: ("lldp", "no lldp"),
        Kind.ROCE: ("roce {value}", "no roce"),
        Kind.POOL_TYPE: ("traffic pool {where} type {value}", "no traffic pool {where}"),
        Kind.POOL_MEMORY: (
            "traffic pool {where} memory percent {value}",
            "traffic pool {where} memory percent {value}",
        ),
        Kind.POOL_PRIORITY: (
            "traffic pool {where} map switch-priority {number}",
            "no traffic pool {where} map switch-priority {number}",
        ),
        Kind.PFC: ("dcb priority-flow-control enable force", "no dcb priority-flow-control enable force"),
        Kind.PFC_PRIORITY: (
            "dcb priority-flow-control priority {number} enable",
            "no dcb priority-flow-control priority {number} enable",
        ),
        Kind.TRUST: ("qos trust {value}", "no qos trust"),
        Kind.CONGESTION: (
            "traffic-class {number} congestion-control {mode} minimum-{unit} {low} maximum-{unit} {high}",
            "no traffic-class {number} congestion-control",
        ),
        Kind.SCHEDULING: ("traffic-class {number} dcb ets {value}", "no traffic-class {number} dcb ets"),
        Kind.PAUSE_SEND: ("flowcontrol send {value} force", "flowcontrol send {value} force"),
        Kind.PAUSE_RECEIVE: ("flowcontrol receive {value} force", "flowcontrol receive {value} force"),
        Kind.PORT_PFC: (
            "dcb priority-flow-control mode {value} force",
            "no dcb priority-flow-control mode force",
        ),
        Kind.LLDP_TRANSMIT: ("no lldp transmit", "lldp transmit"),
        Kind.LLDP_RECEIVE: ("no lldp receive", "lldp receive"),
    }
)

# `traffic pool` came with the first (manual, "Shared Buffer Commands"), the command `roce` with the second.
OLDEST_RELEASE = "3.6.5000"
ROCE_RELEASE = "3.8.2000"
# The configuration file that keeps what the switch had before our first change, and those of ports that
# became ours later.
SNAPSHOT_FILE = "rocestack-before"
# Starts the manual buffer mode, which excludes traffic pools.
MANUAL_BUFFERS = "advanced buffer management"

_MASK = "********"
_SECRETS = re.compile(
    r"^(?P<kept>.*?\b(?:license install|(?:password|secret|key)(?: \d)?|community|passphrase)\s+)\S.*$",
    re.MULTILINE | re.IGNORECASE,
)


def line_for(setting: Setting, value: str) -> str:
    """Return the line that gives a setting this value, without the prefix that names a port."""
    to_value, to_default = _LINES[setting.kind]
    template = to_default if value == setting.default else to_value
    mode, unit, low, high = value.split() if setting.kind is Kind.CONGESTION and " " in value else [""] * 4
    return template.format(
        where=setting.where, number=setting.number, value=value, mode=mode, unit=unit, low=low, high=high
    )


def refusal(answer: str) -> str | None:
    """Return the first per cent line of an answer, or None when the switch accepted the command."""
    found = REFUSAL.search(answer)
    return None if found is None else masked(found.group(0).strip())


def masked(text: str) -> str:
    """Return text of the switch as it may be shown: licence keys, passwords, keys and communities masked."""
    return _SECRETS.sub(lambda match: f"{match['kept']}{_MASK}", text)


def release_number(text: str) -> tuple[int, ...]:
    """Return a release such as "3.6.8012" as numbers that compare; letters and what follows are left out."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("-", maxsplit=1)[0]))


def port_snapshot(port: str) -> str:
    """Return the configuration file that keeps what a port had before it became ours."""
    return f"{SNAPSHOT_FILE}-{port.replace('/', '-')}"
