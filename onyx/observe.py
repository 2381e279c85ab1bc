"""What the switch has, in the keys of the wanted settings; changes nothing."""

from __future__ import annotations

from onyx.change import show
from onyx.session import connect
from onyx.wanted import Access


def read_switch(access: Access, deadline: float) -> dict[str, str]:
    """Return the found settings of `access.ports` and `access.pool` from one session.

    The session ends after `deadline` seconds at the latest. The keys and the form of the values are those
    of `Wanted.lines`, so equal text means in sync. Raises Unreachable (a kind per reason) when nothing
    could be observed; another OnyxError when the switch answered but not as expected. Safe in a thread.
    """
    with connect(access, deadline) as session:
        return show(session, access.ports, access.pool)
