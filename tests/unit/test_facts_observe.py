"""Hosts observed in parallel; the connection itself is exchanged for recorded ends of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import asyncssh
import pytest
from pydantic import SecretStr

from facts import observe, ssh
from facts.observe import HostObservation, observation, observe_hosts
from facts.ssh import Result, Unreachable, run_script
from settings.models import HostAccess

IN_SYNC = (Path(__file__).parents[1] / "fixtures" / "node" / "in_sync" / "probe.txt").read_text()


def access(name: str, user: str = "root") -> HostAccess:
    return HostAccess.model_construct(
        name=name,
        address="127.0.0.1",
        port=22401,
        user=user,
        host_key="ssh-ed25519 AAAA",
        private_key=SecretStr("a key"),
        private_key_file="a file",
    )


def look(
    monkeypatch: pytest.MonkeyPatch, ends: Mapping[str, Result | Unreachable]
) -> Mapping[str, HostObservation]:
    async def end(one: HostAccess, script: str, stdin: str, deadline: float) -> Result:
        assert (script, stdin, deadline) == ("a script", f"of {one.name}", 5.0)
        found = ends[one.name]
        if isinstance(found, Unreachable):
            raise found
        return found

    monkeypatch.setattr(observe, "run_script", end)
    given = {name: f"of {name}" for name in ends}
    return asyncio.run(observe_hosts([access(name) for name in ends], "a script", given, 5.0))


def test_a_dead_host_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(monkeypatch, {"a": Unreachable("connection refused"), "b": Result(0, IN_SYNC, "")})
    assert found["a"] == HostObservation("a", "unreachable", "connection refused")
    assert (found["b"].state, found["b"].reason) == ("reachable", None)
    assert found["b"].facts["ofed_stack.qos"]["trust"] == "dscp"
    assert found["b"].containers["fh-a"].status == "running"


def test_no_hosts_is_no_observation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, {}) == {}


def test_connections_are_bounded_and_one_deadline_holds_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[int, float]] = []
    now_open = 0

    async def hang(one: HostAccess, script: str, stdin: str, deadline: float) -> Result:
        nonlocal now_open
        now_open += 1
        opened.append((now_open, deadline))
        await asyncio.sleep(deadline)
        now_open -= 1
        raise Unreachable("no answer")

    monkeypatch.setattr(observe, "run_script", hang)
    hosts = [access(f"h{number}") for number in range(3 * observe.OPEN_AT_ONCE)]
    begun = time.monotonic()
    found = asyncio.run(observe_hosts(hosts, "a script", {}, 1.5))
    assert time.monotonic() - begun < 3
    assert list(found) == [one.name for one in hosts]
    assert max(number for number, _ in opened) == observe.OPEN_AT_ONCE
    shares = [share for _, share in opened]
    assert len(shares) == len(hosts)
    assert shares[: observe.OPEN_AT_ONCE] == [0.5] * observe.OPEN_AT_ONCE
    assert min(shares) >= 0.3, "the last ones were asked too"


def test_hosts_behind_quick_ones_get_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []

    async def answer(one: HostAccess, script: str, stdin: str, deadline: float) -> Result:
        shares.append(deadline)
        await asyncio.sleep(0)
        return Result(0, IN_SYNC, "")

    monkeypatch.setattr(observe, "run_script", answer)
    hosts = [access(f"h{number}") for number in range(2 * observe.OPEN_AT_ONCE)]
    asyncio.run(observe_hosts(hosts, "a script", {}, 20.0))
    assert shares[0] == 10.0
    assert shares[-1] > 15.0


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "reason"),
    [
        (127, "", "sh: 1: bash: not found\n", "the probe ended with status 127: sh: 1: bash: not found"),
        (-1, IN_SYNC, "", "the probe ended with status -1"),
        (0, "", "", "the probe's answer is cut off"),
        (0, IN_SYNC.removesuffix("probe.end=\n"), "", "the probe's answer is cut off"),
    ],
)
def test_a_broken_answer_says_nothing_of_the_host(status: int, stdout: str, stderr: str, reason: str) -> None:
    assert observation("a", status, stdout, stderr) == HostObservation("a", "unreachable", reason)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (TimeoutError(), "no answer within 5 s"),
        (
            asyncssh.HostKeyNotVerifiable("x"),
            "host key mismatch: another machine answers there, or it was reinstalled",
        ),
        (asyncssh.PermissionDenied("x"), "login refused for user root"),
        (
            asyncssh.KeyImportError("Invalid private key"),
            "the configured key cannot be read: Invalid private key",
        ),
        (socket.gaierror(-2, "Name or service not known"), "the name 127.0.0.1 cannot be resolved"),
        (asyncssh.ConnectionLost("x"), "the connection broke off"),
        (OSError(113, "No route to host"), "SSH failed: [Errno 113] No route to host"),
    ],
)
def test_a_failed_connection_has_a_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    async def fail(_: HostAccess) -> asyncssh.SSHClientConnection:
        raise error

    monkeypatch.setattr(ssh, "_connect", fail)
    with pytest.raises(Unreachable) as caught:
        asyncio.run(run_script(access("a"), "true", "", 5.0))
    assert caught.value.reason == reason


def test_another_error_is_not_called_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: HostAccess) -> asyncssh.SSHClientConnection:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(ssh, "_connect", fail)
    with pytest.raises(KeyError):
        asyncio.run(run_script(access("a"), "true", "", 5.0))


class _Connection:
    """Keeps what was run, and ends as a remote command does."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.ran: list[tuple[str, str]] = []

    async def __aenter__(self) -> _Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def run(
        self, command: str, *, input: str, encoding: str, errors: str
    ) -> asyncssh.SSHCompletedProcess:
        assert (encoding, errors) == ("utf-8", "replace")
        self.ran.append((command, input))
        return asyncssh.SSHCompletedProcess(exit_status=self.status, stdout="out", stderr="err")


@pytest.mark.parametrize(("user", "prefix"), [("root", ""), ("admin", "sudo -n ")])
@pytest.mark.parametrize(("status", "shown"), [(0, 0), (3, 3), (None, -1)])
def test_script_travels_on_stdin_before_its_own_input(
    monkeypatch: pytest.MonkeyPatch, user: str, prefix: str, status: int | None, shown: int
) -> None:
    connection = _Connection(status)

    async def connect(_: HostAccess) -> _Connection:
        return connection

    monkeypatch.setattr(ssh, "_connect", connect)
    result = asyncio.run(run_script(access("a", user), "echo 'x'", "key: 'v'\n", 5.0))
    assert result == Result(shown, "out", "err")
    [(command, given)] = connection.ran
    assert command.startswith(f"{prefix}bash -c 'script=$(head -c 17); ")
    assert given == "echo 'x'\n# whole\nkey: 'v'\n"


def test_nul_cannot_end_the_script_early() -> None:
    with pytest.raises(ValueError, match="NUL"):
        asyncio.run(run_script(access("a"), "true\0false", "", 5.0))
