"""Why a session did not come about, told apart by the errors that the driver and its SSH library raise."""

from __future__ import annotations

import io
import socket
from itertools import pairwise

import asyncssh
import pytest
from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException, ReadTimeout
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    NoValidConnectionsError,
    SSHException,
)

from onyx.__main__ import main
from onyx.errors import ConnectionFailed, HostKeyMismatch, LoginRefused, TimedOut, Unreachable
from onyx.session import _key, _known_host, _unreachable
from onyx.wanted import Access

ACCESS = Access("10.0.0.9", 2222, "admin", "secret-word", host_key="ssh-ed25519 AAAAC3Nz lab")


class BadHostKeyException(SSHException):
    """Stands for the library's own, which wants real keys; only its name is looked at."""


def caused(outer: Exception, *inner: Exception) -> Exception:
    """Return `outer` as it looks when it was raised while the `inner` ones were handled."""
    chain = [outer, *inner]
    for later, earlier in pairwise(chain):
        later.__context__ = earlier
    return outer


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (
            caused(NetmikoTimeoutException("x"), BadHostKeyException("does not match")),
            HostKeyMismatch,
            "answers with another host key than the expected ssh-ed25519 one",
        ),
        (
            caused(NetmikoTimeoutException("x"), SSHException("Server 'x' not found in known_hosts")),
            HostKeyMismatch,
            "another host key",
        ),
        (
            caused(NetmikoAuthenticationException("x"), AuthenticationException("Authentication failed.")),
            LoginRefused,
            "refuses the login of admin",
        ),
        (
            caused(
                NetmikoTimeoutException("x"),
                NoValidConnectionsError({("10.0.0.9", 2222): OSError("refused")}),
            ),
            ConnectionFailed,
            "nothing answers at 10.0.0.9:2222",
        ),
        (
            caused(NetmikoTimeoutException("x"), socket.gaierror(-2, "no name")),
            ConnectionFailed,
            "is not known",
        ),
        (
            caused(NetmikoAuthenticationException("x"), BadAuthenticationType("Bad", ["password"])),
            LoginRefused,
            "refuses the login of admin",
        ),
        (caused(NetmikoTimeoutException("x"), TimeoutError()), TimedOut, "does not answer within 7 s"),
        (ReadTimeout("no prompt"), TimedOut, "does not answer within 7 s"),
        (
            caused(
                NetmikoTimeoutException("x"), SSHException("Error reading SSH protocol banner"), EOFError()
            ),
            ConnectionFailed,
            "no SSH server answers",
        ),
        (ValueError("odd\n  thing"), Unreachable, "came about: odd thing"),
    ],
)
def test_reasons(error: Exception, kind: type[Unreachable], says: str) -> None:
    meaning = _unreachable(error, ACCESS, 7.0)
    assert type(meaning) is kind
    assert says in str(meaning)
    assert "secret-word" not in str(meaning)


@pytest.mark.parametrize(("port", "line"), [(22, "10.0.0.9 "), (2222, "[10.0.0.9]:2222 ")])
def test_the_one_key_that_may_answer(port: int, line: str) -> None:
    assert _known_host("10.0.0.9", port, "ssh-ed25519 AAAAC3Nz lab") == f"{line}ssh-ed25519 AAAAC3Nz\n"


def test_the_jump_host_is_named_as_such() -> None:
    error = caused(NetmikoAuthenticationException("x"), AuthenticationException("Authentication failed."))
    said = str(_unreachable(error, ACCESS, 7.0, "jump host"))
    assert said == "the jump host at 10.0.0.9:2222 refuses the login of admin: check the user and the key"


# The oldest form has no ed25519.
_FORMS = {
    "openssh": (
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
    ),
    "pkcs1-pem": ("ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384"),
    "pkcs8-pem": ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521"),
}


@pytest.mark.parametrize(("form", "kind"), [(form, kind) for form, kinds in _FORMS.items() for kind in kinds])
def test_a_key_of_every_kind_and_form_is_read(kind: str, form: str) -> None:
    key = asyncssh.generate_private_key(kind)
    read = _key(key.export_private_key(form).decode().rstrip("\n"))
    assert read.get_name() == kind
    assert read.asbytes() == key.public_data


@pytest.mark.parametrize("text", ["hunter2", "", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"])
def test_a_text_that_is_no_key(text: str) -> None:
    with pytest.raises(SSHException, match="none that SSH understands"):
        _key(text)


def test_a_key_that_nobody_can_unlock_and_one_of_another_kind() -> None:
    locked = asyncssh.generate_private_key("ssh-ed25519").export_private_key(passphrase="word").decode()
    with pytest.raises(SSHException, match="or it is encrypted"):
        _key(locked)
    with pytest.raises(SSHException, match="of no kind that is taken here: ed25519, ecdsa, rsa"):
        _key(asyncssh.generate_private_key("ssh-ed448").export_private_key("pkcs8-pem").decode())


GOOD = """\
address: '10.0.0.9'
dscp_map: '26=3 48=6'
ecn_maximum_kb: '1500'
ecn_minimum_kb: '150'
ecn_traffic_class: '3'
host_key: 'ssh-ed25519 AAAAC3Nz'
hostname: 'swx-mld-1-2'
minimum_release: '3.6.1002'
pfc_priority: '3'
pool: 'roce'
pool_memory_percent: '50.00'
pool_switch_priority: '3'
pool_type: 'lossless'
port: '22'
ports: '1/1'
roce: 'none'
strict_traffic_class: '6'
trust: 'L3'
user: 'admin'
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD, "onyx apply: the switch's password is missing: set the variable ROCESTACK_SWITCH_PASSWORD "),
        (GOOD.replace("'L3'", "'L9'"), "onyx apply: setting 'trust': found 'L9'"),
        (
            "nonsense\n",
            "onyx apply: the settings cannot be read: line 1 is not a setting line (key: 'value')\n",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_no_connection(
    text: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ROCESTACK_SWITCH_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["apply"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(says)
    assert captured.err.count("\n") == 1
