"""What the switch shows of itself: its release, its names, its configuration and its configuration files."""

from __future__ import annotations

from . import running_config
from .answer import NOT_AVAILABLE, Shown, View
from .grammar import ENABLE, EXEC, Rule, rule
from .model import Config
from .names import Refused
from .shows_ports import PORT_SHOW_RULES
from .shows_qos import QOS_SHOW_RULES

_BUILD_DATE = "2019-01-10 12:08:31"


def _version(view: View) -> Shown:
    release = view.release.text
    data = {
        "Product name": view.release.product,
        "Product release": release,
        "Build ID": "#1-dev",
        "Build date": _BUILD_DATE,
        "Target arch": "x86_64",
        "Target hw": "x86_64",
        "Built by": "lab@stand-in",
        "Version summary": f"X86_64 {release} {_BUILD_DATE} x86_64",
        "Product model": "x86onie",
        "Host ID": "000000000000",
        "System serial num": "STAND-IN",
        "System UUID": "00000000-0000-0000-0000-000000000000",
        "Uptime": NOT_AVAILABLE,
        "CPU load averages": NOT_AVAILABLE,
        "Number of CPUs": NOT_AVAILABLE,
        "System memory": NOT_AVAILABLE,
        "Swap": NOT_AVAILABLE,
    }
    return Shown("\n".join(f"{key + ':':<19}{value}" for key, value in data.items()), data)


def _hosts(view: View) -> Shown:
    name = view.config.hostname
    return Shown(
        f"Hostname: {name}\nName server: none\nDomain name: none",
        [{"Hostname": name, "Name server": "none", "Domain name": "none"}],
    )


def _module(_view: View) -> Shown:
    data = {"MGMT": [{"Status": "ready"}]}
    return Shown("Module   Status\n------   ------\nMGMT     ready", data)


def _system_type(_view: View) -> Shown:
    return Shown("MSN2700", {"value": ["MSN2700"]})


def _vlan(view: View) -> Shown:
    rows = {"1": {"Name": "default", "Ports": ", ".join(f"Eth{name}" for name in view.config.names())}}
    rows |= {str(vlan): {"Name": name, "Ports": ""} for vlan, name in sorted(view.config.vlans.items())}
    data = {vlan: [row] for vlan, row in rows.items()} if view.release.lists_tables else rows
    lines = [f"{vlan:<8}{row['Name']:<12}{row['Ports']}".rstrip() for vlan, row in rows.items()]
    return Shown("\n".join(["VLAN    Name        Ports", "----    ----        -----", *lines]), data)


def _ntp(view: View) -> Shown:
    return Shown("\n".join(["NTP servers:", *(f"  {server}" for server in view.config.ntp_servers)]))


def _licenses(view: View) -> Shown:
    lines = [f"License {number}: {key}" for number, key in enumerate(view.config.licenses, start=1)]
    return Shown("\n".join(lines) or "No licenses have been configured.")


def _running(view: View) -> Shown:
    return _configuration(view, view.config, expanded=False)


def _running_expanded(view: View) -> Shown:
    return _configuration(view, view.config, expanded=True)


def _saved(view: View) -> Shown:
    return _configuration(view, view.switch.files[view.switch.active], expanded=False)


def _configuration(view: View, config: Config, expanded: bool) -> Shown:
    return Shown(running_config.render(config, view.switch.active, view.now, expanded))


def _files(view: View) -> Shown:
    switch = view.switch
    lines = [f"{name} (active)" if name == switch.active else name for name in sorted(switch.files)]
    facts = {"Active configuration": switch.active, "Unsaved changes": "yes" if switch.unsaved else "no"}
    return Shown("\n".join([*lines, "", *(f"{key:<20}: {value}" for key, value in facts.items())]))


def _file(view: View, name: str) -> Shown:
    if name not in view.switch.files:
        raise Refused(f"% No such configuration file: {name}")
    return Shown(running_config.render(view.switch.files[name], name, view.now, expanded=False))


# Each action takes the view, then the values of its words.
SHOW_RULES: list[Rule] = [
    rule("show version", EXEC, _version),
    rule("show hosts", EXEC, _hosts),
    rule("show module", EXEC, _module),
    rule("show system type", EXEC, _system_type),
    rule("show vlan", EXEC, _vlan),
    rule("show ntp", EXEC, _ntp),
    rule("show licenses", ENABLE, _licenses),
    rule("show running-config", ENABLE, _running),
    rule("show running-config expanded", ENABLE, _running_expanded),
    rule("show configuration", ENABLE, _saved),
    rule("show configuration running", ENABLE, _running),
    rule("show configuration files", ENABLE, _files),
    rule("show configuration files <name>", ENABLE, _file),
    *PORT_SHOW_RULES,
    *QOS_SHOW_RULES,
]
