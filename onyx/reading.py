"""Which commands observe the switch, and what their answers add up to; over any session that runs lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

from onyx import dialect, parse
from onyx.candidate import Before
from onyx.errors import CommandRefused, UnexpectedAnswer, WantedError
from onyx.state import Configuration, Kind, Neighbours, Setting, SwitchState, same
from onyx.wanted import NO_ROCE, Wanted


class Runner(Protocol):
    """A session in the switch's enable mode or beyond."""

    def run(self, line: str) -> str:
        """Send one line and return its answer; raises CommandRefused when the switch refuses it."""


def read_state(session: Runner) -> SwitchState:
    """Return the switch's state from four commands (five where it knows `roce`), however many its ports."""
    release = parse.release(parse.json_answer(session.run(dialect.SHOW_VERSION)))
    running = parse.configuration(session.run(dialect.SHOW_RUNNING))
    if knows_roce(release):
        # The mode is asked for by itself: what a configuration says of it was never seen on a device.
        mode = parse.roce_mode(session.run(dialect.SHOW_ROCE))
        running = running.changed({Setting(Kind.ROCE): mode})
    return SwitchState(
        release=release,
        running=running,
        saved=parse.configuration(session.run(dialect.SHOW_SAVED)),
        pfc=parse.pfc_table(parse.json_answer(session.run(dialect.SHOW_PFC))),
    )


def read_everything(session: Runner, ports: Iterable[str]) -> SwitchState:
    """Return the state with what only observing needs: each port's DSCP map, and who is behind the ports."""
    state = read_state(session)
    there = [port for port in ports if port in state.pfc.admin]
    answers = {port: parse.json_answer(session.run(dialect.SHOW_QOS.format(port=port))) for port in there}
    return replace(
        state,
        dscp_maps={port: parse.dscp_map(data, port) for port, data in answers.items()},
        neighbours=_neighbours(session),
    )


def _neighbours(session: Runner) -> Neighbours:
    lldp = next((data for line in dialect.SHOW_LLDP if (data := _if_known(session, line)) is not None), None)
    return parse.who_is_there(lldp, _if_known(session, dialect.SHOW_MACS))


def _if_known(session: Runner, line: str) -> Any:
    """Return the data of an answer, or None where the switch does not know the command or has nothing."""
    try:
        return parse.json_answer(session.run(line))
    except (CommandRefused, UnexpectedAnswer):
        return None


def knows_roce(release: str) -> bool:
    """Whether a release has the command `roce`."""
    return dialect.release_number(release) >= dialect.release_number(dialect.ROCE_RELEASE)


def snapshot_names(session: Runner) -> list[str]:
    """Return the configuration files of ours that are on the switch."""
    names = parse.file_names(session.run(dialect.SHOW_FILES))
    return [name for name in names if name.split("-")[:2] == dialect.SNAPSHOT_FILE.split("-")]


def read_before(session: Runner, names: Iterable[str], ports: Iterable[str]) -> Before:
    """Return what our snapshots keep: the first one, and those of `ports` that became ours later."""
    there = set(names)
    own = {port: dialect.port_snapshot(port) for port in ports}
    return Before(
        whole=_file(session, dialect.SNAPSHOT_FILE) if dialect.SNAPSHOT_FILE in there else None,
        ports={
            port: kept
            for port, name in own.items()
            if name in there and (kept := _file(session, name)) is not None
        },
    )


def _file(session: Runner, name: str) -> Configuration | None:
    """Return what a configuration file holds, or None where the switch does not show its files."""
    try:
        return parse.configuration(session.run(dialect.SHOW_FILE.format(file=name)))
    except CommandRefused:
        return None


def check_fits(state: SwitchState, base: Configuration, wanted: Wanted) -> None:
    """Raise WantedError when the switch cannot take the settings, with the reason.

    `base` is what it has without what is ours: its release, its buffer mode, its RoCE mode, its pools and its
    ports have to leave room. Nothing of that is changed here, since it is someone's.
    """
    release = dialect.release_number(state.release)
    least = max(wanted.minimum_release, dialect.OLDEST_RELEASE, key=dialect.release_number)
    if release < dialect.release_number(least):
        raise WantedError(
            f"the switch runs release {state.release}, but its minimum_release is {least}: bring its "
            "software up to date first"
        )
    if wanted.roce != NO_ROCE and not knows_roce(state.release):
        raise WantedError(
            f"the switch runs release {state.release}, which has no command `roce` (it came with "
            f"{dialect.ROCE_RELEASE}): set its roce_command to false"
        )
    if base.manual_buffers:
        raise WantedError(
            f'the switch is in manual buffer mode ("{dialect.MANUAL_BUFFERS}"), which excludes traffic '
            "pools; leave that mode by hand first"
        )
    missing = [name for name in wanted.ports if state.pfc.admin and name not in state.pfc.admin]
    if missing:
        raise WantedError(
            f"the switch has no port {', '.join(missing)}: check its hosts' switch_port, its uplinks and its "
            "qos_ports"
        )
    mode = base.get(Setting(Kind.ROCE))
    if wanted.roce == NO_ROCE:
        if mode != NO_ROCE:
            raise WantedError(
                f"the switch is in RoCE mode {mode}, which sets its own pools: set its roce_command to "
                "true, or leave the mode by hand (`no roce`)"
            )
        _check_pools(base, wanted)


def _check_pools(base: Configuration, wanted: Wanted) -> None:
    others = [name for name in base.pools() if name != wanted.pool]
    for name in others:
        if wanted.pool_switch_priority in base.pool_priorities(name):
            raise WantedError(
                f"switch priority {wanted.pool_switch_priority} belongs to the pool {name}, which is not "
                "ours; take it out of that pool by hand or choose another priority"
            )
    taken = sum(float(base.get(Setting(Kind.POOL_MEMORY, name))) for name in others)
    if taken + float(wanted.pool_memory_percent) > 100:
        raise WantedError(
            f"the pools {', '.join(others)}, which are not ours, hold {taken:.2f} % of the memory; "
            f"{wanted.pool_memory_percent} % for the pool {wanted.pool} are not left"
        )


def contradictions(session: Runner, wanted: Wanted, ports: Iterable[str]) -> list[str]:
    """Return where pool and ports do not do what is configured, as sentences; asked after a change.

    This reads the JSON views of the pool, of PFC and of each of `ports`, which show what the switch made of
    its configuration. An operational PFC state also needs a link, so it is no contradiction.
    """
    if wanted.roce != NO_ROCE:
        return _roce(session, wanted)
    found = [*_pool(session, wanted), *_pfc(session, wanted)]
    for port in ports:
        found += _port(session, port, wanted)
    return found


def _roce(session: Runner, wanted: Wanted) -> list[str]:
    facts = parse.roce_facts(session.run(dialect.SHOW_ROCE))
    right = {
        "trust": wanted.trust,
        "ecn": wanted.ecn,
        "pfc": str(wanted.pfc_priority),
        "strict": str(wanted.strict_traffic_class),
    }
    return [
        f"the RoCE mode has {key} {facts[key]}, wanted {value}"
        for key, value in right.items()
        if facts[key] != value
    ]


def _pool(session: Runner, wanted: Wanted) -> list[str]:
    found = parse.pools(parse.json_answer(session.run(dialect.SHOW_POOL.format(pool=wanted.pool))))
    right = {
        Setting(Kind.POOL_TYPE, wanted.pool): wanted.pool_type,
        Setting(Kind.POOL_MEMORY, wanted.pool): wanted.pool_memory_percent,
        Setting(Kind.POOL_PRIORITY, wanted.pool, wanted.pool_switch_priority): "yes",
    }
    return [
        f"{each} is {found.get(each, each.default)}, wanted {right.get(each, each.default)}"
        for each in sorted({*found, *right})
        if found.get(each, each.default) != right.get(each, each.default)
    ]


def _pfc(session: Runner, wanted: Wanted) -> list[str]:
    table = parse.pfc_table(parse.json_answer(session.run(dialect.SHOW_PFC)))
    found = []
    if not table.enabled or wanted.pfc_priority not in table.priorities:
        found.append(
            f"PFC is {'on' if table.enabled else 'off'} for priorities {sorted(table.priorities)}, wanted on "
            f"for {wanted.pfc_priority}"
        )
    states = {port: table.admin.get(port, "absent") for port in wanted.ports}
    return [
        *found,
        *(f"port {port} has PFC {state}, wanted on" for port, state in states.items() if state != "on"),
    ]


def _port(session: Runner, port: str, wanted: Wanted) -> list[str]:
    qos = parse.json_answer(session.run(dialect.SHOW_QOS.format(port=port)))
    found = []
    trust = parse.trust(qos, port)
    if trust != wanted.trust:
        found.append(f"port {port} trusts {trust}, wanted {wanted.trust}")
    priorities = parse.dscp_map(qos, port)
    for dscp, priority in wanted.dscp_map:
        if priorities.get(dscp, priority) != priority:
            found.append(
                f"port {port} maps DSCP {dscp} to switch priority {priorities[dscp]}, but the profile needs "
                f"{priority}; give the port the switch's default map by hand"
            )
    answer = session.run(dialect.SHOW_CONGESTION.format(port=port))
    setting = Setting(Kind.CONGESTION, port, wanted.ecn_traffic_class)
    marks = parse.congestion_classes(parse.json_answer(answer), port).get(setting, setting.default)
    if not same(setting, marks, wanted.ecn):
        found.append(f"{setting} is {marks}, wanted {wanted.ecn}")
    strict = parse.strict_classes(parse.json_answer(session.run(dialect.SHOW_ETS.format(port=port))), port)
    if wanted.strict_traffic_class not in strict:
        found.append(
            f"port {port} has strict classes {sorted(strict)}, wanted among them is "
            f"{wanted.strict_traffic_class}"
        )
    return found
