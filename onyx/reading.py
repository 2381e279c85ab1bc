"""Which commands observe the switch, and what their answers add up to; over any session that runs lines."""

from __future__ import annotations

from typing import Protocol

from onyx import dialect, parse
from onyx.errors import WantedError
from onyx.state import Configuration, Congestion, SwitchState
from onyx.wanted import Wanted

# The switch may round thresholds to its buffer's cells; this much is the same threshold.
_TOLERANCE_KB = 1
_TOLERANCE_SHARE = 0.02


class Runner(Protocol):
    """A session in the switch's enable mode or beyond."""

    def run(self, line: str) -> str:
        """Send one line and return its answer; raises CommandRefused when the switch refuses it."""


def read_state(session: Runner) -> SwitchState:
    """Return the switch's state from three commands, whatever the number of ports."""
    release = parse.release(parse.json_answer(session.run(dialect.SHOW_VERSION)))
    running = parse.running_config(session.run(dialect.SHOW_RUNNING))
    pfc = parse.pfc_table(parse.json_answer(session.run(dialect.SHOW_PFC)))
    return SwitchState(release, running, frozenset(pfc.admin))


def read_saved(session: Runner) -> Configuration:
    """Return the configuration that the switch's next start would load."""
    return parse.running_config(session.run(dialect.SHOW_SAVED))


def check_fits(state: SwitchState, wanted: Wanted) -> None:
    """Raise WantedError when the switch cannot take the settings: its release, its buffer mode, its ports."""
    if dialect.release_number(state.release) < dialect.OLDEST_RELEASE:
        oldest = ".".join(str(part) for part in dialect.OLDEST_RELEASE)
        raise WantedError(f"the switch runs release {state.release}; traffic pools need {oldest} or later")
    if state.running.manual_buffers:
        raise WantedError(
            f'the switch is in manual buffer mode ("{dialect.MANUAL_BUFFERS}"), which excludes traffic '
            "pools; leave that mode by hand first"
        )
    missing = [name for name in wanted.ports if state.known_ports and name not in state.known_ports]
    if missing:
        raise WantedError(f"the switch has no port {', '.join(missing)}: check the hosts' switch_port")


def contradictions(session: Runner, wanted: Wanted) -> list[str]:
    """Return where pool and ports do not do what is configured, as sentences; asked after a change.

    This reads the JSON views of the pool, of PFC and of each wired port, which show what the switch made
    of its configuration.
    """
    found = [*_pool(session, wanted), *_pfc(session, wanted)]
    for port in wanted.ports:
        trust = parse.trust(parse.json_answer(session.run(dialect.SHOW_QOS.format(port=port))), port)
        found += _unless(trust == wanted.trust, f"port {port} trusts {trust}, wanted {wanted.trust}")
        answer = session.run(dialect.SHOW_CONGESTION.format(port=port))
        found += _congestion(parse.congestion(parse.json_answer(answer)), port, wanted)
        strict = parse.strict(parse.json_answer(session.run(dialect.SHOW_ETS.format(port=port))), port)
        found += _unless(
            strict == {wanted.strict_traffic_class},
            f"port {port} has strict classes {sorted(strict)}, wanted {wanted.strict_traffic_class}",
        )
    return found


def _pool(session: Runner, wanted: Wanted) -> list[str]:
    answer = session.run(dialect.SHOW_POOL.format(pool=wanted.pool))
    pool = parse.pools(parse.json_answer(answer)).get(wanted.pool)
    if pool is None:
        return [f"the switch does not show the pool {wanted.pool}"]
    right = (wanted.pool_type, wanted.pool_memory_percent, frozenset({wanted.pool_switch_priority}))
    return _unless(
        (pool.type, pool.memory_percent, pool.priorities) == right,
        f"pool {wanted.pool} is {pool.type} with {pool.memory_percent} % for priorities "
        f"{sorted(pool.priorities)}",
    )


def _pfc(session: Runner, wanted: Wanted) -> list[str]:
    table = parse.pfc_table(parse.json_answer(session.run(dialect.SHOW_PFC)))
    found = _unless(
        table.enabled and table.priorities == {wanted.pfc_priority},
        f"PFC is {'on' if table.enabled else 'off'} for priorities {sorted(table.priorities)}, "
        f"wanted on for {wanted.pfc_priority}",
    )
    for port in wanted.ports:
        # The operational state also needs a link, so only the administrative one is a contradiction.
        admin = table.admin.get(port, "absent")
        found += _unless(admin == "on", f"port {port} has PFC {admin}, wanted on")
    return found


def _congestion(classes: dict[int, Congestion], port: str, wanted: Wanted) -> list[str]:
    marking = {tc: each for tc, each in classes.items() if each.marks}
    each = marking.get(wanted.ecn_traffic_class)
    if each is None or len(marking) != 1 or each.mode != "ecn" or not each.absolute:
        return [f"port {port} marks ECN on classes {sorted(marking)}, wanted {wanted.ecn_traffic_class}"]
    right = _near(each.minimum, wanted.ecn_minimum_kb) and _near(each.maximum, wanted.ecn_maximum_kb)
    return _unless(
        right,
        f"port {port} marks ECN from {each.minimum} to {each.maximum} KB, "
        f"wanted {wanted.ecn_minimum_kb} to {wanted.ecn_maximum_kb}",
    )


def _near(found: int, wanted: int) -> bool:
    return abs(found - wanted) <= max(_TOLERANCE_KB, _TOLERANCE_SHARE * wanted)


def _unless(right: bool, sentence: str) -> list[str]:
    return [] if right else [sentence]
