"""The Onyx command line as data: prompts, errors, and the one-line commands for each setting."""

from __future__ import annotations

import re

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

HOSTNAME = "hostname {name}"
POOL_TYPE = "traffic pool {pool} type {type}"
POOL_MEMORY = "traffic pool {pool} memory percent {percent}"
POOL_MAP = "traffic pool {pool} map switch-priority {priority}"
POOL_UNMAP = "no traffic pool {pool} map switch-priority {priority}"
NO_POOL = "no traffic pool {pool}"
PFC = "dcb priority-flow-control enable force"
NO_PFC = "no dcb priority-flow-control enable force"
PFC_PRIORITY = "dcb priority-flow-control priority {priority} enable"
NO_PFC_PRIORITY = "no dcb priority-flow-control priority {priority} enable"

# On ports: each follows PORT_PREFIX, whose {ports} is a port or a range.
PORT_PREFIX = "interface ethernet {ports} "
TRUST = "qos trust {trust}"
NO_TRUST = "no qos trust"
ECN = "traffic-class {tc} congestion-control ecn minimum-absolute {minimum} maximum-absolute {maximum}"
NO_ECN = "no traffic-class {tc} congestion-control"
STRICT = "traffic-class {tc} dcb ets strict"
NO_STRICT = "no traffic-class {tc} dcb ets"
PORT_PFC = "dcb priority-flow-control mode on force"
NO_PORT_PFC = "no dcb priority-flow-control mode force"

# `traffic pool` and `qos trust` came with this release.
OLDEST_RELEASE = (3, 6, 1002)
# The configuration file that keeps what the switch had before our first change.
SNAPSHOT_FILE = "rocestack-before"
# Starts the manual buffer mode, which excludes traffic pools.
MANUAL_BUFFERS = "advanced buffer management"


def refusal(answer: str) -> str | None:
    """Return the first per cent line of an answer, or None when the switch accepted the command."""
    found = REFUSAL.search(answer)
    return None if found is None else found.group(0).strip()


def release_number(text: str) -> tuple[int, ...]:
    """Return a release such as "3.6.8012" as numbers that compare; letters and what follows are left out."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("-", maxsplit=1)[0]))
