"""The other way to the switch: its JSON API over https, where the certificate that may answer is pinned."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from onyx import dialect
from onyx.errors import (
    CommandRefused,
    ConnectionFailed,
    HostKeyMismatch,
    LoginRefused,
    SessionLost,
    TimedOut,
    UnexpectedAnswer,
)
from onyx.wanted import Access

_LOGIN = "/admin/launch?script=rh&template=json-request&action=json-login"
_LOGOUT = "/admin/launch?script=rh&template=json-request&action=json-logout"
_COMMANDS = "/admin/launch?script=json"
# The API has no modes: each request stands alone.
_MODES = (dialect.ENABLE, dialect.CONFIGURE, dialect.LEAVE)
_JSON = " | json-print"


class ApiSession:
    """A login at the JSON API that takes the same lines as an SSH session. Made by `connect`."""

    def __init__(self, connection: http.client.HTTPSConnection, name: str, ends: float) -> None:
        self._connection = connection
        self._name = name
        self._ends = ends
        self._cookie = ""

    def login(self, user: str, password: str) -> None:
        """Log in; raises LoginRefused."""
        answer = self._post(_LOGIN, {"username": user, "password": password})
        if answer.get("status") != "OK" or not self._cookie:
            raise LoginRefused(f"{self._name} refuses the login of {user}: check the user and the password")

    def logout(self) -> None:
        """Log out, so that the switch's few sessions are free again."""
        self._post(_LOGOUT, {})

    def run(self, line: str) -> str:
        """Send one line and return its answer, JSON where `| json-print` asks for it.

        Raises CommandRefused with the API's message and SessionLost when no answer comes.
        """
        if line in _MODES:
            return ""
        shows = line.startswith("show ")
        command = line.removesuffix(_JSON)
        commands = [command] if shows else [dialect.CONFIGURE, command]
        answer = self._post(_COMMANDS, {"commands": commands, "execution_type": "sync"})
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(commands):
            raise UnexpectedAnswer(f'{self._name} answered "{command}" without a result for each command')
        for result in results:
            if result.get("status") != "OK":
                raise CommandRefused(line, _message(result))
        data = results[-1].get("data")
        return json.dumps(data) if line.endswith(_JSON) else _text(data)

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise SessionLost(f"{self._name} took too long")
        headers = {"Content-Type": "application/json"}
        if self._cookie:
            headers["Cookie"] = self._cookie
        try:
            if self._connection.sock is not None:
                self._connection.sock.settimeout(left)
            self._connection.request("POST", path, json.dumps(body), headers)
            response = self._connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise SessionLost(f"the session with {self._name} broke off") from error
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self._cookie = value.split(";", maxsplit=1)[0]
        if response.status != http.client.OK:
            raise UnexpectedAnswer(
                f"{self._name} answered with HTTP status {response.status}: is it a switch?"
            )
        try:
            answer = json.loads(text or "{}")
        except json.JSONDecodeError as error:
            raise UnexpectedAnswer(f"{self._name} answered without JSON: is its JSON API on?") from error
        return answer if isinstance(answer, dict) else {}


def _message(result: Mapping[str, Any]) -> str:
    text = str(result.get("status_message") or "no reason given").strip()
    return dialect.refusal(text) or dialect.masked(text)


def _text(data: Any) -> str:
    """Return an answer as text: the API gives lines as a list, under "Lines" or bare."""
    if isinstance(data, Mapping):
        return _text(data.get("Lines", list(data.values())))
    if isinstance(data, list):
        return "\n".join(_text(part) for part in data)
    return "" if data is None else str(data)


@contextmanager
def connect(access: Access, deadline: float) -> Iterator[ApiSession]:
    """Log in, hold the session for the block, and log out; all of that within `deadline` seconds.

    Only the pinned certificate may answer: it is fetched, compared with the pin, and then is the one trust
    anchor of the connection that carries the password. Raises one of the Unreachable errors.
    """
    ends = time.monotonic() + deadline
    name = f"the switch at {access.address}:{access.port}"
    connection = http.client.HTTPSConnection(
        access.address, access.port, timeout=deadline, context=_pinned(access, name, deadline)
    )
    with closing(connection):
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise HostKeyMismatch(
                f"{name} answers with a certificate that cannot be verified: {error}"
            ) from error
        except OSError as error:
            raise ConnectionFailed(f"nothing answers at {access.address}:{access.port}: {error}") from error
        session = ApiSession(connection, name, ends)
        session.login(access.user, access.password)
        yield session
        session.logout()


def _pinned(access: Access, name: str, deadline: float) -> ssl.SSLContext:
    try:
        pem = ssl.get_server_certificate((access.address, access.port), timeout=deadline)
    except TimeoutError as error:
        raise TimedOut(f"{name} does not answer within {deadline:g} s: check the way to it") from error
    except socket.gaierror as error:
        raise ConnectionFailed(
            f"the switch's address {access.address} is not known: check its name"
        ) from error
    except OSError as error:
        raise ConnectionFailed(f"nothing answers at {access.address}:{access.port}: {error}") from error
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    if found != access.certificate_sha256:
        raise HostKeyMismatch(
            f"{name} answers with another certificate than the pinned one (its SHA-256 is {_colons(found)}): "
            "if it was replaced on purpose, set switch.certificate_sha256"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The pin says more than a name would: a switch's own certificate rarely bears the name it is reached by.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pem)
    return context


def _colons(digits: str) -> str:
    return ":".join(re.findall("..", digits)).upper()
