"""A change of the switch from reading to saving: show the difference, apply, verify, save."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onyx import dialect
from onyx.diff import Difference, commands, differences, found_values, removal
from onyx.errors import ChangeFailed, CommandRefused
from onyx.reading import Runner, check_fits, contradictions, read_saved, read_state
from onyx.state import Configuration, SwitchState
from onyx.wanted import Wanted

Say = Callable[[str], None]


def apply(session: Runner, wanted: Wanted, say: Say) -> None:
    """Give the switch the wanted settings and save them; does nothing when it has and keeps them.

    Raises WantedError before the first change when the switch cannot take them, and ChangeFailed when a
    line was refused or the result is not what was wanted; then nothing is saved.
    """
    state = read_state(session)
    check_fits(state, wanted)
    say(f"switch {state.running.hostname}, release {state.release}, ports {','.join(wanted.ports)}")
    found = _differences(state.running, wanted)
    if not found and not _differences(read_saved(session), wanted):
        say("in sync: nothing to do")
        return
    for each in found:
        say(f"differs: {each}")
    session.run(dialect.CONFIGURE)
    if found:
        _snapshot(session, say)
        _send(session, commands(state.running, wanted), say, lambda: _left(session, wanted))
        _verify(session, wanted, say)
    else:
        say("differs: the running configuration is right, the saved one is not")
    _save(session, say, lambda config: not _differences(config, wanted))
    session.run(dialect.LEAVE)
    say("done: the switch has and keeps the wanted settings")


def remove(session: Runner, wanted: Wanted, say: Say) -> None:
    """Take our settings back, save, and drop the snapshot; all that is not ours stays as it is.

    Raises ChangeFailed when a line was refused or something of ours is still there; then nothing is saved.
    """
    state = read_state(session)
    say(f"switch {state.running.hostname}, release {state.release}, ports {','.join(wanted.ports)}")
    lines = removal(state.running, wanted)
    snapshot = _has_snapshot(session)
    if not lines and not removal(read_saved(session), wanted) and not snapshot:
        say("nothing of ours is on the switch: nothing to do")
        return
    session.run(dialect.CONFIGURE)
    _send(session, lines, say, lambda: [f"to take back: {line}" for line in _rest(session, wanted)])
    rest = _rest(session, wanted)
    if rest:
        raise ChangeFailed(f"after the removal the switch still needs: {'; '.join(rest)}. Nothing was saved.")
    say("verified: none of our settings is left")
    _save(session, say, lambda config: not removal(config, wanted))
    if snapshot:
        session.run(dialect.DELETE_FILE.format(file=dialect.SNAPSHOT_FILE))
        say(f"deleted: configuration file {dialect.SNAPSHOT_FILE}")
    session.run(dialect.LEAVE)
    say("done: our settings are taken back; the host name stays")


def show(session: Runner, ports: Sequence[str], pool: str) -> dict[str, str]:
    """Return what the switch has, in the keys of the wanted settings."""
    return found_in(read_state(session), ports, pool)


def found_in(state: SwitchState, ports: Sequence[str], pool: str) -> dict[str, str]:
    """Return the found values of one reading."""
    return found_values(state.running, ports, pool, state.known_ports)


def _differences(config: Configuration, wanted: Wanted) -> list[Difference]:
    return differences(found_values(config, wanted.ports, wanted.pool), wanted.lines())


def _snapshot(session: Runner, say: Say) -> None:
    """Keep what the switch had before our first change; a later change leaves that file as it is."""
    if not _has_snapshot(session):
        session.run(dialect.SNAPSHOT.format(file=dialect.SNAPSHOT_FILE))
        say(f"snapshot: configuration file {dialect.SNAPSHOT_FILE}")


def _has_snapshot(session: Runner) -> bool:
    files = session.run(dialect.SHOW_FILES).splitlines()
    return any(line.split()[:1] == [dialect.SNAPSHOT_FILE] for line in files)


def _send(session: Runner, lines: Sequence[str], say: Say, left: Callable[[], list[str]]) -> None:
    """Send the lines one by one; on a refusal say what is left to do and raise ChangeFailed."""
    for number, line in enumerate(lines, start=1):
        try:
            session.run(line)
        except CommandRefused as refused:
            say(f"refused: {line}")
            for each in left():
                say(f"now {each}")
            raise ChangeFailed(
                f'line {number} of {len(lines)}, "{line}", was refused: {refused.answer} '
                "The lines before it are in effect; nothing was saved."
            ) from refused
        say(f"sent: {line}")


def _left(session: Runner, wanted: Wanted) -> list[str]:
    return [str(each) for each in _differences(read_state(session).running, wanted)]


def _rest(session: Runner, wanted: Wanted) -> list[str]:
    return removal(read_state(session).running, wanted)


def _verify(session: Runner, wanted: Wanted, say: Say) -> None:
    wrong = [str(each) for each in _differences(read_state(session).running, wanted)]
    wrong = wrong or contradictions(session, wanted)
    if wrong:
        raise ChangeFailed(
            f"all lines were accepted, but reading back gives: {'; '.join(wrong)}. Nothing was saved."
        )
    say("verified: configuration, pool and ports read back as wanted")


def _save(session: Runner, say: Say, right: Callable[[Configuration], bool]) -> None:
    try:
        session.run(dialect.SAVE)
    except CommandRefused as refused:
        raise ChangeFailed(
            f"the settings run but could not be saved: {refused.answer} "
            "A restart of the switch would lose them."
        ) from refused
    if not right(read_saved(session)):
        raise ChangeFailed("the switch accepted the save, but its saved configuration is not what runs.")
    say(f"saved: {dialect.SAVE}")
