"""A change of the switch from reading to saving: snapshot, lines, verification, save, or all taken back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from onyx import dialect, parse
from onyx.candidate import give_back, impose, imposed
from onyx.diff import commands, differences, found_values
from onyx.errors import ChangeFailed, CommandRefused, Interrupted, OnyxError, SessionLost, Unreachable
from onyx.ports import collapse
from onyx.reading import Runner, check_fits, contradictions, read_before, read_state, snapshot_names
from onyx.state import Configuration, Kind, Setting, SwitchState, differing, same
from onyx.wanted import Wanted, dscp_text

Say = Callable[[str], None]
Connect = Callable[[], AbstractContextManager[Runner]]

# How long a switch that dropped the session gets after each try, in seconds; the last one is not tried again.
_PAUSES_S: tuple[float | None, ...] = (1.0, 2.0, 4.0, None)


@dataclass(frozen=True)
class _Plan:
    """A change: what runs, what shall, what is sent for that, and which of our settings must be saved.

    `checked` says, after the change, what reads back otherwise than wanted; `files` are deleted at the end.
    """

    state: SwitchState
    goal: Configuration
    lines: Sequence[str]
    ours: frozenset[Setting]
    checked: Callable[[Runner, SwitchState], list[str]]
    nothing: str
    done: str
    files: Sequence[str] = ()
    sent: list[str] = field(default_factory=list)

    @property
    def start(self) -> Configuration:
        """What runs before the change."""
        return self.state.running

    @property
    def touched(self) -> list[Setting]:
        """What the change alters."""
        return differing(self.start, self.goal)

    @property
    def leads_through_a_mode(self) -> bool:
        """Whether the change enters or leaves the mode of the command `roce`."""
        return any(each.kind is Kind.ROCE for each in self.touched)

    def values(self, source: Configuration) -> dict[Setting, str]:
        """Return what `source` has of all that is ours or touched."""
        return {each: source.get(each) for each in {*self.ours, *self.touched}}

    def unsaved(self, saved: Configuration) -> list[Setting]:
        """Return our settings that a start of the switch would bring otherwise than they shall run."""
        return [each for each in sorted(self.ours) if not same(each, saved.get(each), self.goal.get(each))]


def apply(connect: Connect, wanted: Wanted, former: Wanted | None, say: Say) -> None:
    """Give the switch the wanted settings and save them; does nothing when it has and keeps them.

    `former` is what was ours until now: what of it is wanted no more becomes as it was before us. Raises
    WantedError before the first change when the switch cannot take the settings, and ChangeFailed when
    something went wrong later; it says what, and whether the switch has what it had before.
    """
    with connect() as session:
        state = read_state(session)
        names = snapshot_names(session)
        plan = _apply_plan(session, state, names, wanted, former)
        say(f"switch {_name(state)}, release {state.release}, ports {','.join(wanted.ports)}")
        for each in differences(found_values(state.running, wanted), wanted.lines()):
            say(f"differs: {each}")
        _carry_out(connect, session, plan, say)


def _apply_plan(
    session: Runner, state: SwitchState, names: Sequence[str], wanted: Wanted, former: Wanted | None
) -> _Plan:
    base, files, snapshots = state.running, [], []
    if dialect.SNAPSHOT_FILE not in names:
        snapshots = [dialect.SNAPSHOT_FILE]
    if former is not None:
        left = [port for port in former.ports if port not in wanted.ports]
        other_profile = replace(former, ports=wanted.ports, hostname=wanted.hostname) != wanted
        before = read_before(session, names, former.ports)
        base = give_back(base, former, before, None if other_profile else left)
        files = [dialect.port_snapshot(port) for port in (former.ports if other_profile else left)]
        if other_profile:
            # What was before us has to be looked at anew: other settings become ours now.
            snapshots = [dialect.SNAPSHOT_FILE]
        elif not snapshots:
            joined = [dialect.port_snapshot(port) for port in wanted.ports if port not in former.ports]
            snapshots = [name for name in joined if name not in names]
    check_fits(state, base, wanted)
    goal = impose(base, wanted)
    given = commands(state.running, base) if snapshots == [dialect.SNAPSHOT_FILE] else []
    rest = commands(base if given else state.running, goal)
    writes = [dialect.SNAPSHOT.format(file=name) for name in snapshots]
    changes = state.running != goal
    return _Plan(
        state=state,
        goal=goal,
        lines=[*given, *writes, *rest] if changes else [],
        ours=_ours(wanted, goal, differing(state.running, goal)),
        checked=lambda runner, after: _wrong(runner, after, wanted, differing(state.running, goal)),
        nothing="in sync: nothing to do",
        done="done: the switch has and keeps the wanted settings",
        files=[name for name in files if name in names],
    )


def _ours(wanted: Wanted, goal: Configuration, touched: Sequence[Setting]) -> frozenset[Setting]:
    """Return all settings that are ours to save; how a file spells the RoCE mode is unknown, so not that."""
    pool = [Setting(Kind.POOL_PRIORITY, wanted.pool, number) for number in goal.pool_priorities(wanted.pool)]
    return frozenset(each for each in (*imposed(wanted), *pool, *touched) if each.kind is not Kind.ROCE)


def _wrong(session: Runner, after: SwitchState, wanted: Wanted, touched: Sequence[Setting]) -> list[str]:
    found = found_values(after.running, wanted)
    wrong = [str(each) for each in differences(found, wanted.lines())]
    ports = {each.port for each in touched}
    return wrong or contradictions(session, wanted, [port for port in wanted.ports if port in ports])


def remove(connect: Connect, wanted: Wanted, say: Say) -> None:
    """Make our settings what the snapshot says they were, save, and drop the snapshot; leave the rest.

    Raises ChangeFailed as `apply` does.
    """
    with connect() as session:
        state = read_state(session)
        names = snapshot_names(session)
        before = read_before(session, names, wanted.ports)
        goal = give_back(state.running, wanted, before)
        touched = differing(state.running, goal)
        say(f"switch {_name(state)}, release {state.release}, ports {','.join(wanted.ports)}")
        if before.whole is None and touched:
            say(
                f"no snapshot: the switch shows no configuration file {dialect.SNAPSHOT_FILE}, so our "
                "settings become the switch's defaults; its name and LLDP stay"
            )
        plan = _Plan(
            state=state,
            goal=goal,
            lines=commands(state.running, goal),
            ours=_ours(wanted, goal, touched),
            checked=lambda _session, _after: [],
            nothing="nothing of ours is on the switch: nothing to do",
            done="done: our settings are as they were before us",
            files=names,
        )
        _carry_out(connect, session, plan, say)


def _name(state: SwitchState) -> str:
    return state.running.get(Setting(Kind.HOSTNAME)) or "without a name"


def found_in(state: SwitchState, wanted: Wanted) -> dict[str, str]:
    """Return what one reading found, in the keys of `Wanted.lines`.

    `saved` says whether a start of the switch would bring those of our settings that run as wanted; the
    others are differences of their own.
    """
    goal = impose(state.running, wanted)
    right = [each for each in _ours(wanted, goal, ()) if state.running.get(each) == goal.get(each)]
    unsaved = [each for each in right if state.saved.get(each) != goal.get(each)]
    found = found_values(state.running, wanted, state.pfc.admin)
    found["saved"] = "no" if unsaved else "yes"
    maps = {port: _dscp(state.dscp_maps[port], wanted) for port in wanted.ports if port in state.dscp_maps}
    if maps:
        each = list(dict.fromkeys(maps.values()))
        found["dscp_map"] = each[0] if len(each) == 1 else "; ".join(f"{p}: {v}" for p, v in maps.items())
    return found


def _dscp(priorities: Mapping[int, int], wanted: Wanted) -> str:
    return dscp_text({dscp: priorities[dscp] for dscp, _ in wanted.dscp_map if dscp in priorities})


def _carry_out(connect: Connect, session: Runner, plan: _Plan, say: Say) -> None:
    unsaved = plan.unsaved(plan.state.saved)
    if not plan.touched and not unsaved and not plan.files:
        say(plan.nothing)
        return
    if not plan.touched and unsaved:
        names = ", ".join(str(each) for each in unsaved)
        say(f"differs: the running configuration is right, the saved one is not: {names}")
    try:
        session.run(dialect.CONFIGURE)
        _send(session, plan, plan.lines, say)
        if plan.leads_through_a_mode:
            # The mode sets and takes settings of its own; what it left otherwise than wanted gets lines now.
            now = read_state(session).running
            _send(session, plan, commands(now, now.changed(plan.values(plan.goal))), say)
        _verify(session, plan, say)
        _save(session, plan, say)
    except OnyxError as failure:
        if not _was_carried_out(connect, plan, failure, say):
            what = str(failure).removesuffix(".")
            raise ChangeFailed(f"{what}. {_take_back(connect, session, plan, failure, say)}") from failure
        # The session that broke off is of no more use, and the files are deleted at the next change.
        return
    for name in plan.files:
        session.run(dialect.DELETE_FILE.format(file=name))
        say(f"deleted: configuration file {name}")
    say(plan.done)


def _send(session: Runner, plan: _Plan, lines: Sequence[str], say: Say) -> None:
    """Send the lines one by one; the first that fails ends it."""
    for number, line in enumerate(lines, start=1):
        try:
            plan.sent.append(line)
            session.run(line)
        except CommandRefused as refused:
            say(f"refused: {line}")
            raise ChangeFailed(
                f'line {number} of {len(lines)}, "{line}", was refused: {refused.answer}'
            ) from refused
        except SessionLost as lost:
            raise SessionLost(f"line {number} of {len(lines)}: {lost}.") from lost
        say(f"sent: {line}")


def _verify(session: Runner, plan: _Plan, say: Say) -> None:
    after = read_state(session)
    wrong = [
        f"{each} is {after.running.get(each)}, wanted {plan.goal.get(each)}"
        for each in plan.touched
        if not same(each, after.running.get(each), plan.goal.get(each))
    ]
    wrong = plan.checked(session, after) or wrong
    if wrong:
        raise ChangeFailed(f"all lines were accepted, but reading back gives: {'; '.join(wrong)}.")
    say("verified: the switch reads back as wanted")
    for each in differing(after.running, plan.goal):
        if each not in plan.ours and not plan.leads_through_a_mode:
            say(
                f"note: someone else changed {each} meanwhile, from {plan.start.get(each)} to "
                f"{after.running.get(each)}; left as it is"
            )
    down = collapse(port for port in _pfc_ports(plan) if after.pfc.oper.get(port) == "disabled")
    if down:
        say(f"note: PFC is on, but does not operate on {', '.join(down)}: is the link up?")


def _pfc_ports(plan: _Plan) -> set[str]:
    return {each.where for each in plan.ours if each.kind is Kind.PORT_PFC and plan.goal.get(each) == "on"}


def _save(session: Runner, plan: _Plan, say: Say) -> None:
    others = [str(each) for each in differing(plan.state.saved, plan.goal) if each not in plan.ours]
    if not plan.unsaved(plan.state.saved):
        return
    if others:
        say(f"note: the save also keeps what others changed and did not save: {', '.join(others)}")
    try:
        session.run(dialect.SAVE)
    except CommandRefused as refused:
        raise ChangeFailed(f"the settings run but could not be saved: {refused.answer}") from refused
    left = plan.unsaved(parse.configuration(session.run(dialect.SHOW_SAVED)))
    if left:
        names = ", ".join(str(each) for each in left)
        raise ChangeFailed(f"the switch accepted the save, but its saved configuration lacks: {names}.")
    say(f"saved: {dialect.SAVE}")


def _was_carried_out(connect: Connect, plan: _Plan, failure: OnyxError, say: Say) -> bool:
    """Whether a session that broke off at the save left the switch with everything done."""
    if not isinstance(failure, SessionLost) or len(plan.sent) < len(plan.lines):
        return False
    try:
        with _again(connect) as session:
            after = read_state(session)
            done = not plan.unsaved(after.saved) and all(
                same(each, after.running.get(each), plan.goal.get(each)) for each in plan.ours
            )
            done = done and not plan.checked(session, after)
    except OnyxError:
        return False
    if done:
        say(f"{plan.done} (the session broke off at its end)")
    return done


def _take_back(connect: Connect, session: Runner, plan: _Plan, failure: OnyxError, say: Say) -> str:
    """Give what was touched its former values again and return one sentence on the state now."""
    if not plan.sent:
        return "Nothing was changed."
    last: OnyxError = failure
    for attempt in range(2):
        try:
            if attempt == 0 and not isinstance(failure, (SessionLost, Interrupted)):
                return _restore(session, plan, say)
            with _again(connect) as fresh:
                fresh.run(dialect.CONFIGURE)
                return _restore(fresh, plan, say)
        except (SessionLost, Unreachable) as error:
            last = error
    return (
        f"The switch could not be asked since ({last}): the first {len(plan.sent)} of {len(plan.lines)} "
        "lines may be in effect, unsaved; another `up` continues from there."
    )


def _restore(session: Runner, plan: _Plan, say: Say) -> str:
    for _round in range(2 if plan.leads_through_a_mode else 1):
        now = read_state(session).running
        former = now.changed({each: plan.start.get(each) for each in plan.touched})
        for line in commands(now, former):
            try:
                session.run(line)
                say(f"taken back: {line}")
            except CommandRefused as refused:
                say(f"not taken back: {line}: {refused.answer}")
    after = read_state(session)
    left = [
        f"{each} is {after.running.get(each)}, was {plan.start.get(each)}"
        for each in plan.touched
        if after.running.get(each) != plan.start.get(each)
    ]
    saved = [each for each in plan.ours if after.saved.get(each) != plan.state.saved.get(each)]
    if left:
        return f"Not all could be taken back: {'; '.join(left)}. Another `up` continues from there."
    if saved:
        return "All was taken back, but the saved configuration has the new settings already; run `up` again."
    return "All was taken back: the switch has what it had before, and nothing was saved."


@contextmanager
def _again(connect: Connect) -> Iterator[Runner]:
    """Connect once more after a session was lost; the switch gets some time for it."""
    with ExitStack() as stack:
        for pause in _PAUSES_S:
            try:
                session = stack.enter_context(connect())
                break
            except Unreachable:
                if pause is None:
                    raise
                time.sleep(pause)
        yield session
