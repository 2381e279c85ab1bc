"""One session on the switch: a mode, a prompt, and what each line answers. No terminal, no files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from .changes import GLOBAL_RULES, PORT_RULES
from .grammar import CONFIG, ENABLE, EXEC, Rule, match, rule
from .model import FIRST_FILE, Refused, Switch, port_names
from .ports import Link, read_link
from .shows import SHOW_RULES, Shown, View
from .store import Store


class Session:
    """A person's or program's dialogue with the switch; `handle` takes a line and returns what it prints."""

    def __init__(
        self,
        store: Store,
        link: Callable[[str], Link] = read_link,
        now: Callable[[], str] = lambda: "2019/01/10 12:00:00 +0000",
    ) -> None:
        self._store = store
        self._link = link
        self._now = now
        self._mode = EXEC
        self._ports = ""
        self.paging = True
        self.ended = False
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
            rule("configuration switch-to <file>", CONFIG, _switch_to),
            rule("configuration delete <file>", CONFIG, _delete),
            rule("write memory", ENABLE, _write),
        ]

    def prompt(self) -> str:
        """Return what the switch prints when it waits for a line, with its trailing space."""
        with self._store.locked() as switch:
            name = switch.running.hostname
        if self._mode == EXEC:
            return f"{name} [standalone: master] > "
        if self._mode == ENABLE:
            return f"{name} [standalone: master] # "
        inside = f"config interface ethernet {self._ports}" if self._ports else "config"
        return f"{name} [standalone: master] ({inside}) # "

    def handle(self, line: str) -> str:
        """Carry out one line; return its answer, empty or with a newline at its end."""
        command, *filters = [part.strip() for part in line.split("|")]
        words = command.split()
        if not words or words[0].startswith(("!", "#")):
            return ""
        try:
            answer = self._answer(words)
            text = _filtered(answer, filters)
        except Refused as refusal:
            text = str(refusal)
        return f"{text}\n" if text else ""

    def _answer(self, words: list[str]) -> Shown:
        port_line = self._port_line(words)
        if port_line is not None:
            return self._on_ports(*port_line)
        own = [*self._own_rules, *self._file_rules, *SHOW_RULES, *GLOBAL_RULES]
        if self._ports:
            own = [*own, *PORT_RULES]
        chosen, values = match(words, own, self._mode)
        if chosen in self._own_rules:
            chosen.action(*values)
            return Shown("")
        if chosen in PORT_RULES:
            return self._on_ports(self._ports, words)
        with self._store.locked() as switch:
            return self._on_switch(chosen, values, switch)

    def _on_switch(self, chosen: Rule, values: tuple[object, ...], switch: Switch) -> Shown:
        if chosen in SHOW_RULES:
            shown: Shown = chosen.action(View(switch, self._link, self._now()), *values)
            return shown
        chosen.action(switch if chosen in self._file_rules else switch.running, *values)
        return Shown("")

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
        names = port_names(ports)
        if not words:
            self._ports = ports
            return Shown("")
        chosen, values = match(words, PORT_RULES, self._mode)
        with self._store.locked() as switch:
            for name in names:
                chosen.action(switch.running.port(name), *values)
        return Shown("")

    def _enable(self) -> None:
        self._mode = max(self._mode, ENABLE)

    def _disable(self) -> None:
        self._mode, self._ports = EXEC, ""

    def _configure(self) -> None:
        self._mode, self._ports = CONFIG, ""

    def _exit(self) -> None:
        if self._ports:
            self._ports = ""
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
        if name == "json-print" and answer.data is not None:
            text = json.dumps(answer.data, indent=4)
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
    switch.save(name)


def _write_aside(switch: Switch, name: str) -> None:
    switch.save(name, activate=False)


def _switch_to(switch: Switch, name: str) -> None:
    _known(switch, name)
    switch.load(name)


def _delete(switch: Switch, name: str) -> None:
    _known(switch, name)
    if name in (switch.active, FIRST_FILE):
        raise Refused(f"% Cannot delete configuration file {name}.")
    del switch.files[name]


def _known(switch: Switch, name: str) -> None:
    if name not in switch.files:
        raise Refused(f"% No such configuration file: {name}")
