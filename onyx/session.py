"""The one place that connects over SSH: an interactive session with the switch, its host key checked."""

from __future__ import annotations

import io
import logging
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from netmiko.exceptions import (
    NetmikoAuthenticationException,
    NetmikoBaseException,
    NetmikoTimeoutException,
)
from netmiko.mellanox import MellanoxMlnxosSSH
from paramiko import ECDSAKey, Ed25519Key, PKey, RejectPolicy, RSAKey, SSHClient
from paramiko.ssh_exception import SSHException

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
from onyx.wanted import Access, Jump

_PROMPT = re.compile(dialect.PROMPT)
# The driver's login and connection errors are the SSH library's kind, not its own base; a prompt that it does
# not understand is a ValueError.
_START_ERRORS = (
    NetmikoBaseException,
    SSHException,
    NetmikoAuthenticationException,
    NetmikoTimeoutException,
    OSError,
    EOFError,
    ValueError,
)
# Each kind of key with the form from which the SSH library reads it, and its reader there.
_KEY_KINDS: Mapping[type, tuple[serialization.PrivateFormat, type[PKey]]] = {
    Ed25519PrivateKey: (serialization.PrivateFormat.OpenSSH, Ed25519Key),
    EllipticCurvePrivateKey: (serialization.PrivateFormat.TraditionalOpenSSL, ECDSAKey),
    RSAPrivateKey: (serialization.PrivateFormat.TraditionalOpenSSL, RSAKey),
}
# What the SSH library logs about a failed connection is said by our own errors.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Driver(MellanoxMlnxosSSH):
    """netmiko's driver for this switch, but for its start, which waits for a silence of two seconds.

    And for its end: the driver polls a channel that the switch has closed until the time is over.
    """

    def read_channel(self) -> str:
        """Return what has come; raises EOFError when the switch has ended the session."""
        output = str(super().read_channel())
        channel: Any = self.remote_conn
        if not output and (channel.closed or channel.eof_received) and not channel.recv_ready():
            raise EOFError("the switch ended the session")
        return output

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
    with ExitStack() as way:
        channel = way.enter_context(_jump(access.jump, access, deadline)) if access.jump else None
        connection = _open(access, channel, deadline)
        # Closing politely costs a round trip per mode; the switch ends the session with the connection.
        way.callback(connection.paramiko_cleanup)
        session = Session(connection, name, ends)
        session.run(dialect.ENABLE)
        yield session


def _open(access: Access, channel: Any, deadline: float) -> _Driver:
    with tempfile.TemporaryDirectory(prefix="onyx-") as folder:
        known = Path(folder) / "known_hosts"
        known.write_text(_known_host(access.address, access.port, access.host_key))
        try:
            return _Driver(
                device_type="mellanox_mlnxos",
                host=access.address,
                port=access.port,
                username=access.user,
                password=access.password or None,
                pkey=_key(access.private_key) if access.private_key else None,
                sock=channel,
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


@contextmanager
def _jump(jump: Jump, access: Access, deadline: float) -> Iterator[Any]:
    """Log in to the jump host, its host key checked, and yield a channel from there to the switch."""
    way = Access(jump.address, jump.port, jump.user, host_key=jump.host_key)
    with SSHClient() as client, tempfile.TemporaryDirectory(prefix="onyx-") as folder:
        known = Path(folder) / "known_hosts"
        known.write_text(_known_host(jump.address, jump.port, jump.host_key))
        client.load_host_keys(str(known))
        client.set_missing_host_key_policy(RejectPolicy())
        try:
            client.connect(
                jump.address,
                jump.port,
                jump.user,
                pkey=_key(jump.private_key),
                allow_agent=False,
                look_for_keys=False,
                timeout=deadline,
                banner_timeout=deadline,
                auth_timeout=deadline,
            )
        except _START_ERRORS as error:
            raise _unreachable(error, way, deadline, "jump host") from error
        transport = client.get_transport()
        try:
            if transport is None:
                raise SSHException("the connection is gone")
            channel = transport.open_channel(
                "direct-tcpip", (access.address, access.port), ("127.0.0.1", 0), timeout=deadline
            )
        except (SSHException, OSError) as error:
            raise ConnectionFailed(
                f"the jump host {jump.address} does not reach the switch at {access.address}:{access.port}: "
                f"{error}"
            ) from error
        yield channel


def _key(text: str) -> PKey:
    """Return a private key from its text, of whatever kind; raises an SSHException for what is none.

    The SSH library reads each kind from one of its forms only, so each is brought into that form first.
    """
    try:
        key = _loaded(text.strip().encode() + b"\n")
        how = next((how for kind, how in _KEY_KINDS.items() if isinstance(key, kind)), None)
        if how is None:
            raise SSHException("the private key is of no kind that is taken here: ed25519, ecdsa, rsa")
        form, reader = how
        told = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return reader.from_private_key(io.StringIO(told.decode()))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SSHException("the private key is none that SSH understands, or it is encrypted") from error


def _loaded(text: bytes) -> Any:
    try:
        return serialization.load_ssh_private_key(text, password=None)
    except ValueError:
        return serialization.load_pem_private_key(text, password=None)


def _known_host(address: str, port: int, host_key: str) -> str:
    """The line for the one host key that may answer; only the standard port goes without brackets."""
    where = address if port == 22 else f"[{address}]:{port}"
    kind, key = host_key.split()[:2]
    return f"{where} {kind} {key}\n"


def _unreachable(error: BaseException, access: Access, deadline: float, what: str = "switch") -> Unreachable:
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
                f"the {what} at {where} answers with another host key than the expected {key_kind} one: "
                "if it was replaced on purpose, set its new host key in the stack"
            ),
        ),
        (
            bool(kinds & {"AuthenticationException", "BadAuthenticationType"}),
            LoginRefused(
                f"the {what} at {where} refuses the login of {access.user}: check the user and the "
                f"{'key' if access.private_key or what != 'switch' else 'password'}"
            ),
        ),
        (
            bool(kinds & {"NoValidConnectionsError", "ConnectionRefusedError"}),
            ConnectionFailed(f"nothing answers at {where}: is the {what} up, and is this its SSH port?"),
        ),
        (
            "gaierror" in kinds,
            ConnectionFailed(f"the {what}'s address {access.address} is not known: check its name"),
        ),
        (
            bool(kinds & {"TimeoutError", "ReadTimeout"}) or "No existing session" in texts,
            TimedOut(f"the {what} at {where} does not answer within {deadline:g} s: check the way to it"),
        ),
        (
            "protocol banner" in texts,
            ConnectionFailed(f"{where} takes connections, but no SSH server answers: is it still starting?"),
        ),
    )
    other = Unreachable(f"no session with the {what} at {where} came about: {texts}")
    return next((meaning for applies, meaning in known if applies), other)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
