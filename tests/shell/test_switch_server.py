"""The simulated switch over SSH on loopback, as programs that were made for the original use it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import asyncssh
import pytest
from netmiko import ConnectHandler

from lab.switch.onyx_cli.faults import Fault
from lab.switch.server import SwitchServer
from tests.switch_server import running_switch, store, switch_on


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwitchServer]:
    with running_switch(tmp_path_factory.mktemp("switch"), "swx", up=("1/1",)) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_faults(server: SwitchServer) -> None:
    switch_on(server.folder)


def driver(server: SwitchServer) -> Any:
    """Return a session of netmiko's own driver for this switch, unmodified, in enable mode."""
    client = ConnectHandler(
        device_type="mellanox_mlnxos",
        host="127.0.0.1",
        port=server.port,
        username="admin",
        password=server.password,
    )
    # It looks for a # before it leaves, and waits ten seconds for the one that the first mode does not have.
    client.enable()
    return client


def test_netmiko_works_unmodified(server: SwitchServer) -> None:
    with driver(server) as client:
        lines = ["interface ethernet 1/1", "qos trust L3", "exit", "traffic pool roce type lossless"]
        said = client.send_config_set(lines)
        assert "%" not in said
        assert "swx [standalone: master] (config interface ethernet 1/1) #" in said
        assert not client.check_config_mode()
        expanded = client.send_command("show running-config expanded")
        assert "interface ethernet 1/1 qos trust L3" in expanded
        assert json.loads(client.send_command("show version | json-print"))["Product name"] == "Onyx"
        assert client.send_command("show hosts | include Hostname") == "Hostname: swx"
        # 32 ports are longer than any screen: paging is off.
        assert client.send_command("show interfaces ethernet").count("Operational state") == 32
        refused = client.send_config_set(["interface ethernet 1/99 shutdown"])
        assert "% Invalid interface: 1/99" in refused


def test_a_session_that_breaks_off_closes_the_channel(server: SwitchServer) -> None:
    switch_on(server.folder, Fault("drop", command=2, when="after"))
    with driver(server) as client:
        client.config_mode()
        client.send_command("interface ethernet 1/5 qos trust L3", expect_string="#")
        client.write_channel("interface ethernet 1/6 qos trust L3\n")
        deadline = time.monotonic() + 10
        while not client.remote_conn.closed and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.remote_conn.closed
    with store(server.folder).locked() as switch:
        assert {"1/5", "1/6"} <= switch.running.ports.keys()


def test_a_prompt_comes_late(server: SwitchServer) -> None:
    async def seconds() -> float:
        async with _connection(server) as connection:
            process = await connection.create_process(term_type="xterm")
            await process.stdout.readuntil("> ")
            begun = time.monotonic()
            process.stdin.write("show hosts\r")
            await process.stdout.readuntil("> ")
            return time.monotonic() - begun

    quick = asyncio.run(seconds())
    switch_on(server.folder, Fault("slow", seconds=1.5))
    assert asyncio.run(seconds()) >= 1.5 > quick


@pytest.mark.parametrize(
    ("command", "output", "status"),
    [
        ('cli "show hosts | include Hostname"', "Hostname: swx\n", 0),
        ('cli enable "configure terminal" "show hosts | include Name"', "Name server: none\n", 0),
        ('cli -h \'"enable" "show hosts | include Domain"\'', "Domain name: none\n", 0),
        ('cli "reload"', '% Unrecognized command "reload".\nType "?" for help.\n', 0),
        (
            "uname -a",
            "Mellanox Onyx Switch Management\n\nUNIX shell commands cannot be executed using this account.\n",
            1,
        ),
    ],
)
def test_commands_over_ssh_without_a_terminal(
    server: SwitchServer, command: str, output: str, status: int
) -> None:
    async def run() -> tuple[object, int | None]:
        async with _connection(server) as connection:
            result = await connection.run(command)
            return result.stdout, result.exit_status

    assert asyncio.run(run()) == (output, status)


def test_a_person_sees_pages(server: SwitchServer) -> None:
    async def run() -> str:
        async with _connection(server) as connection:
            process = await connection.create_process(term_type="xterm", term_size=(80, 24))
            await process.stdout.readuntil("> ")
            for keys, until in (
                ("show interfaces ethernet 1/1-1/2\r", "lines 1-23 "),
                ("\r", "lines 2-24 "),
                (" ", "lines 25-47 "),
                ("q", "> "),
            ):
                process.stdin.write(keys)
                seen = str(await process.stdout.readuntil(until))
            process.stdin.write("exit\r")
            await process.wait_closed()
            return seen

    assert asyncio.run(run()) == "\r\x1b[Kswx [standalone: master] > "


def test_the_wrong_password_is_refused(server: SwitchServer) -> None:
    async def run() -> None:
        async with asyncssh.connect(
            "127.0.0.1", server.port, username="admin", password="wrong", known_hosts=None, client_keys=None
        ):
            pass

    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(run())


def _connection(server: SwitchServer) -> Any:
    key = asyncssh.import_public_key(server.host_key)
    return asyncssh.connect(
        "127.0.0.1",
        server.port,
        username="admin",
        password=server.password,
        known_hosts=([key], [], []),
        client_keys=None,
    )
