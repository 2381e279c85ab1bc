"""The one place that connects: an interactive SSH session with the switch, its host key checked."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netmiko.exceptions import (
    NetmikoAuthenticationException,
    NetmikoBaseException,
    NetmikoTimeoutException,
)
from netmiko.mellanox import MellanoxMlnxosSSH

from onyx import dialect
from onyx.errors import (
    CommandRefused,
    ConnectionFailed,
    HostKeyMismatch,
    LoginRefused,
    SessionLost,
    TimedOut,
    Unreachable,
)
from onyx.wanted import Access

_PROMPT = re.compile(dialect.PROMPT)
# The driver's login and connection errors are the SSH library's kind, not its own base; a prompt that it does
# not understand is a ValueError.
_START_ERRORS = (
    NetmikoBaseException,
    NetmikoAuthenticationException,
    NetmikoTimeoutException,
    OSError,
    EOFError,
    ValueError,
)
# What the SSH library logs about a failed connection is said by our own errors.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Driver(MellanoxMlnxosSSH):
    """netmiko's driver for this switch, but for its start: that waits for a silence of two seconds."""

    def session_preparation(self) -> None:
        """Wait for the prompt instead of for silence, then do as the driver does."""
        self.read_until_pattern(pattern=dialect.LOGIN_PROMPT, read_timeout=self.conn_timeout)
        self.set_base_prompt()
        self.disable_paging()


class Session:
    """An open session in enable mode; paging is off. Made by `connect`."""

    def __init__(self, connection: _Driver, name: str, ends: float) -> None:
        self._connection = connection
        self._name = name
        self._ends = ends

    def run(self, line: str) -> str:
        """Send one line and return its answer, without echo and prompt.

        Raises CommandRefused for a per cent line and SessionLost when the answer does not end in time.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise SessionLost(f'{self._name} took too long: no time is left for "{line}"')
        try:
            answer = self._connection.send_command(
                line, expect_string=dialect.PROMPT, read_timeout=left, strip_prompt=False
            )
        except (NetmikoBaseException, OSError, EOFError) as error:
            raise SessionLost(f'the session with {self._name} broke off at "{line}"') from error
        answer = _PROMPT.sub("", str(answer))
        refused = dialect.refusal(answer)
        if refused is not None:
            raise CommandRefused(line, refused)
        return answer


@contextmanager
def connect(access: Access, deadline: float) -> Iterator[Session]:
    """Open a session, hold it for the block, and close it; all of that within `deadline` seconds.

    Raises one of the Unreachable errors when no session comes about.
    """
    ends = time.monotonic() + deadline
    name = f"the switch at {access.address}:{access.port}"
    connection = _open(access, deadline)
    try:
        session = Session(connection, name, ends)
        session.run(dialect.ENABLE)
        yield session
    finally:
        # Closing politely costs a round trip per mode; the switch ends the session with the connection.
        connection.paramiko_cleanup()


def _open(access: Access, deadline: float) -> _Driver:
    with tempfile.TemporaryDirectory(prefix="onyx-") as folder:
        known = Path(folder) / "known_hosts"
        known.write_text(_known_host(access))
        try:
            return _Driver(
                device_type="mellanox_mlnxos",
                host=access.address,
                port=access.port,
                username=access.user,
                password=access.password,
                ssh_strict=True,
                alt_host_keys=True,
                alt_key_file=str(known),
                conn_timeout=deadline,
                banner_timeout=deadline,
                auth_timeout=deadline,
                fast_cli=True,
            )
        except _START_ERRORS as error:
            raise _unreachable(error, access, deadline) from error


def _known_host(access: Access) -> str:
    """The line for the one host key that may answer; only the standard port goes without brackets."""
    where = access.address if access.port == 22 else f"[{access.address}]:{access.port}"
    kind, key = access.host_key.split()[:2]
    return f"{where} {kind} {key}\n"


def _unreachable(error: BaseException, access: Access, deadline: float) -> Unreachable:
    """Return our error for the driver's, by the kinds and texts of the errors that led to it."""
    chain = list(_chain(error))
    kinds = {type(each).__name__ for each in chain}
    texts = " ".join(" ".join(str(each).split()) for each in chain)
    where = f"{access.address}:{access.port}"
    key_kind = access.host_key.split()[0]
    known: tuple[tuple[bool, Unreachable], ...] = (
        (
            "BadHostKeyException" in kinds or "not found in known_hosts" in texts,
            HostKeyMismatch(
                f"the switch at {where} answers with another host key than the expected {key_kind} one: "
                "if it was replaced on purpose, set its new host key in the stack"
            ),
        ),
        (
            "AuthenticationException" in kinds,
            LoginRefused(
                f"the switch at {where} refuses the login of {access.user}: check the user and the password"
            ),
        ),
        (
            bool(kinds & {"NoValidConnectionsError", "ConnectionRefusedError"}),
            ConnectionFailed(f"nothing answers at {where}: is the switch up, and is this its SSH port?"),
        ),
        (
            "gaierror" in kinds,
            ConnectionFailed(f"the switch's address {access.address} is not known: check its name"),
        ),
        (
            bool(kinds & {"TimeoutError", "ReadTimeout"}) or "No existing session" in texts,
            TimedOut(f"the switch at {where} does not answer within {deadline:g} s: check the way to it"),
        ),
        (
            "protocol banner" in texts,
            ConnectionFailed(f"{where} takes connections, but no SSH server answers: is it still starting?"),
        ),
    )
    other = Unreachable(f"no session with the switch at {where} came about: {texts}")
    return next((meaning for applies, meaning in known if applies), other)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
