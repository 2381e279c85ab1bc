"""The ways to the switch: the JSON API with its pinned certificate, a jump host; and the `roce` command."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.session import Session as SwitchCli
from lab.switch.onyx_cli.store import MemoryStore
from onyx.observe import read_switch
from onyx.wanted import JUMP_KEY_VARIABLE, KEY_VARIABLE, PASSWORD_VARIABLE
from tests.fabric import MemoryFabric
from tests.switch.answers import WANTED
from tests.switch.conftest import SwitchOnLoopback

PASSWORD = "a-long-password"


class Api:
    """The switch's JSON API over the simulated command line: one login, one cookie, commands and results."""

    def __init__(self) -> None:
        fabric = MemoryFabric(up=("1/1", "1/2"), macs={"02:52:01:01:01:00": "1/1"})
        self.store = MemoryStore(Switch.factory("switch-4f2a10"))
        self.requests: list[Any] = []
        self._fabric = fabric

    def answer(self, path: str, body: Any, cookie: str) -> tuple[dict[str, Any], str]:
        """Return the answer and, for a login, the cookie."""
        if "json-login" in path:
            good = body == {"username": "admin", "password": PASSWORD}
            return {"status": "OK" if good else "ERROR", "status_msg": "Successfully logged-in"}, "session=42"
        if "json-logout" in path or cookie != "session=42":
            return {"status": "OK"}, ""
        self.requests.append(body["commands"])
        cli = SwitchCli(self.store, self._fabric)
        cli.handle("enable")
        return {"results": [self._one(cli, command) for command in body["commands"]]}, ""

    @staticmethod
    def _one(cli: SwitchCli, command: str) -> dict[str, Any]:
        text = cli.handle(f"{command} | json-print" if command.startswith("show ") else command)
        refused = text.startswith("%")
        return {
            "status": "ERROR" if refused else "OK",
            "executed_command": command,
            "status_message": text.strip() if refused else "",
            "data": json.loads(text) if text.lstrip()[:1] in ("[", "{") else "",
        }


@contextmanager
def https(api: Api, folder: Path) -> Iterator[tuple[int, str]]:
    """Serve the API with a fresh certificate; yield the port and the certificate's SHA-256."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-subj", "/CN=system-self-signed", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer, cookie = api.answer(self.path, body, self.headers.get("Cookie", ""))
            text = json.dumps(answer).encode()
            self.send_response(200)
            if cookie:
                self.send_header("Set-Cookie", f"{cookie}; path=/; HttpOnly")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the test's output is for failures."""

    Handler.protocol_version = "HTTP/1.1"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        yield server.server_port, hashlib.sha256(der).hexdigest()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def over_https(port: int, pin: str) -> tuple[SwitchOnLoopback, dict[str, str]]:
    switch = SwitchOnLoopback(Path("/nonexistent"), port, "", PASSWORD)
    lines = switch.lines(transport="json-api", certificate_sha256=pin)
    del lines["host_key"]
    return switch, lines


def test_the_json_api_does_all_that_ssh_does(tmp_path: Path) -> None:
    api = Api()
    with https(api, tmp_path) as (port, pin):
        switch, lines = over_https(port, pin)
        first = switch.onyx("apply", lines)
        assert (first.error, first.said[-1]) == ("", "done: the switch has and keeps the wanted settings")
        assert api.store.switch.running.pools["roce"].type == "lossless"
        api.requests.clear()
        assert switch.onyx("apply", lines).said[-1] == "in sync: nothing to do"
        assert all(len(commands) == 1 and commands[0].startswith("show ") for commands in api.requests)
        access = replace(
            switch.access, transport="json-api", certificate_sha256=pin, password=PASSWORD, host_key=""
        )
        found = read_switch(access, WANTED, 30.0)
        assert found.found == {key: value for key, value in WANTED.lines().items() if key in found.found}
        assert found.neighbours.macs == {"02:52:01:01:01:00": "1/1"}
        assert switch.onyx("remove", lines).said[-1] == "done: our settings are as they were before us"
        assert api.store.switch.running.pools == {}


def test_a_refused_command_over_the_json_api(tmp_path: Path) -> None:
    api = Api()
    with https(api, tmp_path) as (port, pin):
        switch, lines = over_https(port, pin)
        lines["hostname"] = "under_score"
        done = switch.onyx("apply", lines)
        assert 'line 2 of 12, "hostname under_score", was refused: % ' in done.error
        assert "All was taken back" in done.error


def test_another_certificate_gets_no_password(tmp_path: Path) -> None:
    api = Api()
    with https(api, tmp_path) as (port, _pin):
        switch, lines = over_https(port, "ab" * 32)
        done = switch.onyx("apply", lines)
    assert done.status == 1
    assert "answers with another certificate than the pinned one (its SHA-256 is " in done.error
    assert api.requests == []


def test_another_password_over_https(tmp_path: Path) -> None:
    with https(Api(), tmp_path) as (port, pin):
        switch, lines = over_https(port, pin)
        done = switch.onyx("apply", lines, {PASSWORD_VARIABLE: "not-the-one"})
    assert "refuses the login of admin" in done.error


@contextmanager
def jump_host() -> Iterator[tuple[int, str, str]]:
    """Serve an SSH server that only forwards; yield its port, its host key and the client's private key."""
    host_key, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    loop = asyncio.new_event_loop()

    class Forwarder(asyncssh.SSHServer):
        def connection_requested(self, *_: Any) -> bool:
            return True

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Forwarder,
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(client.export_public_key().decode()),
        )

    server = loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield (
            server.get_port(),
            host_key.export_public_key().decode().strip(),
            client.export_private_key().decode(),
        )
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_past_a_jump_host_whose_key_is_checked(switch: SwitchOnLoopback) -> None:
    with jump_host() as (port, host_key, client_key):
        way = {
            "jump_address": "127.0.0.1",
            "jump_port": str(port),
            "jump_user": "ops",
            "jump_host_key": host_key,
        }
        secrets = {PASSWORD_VARIABLE: switch.password, JUMP_KEY_VARIABLE: client_key}
        done = switch.onyx("apply", switch.lines(**way), secrets)
        assert (done.error, done.said[-1]) == ("", "done: the switch has and keeps the wanted settings")
        # The switch's own key stands in for a wrong one.
        way["jump_host_key"] = switch.host_key
        done = switch.onyx("apply", switch.lines(**way), secrets)
        assert "the jump host at 127.0.0.1:" in done.error
        assert "answers with another host key" in done.error
        assert "PRIVATE KEY" not in done.error


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"])
def test_by_private_key_and_no_password(
    make_switch: Callable[..., SwitchOnLoopback], tmp_path: Path, kind: str
) -> None:
    own, another = (asyncssh.generate_private_key(kind) for _ in range(2))
    (tmp_path / "keys").write_bytes(own.export_public_key())
    switch = make_switch(authorized_keys=tmp_path / "keys")
    text = own.export_private_key().decode()
    done = switch.onyx("apply", environment={KEY_VARIABLE: text})
    assert (done.error, done.said[-1]) == ("", "done: the switch has and keeps the wanted settings")
    found = read_switch(replace(switch.access, password="", private_key=text), WANTED, 30.0)
    assert found.found == {key: value for key, value in WANTED.lines().items() if key in found.found}
    # Nothing in the environment, an agent or a home folder stands in for a key that does not fit.
    done = switch.onyx("remove", environment={KEY_VARIABLE: another.export_private_key().decode()})
    assert (done.status, done.said) == (1, [])
    assert "refuses the login of admin: check the user and the key" in done.error
    assert "PRIVATE KEY" not in done.error
    assert switch.onyx("apply").said[-1] == "in sync: nothing to do"


def test_a_switch_without_that_key_refuses_it(switch: SwitchOnLoopback) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    before = switch.state()
    done = switch.onyx("apply", environment={KEY_VARIABLE: key})
    assert (done.status, done.said) == (1, [])
    assert "refuses the login of admin: check the user and the key" in done.error
    assert switch.state() == before


def test_the_one_command_of_newer_releases(make_switch: Callable[..., SwitchOnLoopback]) -> None:
    switch = make_switch("3.10.4100")
    before = switch.state() if (switch.folder / "state.json").exists() else None
    wanted = replace(WANTED, roce="lossless")
    done = switch.onyx("apply", switch.lines(wanted))
    assert (done.error, done.said[-1]) == ("", "done: the switch has and keeps the wanted settings")
    assert "sent: roce lossless" in done.said
    assert switch.onyx("apply", switch.lines(wanted)).said[-1] == "in sync: nothing to do"
    # From there to the explicit settings: the mode goes, each setting comes.
    done = switch.onyx("apply", switch.lines(WANTED, former_roce="lossless"))
    assert (done.error, done.said[-1]) == ("", "done: the switch has and keeps the wanted settings")
    assert "sent: no roce" in done.said
    assert switch.onyx("apply").said[-1] == "in sync: nothing to do"
    done = switch.onyx("remove")
    assert (done.error, done.said[-1]) == ("", "done: our settings are as they were before us")
    assert before is None or switch.running == before["running"]
