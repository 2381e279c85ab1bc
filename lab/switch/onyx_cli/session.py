"""One session on the switch: a mode, a prompt, and what each line answers. No terminal, no files."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable

from . import faults
from .answer import Shown, View
from .changes import (
    DEFAULT_INTERFACE,
    GLOBAL_RULES,
    MAKE_POOL,
    MAKE_VLAN,
    POOL_RULES,
    PORT_RULES,
    VLAN_RULES,
    Confirm,
)
from .fabric import Fabric, MachineFabric
from .grammar import CONFIG, ENABLE, EXEC, Rule, match, rule
from .model import FIRST_FILE, Switch
from .names import Refused
from .release import Release
from .shows import SHOW_RULES
from .store import Store, WithoutFaults

_FULL = "% Failed to write the configuration file: No space left on device."
_REJECTED = "% Internal error: the command could not be carried out."


class Session:
    """A person's or program's dialogue with the switch; `handle` takes a line and returns what it prints.

    `ended` says that the session is over, and `dropped` that it broke off: nothing more is printed then.
    """

    def __init__(
        self,
        store: Store,
        fabric: Fabric | None = None,
        release: Release | None = None,
        now: Callable[[], str] = lambda: "2019/01/10 12:00:00 +0000",
    ) -> None:
        self._store = store
        self._fabric = fabric or MachineFabric()
        self._release = release or Release()
        self._now = now
        self._mode = EXEC
        # The ports, pool or VLAN inside whose mode the session is; at most one of them.
        self._ports = ""
        self._pool = ""
        self._vlan = 0
        # A question that waits for "yes", and the line that is carried out then.
        self._question = ""
        self._asked: list[str] = []
        self.paging = True
        self.ended = False
        self.dropped = False
        self._own_rules: list[Rule] = [
            rule("enable", EXEC, self._enable),
            rule("disable", ENABLE, self._disable),
            rule("configure terminal", ENABLE, self._configure),
            rule("exit", EXEC, self._exit),
            rule("no cli session paging enable", EXEC, self._paging_off),
            rule("cli session paging enable", EXEC, self._paging_on),
            rule("cli session terminal width|length <1-2000>", EXEC, self._terminal),
            rule("terminal width|length <0-2000>", EXEC, self._terminal),
            rule("terminal type <name>", EXEC, self._terminal_type),
        ]
        self._file_rules: list[Rule] = [
            rule("configuration write", CONFIG, _write),
            rule("configuration write to <file>", CONFIG, _write_to),
            rule("configuration write to <file> no-switch", CONFIG, _write_aside),
            rule("configuration copy <file> <file>", CONFIG, _copy),
            rule("configuration switch-to <file>", CONFIG, _switch_to),
            rule("configuration delete <file>", CONFIG, _delete),
            rule("configuration revert saved", CONFIG, _revert),
            rule("write memory", ENABLE, _write),
        ]
        self._writes = self._file_rules[:4] + self._file_rules[-1:]

    def prompt(self) -> str:
        """Return what the switch prints when it waits for a line, with its trailing space."""
        if self._question:
            return self._question
        with self._store.locked() as switch:
            name = switch.running.hostname
        if self._mode == EXEC:
            return f"{name} [standalone: master] > "
        if self._mode == ENABLE:
            return f"{name} [standalone: master] # "
        inside = "config"
        if self._ports:
            inside = f"config interface ethernet {self._ports}"
        elif self._pool:
            inside = f"config pool {self._pool}"
        elif self._vlan:
            inside = f"config vlan {self._vlan}"
        return f"{name} [standalone: master] ({inside}) # "

    def delay(self) -> float:
        """Return by how many seconds the next prompt comes late."""
        try:
            with self._store.faults() as switched_on:
                return faults.delay(switched_on)
        except faults.FaultError:
            # The next command says what is wrong with the list.
            return 0.0

    def handle(self, line: str) -> str:
        """Carry out one line; return its answer, empty or with a newline at its end."""
        if self._question:
            return self._answered(line)
        command, *filters = [part.strip() for part in line.split("|")]
        words = command.split()
        if not words or words[0].startswith(("!", "#")):
            return ""
        try:
            text = _filtered(self._answer(words), filters)
        except Confirm as confirm:
            self._question, self._asked = str(confirm), words
            return ""
        except (Refused, faults.FaultError) as refusal:
            kind = "" if isinstance(refusal, Refused) else "% The list of faults cannot be read: "
            text = f"{kind}{refusal}"
        return f"{text}\n" if text and not self.dropped else ""

    def _answered(self, line: str) -> str:
        words, self._question, self._asked = self._asked, "", []
        return self.handle(" ".join([*words, "force"])) if line.strip().lower() == "yes" else ""

    def _answer(self, words: list[str]) -> Shown:
        port_line = self._port_line(words)
        if port_line is not None:
            return self._on_ports(*port_line)
        if self._mode == CONFIG and words[:2] == ["default", "interface"] and len(words) == 4:
            return self._change_ports(DEFAULT_INTERFACE, words[3], ())
        rules = [*self._own_rules, *self._file_rules, *SHOW_RULES, *GLOBAL_RULES, MAKE_POOL, MAKE_VLAN]
        if self._ports:
            rules += PORT_RULES
        if self._pool:
            rules += POOL_RULES
        if self._vlan:
            rules += VLAN_RULES
        chosen, values = match(words, rules, self._mode, self._release.number)
        if chosen in self._own_rules:
            chosen.action(*values)
            return Shown("")
        return self._follow(chosen, values)

    def _follow(self, chosen: Rule, values: tuple[object, ...]) -> Shown:
        if chosen in PORT_RULES:
            return self._change_ports(chosen, self._ports, values)
        if chosen in SHOW_RULES:
            return self._show(chosen, values)
        if chosen in (MAKE_POOL, MAKE_VLAN):
            return self._make_and_enter(chosen, values)
        if chosen in POOL_RULES:
            values = (self._pool, *values)
        elif chosen in VLAN_RULES:
            values = (self._vlan, *values)
        return self._change(chosen, values)

    def _show(self, chosen: Rule, values: tuple[object, ...]) -> Shown:
        with self._store.faults() as switched_on:
            strikes = faults.at_command(switched_on, changing=False)
            held_down = faults.ports_down(switched_on)
        if strikes.drop:
            self._drop()
            return Shown("")
        if strikes.reject:
            raise Refused(_REJECTED)
        with self._store.locked() as switch:
            shown: Shown = chosen.action(
                View(switch, self._fabric, self._release, self._now(), held_down), *values
            )
        return shown

    def _change(self, chosen: Rule, values: tuple[object, ...]) -> Shown:
        def action(switch: Switch) -> None:
            chosen.action(switch if chosen in self._file_rules else switch.running, *values)

        return self._carry_out(action, writes=chosen in self._writes)

    def _change_ports(self, chosen: Rule, ports: str, values: tuple[object, ...]) -> Shown:
        def action(switch: Switch) -> None:
            # The names are looked up once: a split takes ports away while it goes through the range.
            for name in switch.running.named(ports):
                chosen.action(switch.running, name, *values)

        return self._carry_out(action)

    def _carry_out(self, action: Callable[[Switch], None], writes: bool = False) -> Shown:
        """Change the switch as one step, with all that the switched-on faults do to it."""
        with self._store.faults() as switched_on:
            strikes = faults.at_command(switched_on, changing=True)
            full = writes and faults.flash_is_full(switched_on)
        self._other_admin(strikes.lines_before)
        if strikes.drop == "before":
            self._drop()
            return Shown("")
        if strikes.reject or full:
            raise Refused(_FULL if full else _REJECTED)
        with self._store.locked() as switch:
            action(switch)
            switch.running.tidy()
        self._other_admin(strikes.lines_after)
        if strikes.drop == "after":
            self._drop()
        return Shown("")

    def _other_admin(self, lines: tuple[str, ...]) -> None:
        """Let someone else give these lines, in a session of their own that no fault reaches."""
        if lines:
            other = Session(WithoutFaults(self._store), self._fabric, self._release, self._now)
            for line in ("enable", "configure terminal", *lines):
                other.handle(line)

    def _drop(self) -> None:
        self.ended = self.dropped = True

    def _port_line(self, words: list[str]) -> tuple[str, list[str]] | None:
        """Return ports and the rest of a line that begins with them ("[no] interface ethernet 1/1 …")."""
        negated = words[:1] == ["no"]
        head = words[1:] if negated else words
        literal = all(
            len(given) >= 3 and full.startswith(given)
            for given, full in zip(head[:2], ("interface", "ethernet"), strict=False)
        )
        if self._mode != CONFIG or len(head) < 3 or not literal:
            return None
        return head[2], ["no", *head[3:]] if negated else head[3:]

    def _on_ports(self, ports: str, words: list[str]) -> Shown:
        if not words:
            self._enter(ports)
            return Shown("")
        chosen, values = match(words, PORT_RULES, self._mode, self._release.number)
        return self._change_ports(chosen, ports, values)

    def _enter(self, ports: str) -> None:
        with self._store.locked() as switch:
            running = switch.running
        running.named(ports)
        if not running.prefix_modes:
            raise Refused(f'% Incomplete command.\nType "interface ethernet {ports} ?" for help.')
        self._leave()
        self._ports = ports

    def _make_and_enter(self, chosen: Rule, values: tuple[object, ...]) -> Shown:
        shown = self._change(chosen, values)
        with self._store.locked() as switch:
            enters = switch.running.prefix_modes
        if enters:
            self._leave()
            if chosen is MAKE_POOL:
                self._pool = str(values[0])
            else:
                self._vlan = int(str(values[0]))
        return shown

    def _leave(self) -> None:
        self._ports, self._pool, self._vlan = "", "", 0

    def _enable(self) -> None:
        self._mode = max(self._mode, ENABLE)

    def _disable(self) -> None:
        self._mode = EXEC
        self._leave()

    def _configure(self) -> None:
        self._mode = CONFIG
        self._leave()

    def _exit(self) -> None:
        if self._ports or self._pool or self._vlan:
            self._leave()
        elif self._mode == CONFIG:
            self._mode = ENABLE
        else:
            self.ended = True

    def _paging_off(self) -> None:
        self.paging = False

    def _paging_on(self) -> None:
        self.paging = True

    def _terminal(self, _what: str, _size: int) -> None:
        """Accepted for clients that set it: this terminal never wraps by itself."""

    def _terminal_type(self, _name: str) -> None:
        """Accepted for clients that set it: no answer depends on it."""


def _filtered(answer: Shown, filters: list[str]) -> str:
    text = answer.text
    for each in filters:
        name, _, pattern = each.partition(" ")
        if name == "json-print":
            data = answer.data if answer.data is not None else [{"Lines": text.split("\n")}]
            text = json.dumps(data, indent=4)
        elif name in ("include", "exclude") and pattern:
            text = _grep(text, pattern.strip('" '), keep=name == "include")
        else:
            raise Refused(f'% Unrecognized command "{name}".\nType "?" for help.')
    return text


def _grep(text: str, pattern: str, keep: bool) -> str:
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise Refused(f"% Invalid regular expression: {pattern}") from error
    return "\n".join(line for line in text.splitlines() if bool(wanted.search(line)) == keep)


def _write(switch: Switch) -> None:
    switch.save()


def _write_to(switch: Switch, name: str) -> None:
    switch.save(_file_name(name))


def _write_aside(switch: Switch, name: str) -> None:
    switch.save(_file_name(name), activate=False)


def _copy(switch: Switch, name: str, target: str) -> None:
    _known(switch, name)
    if target == switch.active:
        raise Refused(f"% Cannot overwrite the active configuration file {target}.")
    switch.files[_file_name(target)] = copy.deepcopy(switch.files[name])


def _switch_to(switch: Switch, name: str) -> None:
    _known(switch, name)
    switch.load(name)


def _revert(switch: Switch) -> None:
    switch.load(switch.active)


def _delete(switch: Switch, name: str) -> None:
    _known(switch, name)
    if name in (switch.active, FIRST_FILE):
        raise Refused(f"% Cannot delete configuration file {name}.")
    del switch.files[name]


def _file_name(name: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._-]+", name) is None:
        raise Refused(f"% Invalid configuration file name: {name}")
    return name


def _known(switch: Switch, name: str) -> None:
    if name not in switch.files:
        raise Refused(f"% No such configuration file: {name}")
