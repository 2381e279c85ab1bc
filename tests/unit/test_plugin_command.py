"""The command plugin's pure parts."""

from __future__ import annotations

import re
from typing import Any

import asyncssh
import pytest

from engine.plugins.command import spec
from engine.plugins.command.connection import Peer, peer
from engine.plugins.command.dial import options
from engine.plugins.command.execution import parse_list
from engine.plugins.command.local import environment
from engine.plugins.command.output import Collector, Variable, failure_text
from engine.plugins.command.remote import new_id, outputs, variables
from engine.plugins.common import schema
from engine.plugins.common.errors import PluginError

KEY = asyncssh.generate_private_key("ssh-ed25519")
PRIVATE = KEY.export_private_key().decode()
PUBLIC = KEY.export_public_key().decode().strip()


def collected(logging: str | None, *pieces: tuple[bytes, bool]) -> tuple[Collector, list[str]]:
    shown: list[str] = []
    output = Collector(logging, shown.append)
    for data, error in pieces:
        output.feed(data, error=error)
    output.end()
    return output, shown


PIECES = ((b"one\ntw", False), (b"err\n", True), (b"o\n\n", False))


@pytest.mark.parametrize(
    ("logging", "shown"),
    [
        (None, ["one", "err", "two", ""]),
        ("stdoutAndStderr", ["one", "err", "two", ""]),
        ("stdout", ["one", "two", ""]),
        ("stderr", ["err"]),
        ("none", []),
    ],
)
def test_logging_shows_lines_of_the_chosen_streams(logging: str | None, shown: list[str]) -> None:
    output, lines = collected(logging, *PIECES)
    assert lines == shown
    assert (output.stdout, output.stderr) == ("one\ntwo\n", "err")
    assert output.both == "one\ntwerr\no\n\n"


def test_a_last_line_without_newline_and_a_split_character_are_shown_whole() -> None:
    text = "ä".encode()
    output, lines = collected(None, (text[:1], False), (text[1:], False))
    assert lines == ["ä"]
    assert output.stdout == "ä"


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    output, _ = collected(None, (b"\xff\n", False))
    assert output.stdout == "\N{REPLACEMENT CHARACTER}"


def test_a_failure_names_command_host_and_both_streams() -> None:
    output, _ = collected("none", (b"out\n", False), (b"err\n", True))
    text = failure_text("Process exited with status 3", 'echo "x"', "root@h:22", output)
    assert text == 'Process exited with status 3: running "echo \\"x\\"" on root@h:22:\nout\nerr\n'


def test_a_long_script_is_cut_to_its_beginning() -> None:
    output, _ = collected("none")
    script = "#!/bin/bash\n\n# address: sets the address\n" + "true\n" * 500
    text = failure_text("Process exited with status 1", script, "h", output)
    assert text.startswith('Process exited with status 1: running "# address: sets the address\\ntrue')
    assert f"({len(script)} characters)" in text
    assert len(text) < 400


def test_connection_defaults_are_the_official_ones() -> None:
    found = peer({"host": "h"})
    assert (found.user, found.port, found.dial_error_limit, found.per_dial_timeout) == ("root", 22, 10, 15)
    assert found.host_key is None
    assert found.proxy is None


def test_connection_numbers_are_whole_and_the_proxy_is_read() -> None:
    found = peer({"host": "h", "port": 2222.0, "dialErrorLimit": -1.0, "proxy": {"host": "b", "port": 23.0}})
    assert (found.port, found.dial_error_limit) == (2222, -1)
    assert found.proxy is not None
    assert (found.proxy.name, found.name) == ("root@b:23", "root@h:2222")


BASE: dict[str, Any] = {"host": "h", "privateKey": PRIVATE, "hostKey": PUBLIC}


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ({}, True),
        ({"dialErrorLimit": 3.0}, True),
        ({"port": 23.0}, False),
        ({"user": "other"}, False),
        ({"password": "x"}, False),
        ({"privateKey": "other"}, False),
        ({"hostKey": "other"}, False),
        ({"proxy": {"host": "b"}}, False),
    ],
)
def test_connections_are_shared_only_for_equal_credentials(change: dict[str, Any], shared: bool) -> None:
    assert (peer(BASE).identity == peer({**BASE, **change}).identity) is shared


def test_no_credential_shows_in_a_connection() -> None:
    found = peer({**BASE, "password": "pass word"})
    assert "pass word" not in repr(found) + found.identity + found.name
    assert PRIVATE.splitlines()[1] not in repr(found)


def test_the_host_key_is_the_only_one_trusted() -> None:
    trusted, authorities, revoked = options(peer(BASE))["known_hosts"]
    assert [key.export_public_key() for key in trusted] == [KEY.export_public_key()]
    assert (authorities, revoked) == ([], [])
    assert options(peer({"host": "h"}))["known_hosts"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"privateKey": "nonsense"}, "root@h:22: connection.privateKey cannot be read"),
        ({"hostKey": "nonsense"}, "root@h:22: connection.hostKey cannot be read"),
    ],
)
def test_unreadable_keys(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=re.escape(message)):
        options(peer({**BASE, **change}))


def test_an_encrypted_key_needs_its_password() -> None:
    locked = KEY.export_private_key(passphrase="open").decode()
    with pytest.raises(PluginError, match=r"connection\.privateKeyPassword"):
        options(peer({"host": "h", "privateKey": locked}))
    assert options(peer({"host": "h", "privateKey": locked, "privateKeyPassword": "open"}))["client_keys"]


def values(**inputs: Any) -> dict[str, Any]:
    return schema.typed(spec.LOCAL.inputs, inputs)


def test_environment_of_a_remote_command() -> None:
    state = {"stdout": "out", "stderr": ""}
    assert variables(values(environment={"B": "2", "A": "1"}), state) == (
        Variable("A", "1"),
        Variable("B", "2"),
        Variable("PULUMI_COMMAND_STDOUT", "out", optional=True),
    )
    assert variables(values(addPreviousOutputInEnv=False), state) == ()


def test_environment_of_a_local_command() -> None:
    state = {"stdout": "out", "stderr": "err"}
    assert environment(values(environment={"A": "1"}), state) == {
        "A": "1",
        "PULUMI_COMMAND_STDOUT": "out",
        "PULUMI_COMMAND_STDERR": "err",
    }
    assert environment(values(addPreviousOutputInEnv=False), state) == {}


def test_ids_are_the_name_and_eight_digits() -> None:
    assert re.fullmatch(r"link[0-9a-f]{8}", new_id("link"))
    assert new_id("link") != new_id("link")


def test_the_state_is_the_inputs_and_what_was_printed() -> None:
    output, _ = collected("none", (b"out\n", False))
    assert outputs({"create": "c"}, output) == {"create": "c", "stdout": "out", "stderr": ""}
    assert outputs({"create": "c"}, None) == {"create": "c", "stdout": "", "stderr": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", []), ("812 5530\n790 5102\n", [790, 812]), ("31 77\n30 77\n", [30, 31])],
)
def test_processes_of_a_connection_oldest_first(text: str, expected: list[int]) -> None:
    assert parse_list(text) == expected


def test_a_peer_is_a_value() -> None:
    assert peer(BASE) == peer(dict(BASE))
    assert isinstance(peer(BASE), Peer)
