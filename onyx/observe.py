"""What the switch has, in the keys of the wanted settings, and who is behind its ports; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from onyx import api, session
from onyx.change import found_in
from onyx.diff import foreign_settings
from onyx.reading import Runner, read_everything
from onyx.state import Neighbours
from onyx.wanted import JSON_API, Access, Wanted


@dataclass(frozen=True)
class Observation:
    """One look at the switch: `found` in the keys of `Wanted.lines`, so equal text means in sync.

    `foreign` names what is configured beside ours in the way of ours: see `foreign_settings`.
    """

    found: Mapping[str, str] = field(default_factory=dict)
    neighbours: Neighbours = field(default_factory=Neighbours)
    release: str = ""
    foreign: tuple[str, ...] = ()


def open_session(access: Access, deadline: float) -> AbstractContextManager[Runner]:
    """Return a session over the transport that the access names; it ends after `deadline` seconds.

    Entering it raises Unreachable (a kind per reason) when none comes about.
    """
    if access.transport == JSON_API:
        return api.connect(access, deadline)
    return session.connect(access, deadline)


def read_switch(access: Access, wanted: Wanted, deadline: float) -> Observation:
    """Return what is found of the `wanted` settings and who is behind the ports, from one session.

    Raises Unreachable when nothing could be observed; another OnyxError when the switch answered but not as
    expected. Safe in a thread.
    """
    with open_session(access, deadline) as runner:
        state = read_everything(runner, wanted.ports)
    foreign = foreign_settings(state.running, wanted)
    return Observation(found_in(state, wanted), state.neighbours, state.release, foreign)
