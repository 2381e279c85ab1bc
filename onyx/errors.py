"""What can go wrong with a switch, by kind, each as one sentence for a person."""

from __future__ import annotations


class OnyxError(Exception):
    """Anything that this package reports; the text is one sentence with a way on."""


class WantedError(OnyxError):
    """The wanted settings are missing, malformed or do not fit the switch."""


class Unreachable(OnyxError):
    """No session with the switch came about, so nothing is known about its settings."""


class ConnectionFailed(Unreachable):
    """Nothing answers at the switch's address and port."""


class TimedOut(Unreachable):
    """The switch, or something on the way to it, did not answer in time."""


class HostKeyMismatch(Unreachable):
    """Another host key answered than the one that is expected."""


class LoginRefused(Unreachable):
    """The switch does not accept the user or the password."""


class SessionLost(OnyxError):
    """A session broke off, or an answer did not end, after the login."""


class CommandRefused(OnyxError):
    """The switch refused one line; `line` is what was sent and `answer` its per cent line."""

    def __init__(self, line: str, answer: str) -> None:
        super().__init__(f'the switch refused "{line}": {answer}')
        self.line = line
        self.answer = answer


class UnexpectedAnswer(OnyxError):
    """The switch answered in a form that this package does not know."""


class ChangeFailed(OnyxError):
    """A change ended before everything was verified and saved."""


class Interrupted(OnyxError):
    """Someone ended the change while it ran."""
