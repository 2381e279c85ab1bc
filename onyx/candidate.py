"""What the switch shall have: our settings imposed on what is there, or given back to what was before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from onyx.state import Configuration, Kind, Setting, same
from onyx.wanted import NO_ROCE, Wanted


@dataclass(frozen=True)
class Before:
    """What was there before our settings: `whole` when the first came, `ports` when a port came later.

    `whole` is None where no snapshot exists; then the switch's defaults count as what was before. Its name
    and LLDP stay then, since nobody knows what they were and others live with them.
    """

    whole: Configuration | None = None
    ports: Mapping[str, Configuration] = field(default_factory=dict)

    def get(self, setting: Setting, found: Configuration) -> str:
        """Return what a setting of ours was before; `found` is what runs now."""
        source = self.ports.get(setting.where, self.whole) if setting.port else self.whole
        if source is not None:
            return source.get(setting)
        return found.get(setting) if setting.kind in (Kind.HOSTNAME, Kind.LLDP) else setting.default


def imposed(wanted: Wanted) -> dict[Setting, str]:
    """Return all settings that are ours, with the values that they shall have."""
    values = {Setting(Kind.HOSTNAME): wanted.hostname, Setting(Kind.LLDP): "on"}
    for port in wanted.ports:
        values[Setting(Kind.LLDP_TRANSMIT, port)] = "on"
        values[Setting(Kind.LLDP_RECEIVE, port)] = "on"
    if wanted.roce != NO_ROCE:
        return {**values, Setting(Kind.ROCE): wanted.roce}
    values |= {
        Setting(Kind.POOL_TYPE, wanted.pool): wanted.pool_type,
        Setting(Kind.POOL_MEMORY, wanted.pool): wanted.pool_memory_percent,
        Setting(Kind.POOL_PRIORITY, wanted.pool, wanted.pool_switch_priority): "yes",
        Setting(Kind.PFC): "on",
        Setting(Kind.PFC_PRIORITY, number=wanted.pfc_priority): "yes",
    }
    for port in wanted.ports:
        values |= {
            Setting(Kind.TRUST, port): wanted.trust,
            Setting(Kind.CONGESTION, port, wanted.ecn_traffic_class): wanted.ecn,
            Setting(Kind.SCHEDULING, port, wanted.strict_traffic_class): "strict",
            Setting(Kind.PAUSE_SEND, port): "off",
            Setting(Kind.PAUSE_RECEIVE, port): "off",
            Setting(Kind.PORT_PFC, port): "on",
        }
    return values


def impose(config: Configuration, wanted: Wanted) -> Configuration:
    """Return `config` with our settings as wanted and all else as it is.

    Our pool is ours as a whole, so it holds exactly the wanted priority. A threshold that is the wanted one
    but for the switch's rounding stays as the switch wrote it.
    """
    changes = {
        each: config.get(each) if same(each, config.get(each), value) else value
        for each, value in imposed(wanted).items()
    }
    if wanted.roce == NO_ROCE:
        for number in config.pool_priorities(wanted.pool):
            changes.setdefault(Setting(Kind.POOL_PRIORITY, wanted.pool, number), "no")
    return config.changed(changes)


def give_back(
    config: Configuration, ours: Wanted, before: Before, only: Iterable[str] | None = None
) -> Configuration:
    """Return `config` with our settings as they were before us and all else as it is.

    `only` limits that to the settings of some of our ports. Of what all ports share (PFC and its priority),
    whoever came to use it since then keeps what they need.
    """
    chosen = None if only is None else set(only)
    changes: dict[Setting, str] = {}
    for each in imposed(ours):
        if chosen is None or each.port in chosen:
            changes[each] = before.get(each, config)
    if chosen is None:
        if ours.roce == NO_ROCE:
            changes |= _former_priorities(config, ours, before)
        for each in _pfc_of_others(config, ours, before):
            changes.pop(each, None)
    return config.changed(changes)


def _former_priorities(config: Configuration, ours: Wanted, before: Before) -> dict[Setting, str]:
    """Return our pool's priorities as they were, but for one that someone gave to another pool since."""
    others = {
        number for name in config.pools() if name != ours.pool for number in config.pool_priorities(name)
    }
    former = before.whole.pool_priorities(ours.pool) if before.whole is not None else []
    numbers = {*config.pool_priorities(ours.pool), *former} - others
    settings = [Setting(Kind.POOL_PRIORITY, ours.pool, number) for number in sorted(numbers)]
    return {each: before.get(each, config) for each in settings}


def _pfc_of_others(config: Configuration, ours: Wanted, before: Before) -> list[Setting]:
    """Return what of PFC others need by now: that it is on for their priority, all of it for their port."""
    new = {each for each, value in config.values.items() if before.get(each, config) != value}
    priorities = {each for each in new if each.kind is Kind.PFC_PRIORITY and each.number != ours.pfc_priority}
    ports = {each for each in new if each.kind is Kind.PORT_PFC and each.where not in ours.ports}
    if any(config.get(each) == "on" for each in ports):
        return [Setting(Kind.PFC), Setting(Kind.PFC_PRIORITY, number=ours.pfc_priority)]
    return [Setting(Kind.PFC)] if priorities else []
