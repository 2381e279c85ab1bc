"""How connections are shared and bounded, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from engine.plugins.command import pool as module
from engine.plugins.command.connection import Peer, peer
from engine.plugins.command.pool import ChannelRefused, Link, Pool
from engine.plugins.common.errors import PluginError


class Connection:
    """What the pool needs of a connection."""

    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True


class Dialler:
    """Stands for the network: counts the dials, and the handshakes at once."""

    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.at_once = self.most = 0
        self.given_up = 0
        self.answer = asyncio.Event()

    async def __call__(
        self, to: Peer, tunnel: Any, handshake: Callable[[], Any], show: Any, label: str
    ) -> Connection:
        self.dialled.append(to.host)
        if tunnel is not None:
            await tunnel()
        async with handshake():
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                await self.answer.wait()
            except asyncio.CancelledError:
                self.given_up += 1
                raise
            finally:
                self.at_once -= 1
        return Connection()


def show(text: str) -> None:
    raise AssertionError(f"nothing is to be shown, and not {text!r}")


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def run(monkeypatch: pytest.MonkeyPatch, test: Callable[[Pool, Dialler], Any]) -> None:
    async def inside() -> None:
        dialler = Dialler()
        monkeypatch.setattr(module, "dial", dialler)
        await test(Pool(), dialler)

    asyncio.run(inside())


def test_commands_for_one_host_share_the_handshake_and_hosts_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(pool: Pool, dialler: Dialler) -> None:
        peers = [peer({"host": f"h{number}"}) for number in range(32)]
        tasks = [asyncio.create_task(pool.link(each, show)) for each in peers * 3]
        await settle()
        assert dialler.at_once == 8
        dialler.answer.set()
        links = await asyncio.gather(*tasks)
        assert (len(dialler.dialled), dialler.most, len(set(map(id, links)))) == (32, 8, 32)

    run(monkeypatch, test)


def test_credentials_for_one_host_are_bounded_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(pool: Pool, dialler: Dialler) -> None:
        peers = [peer({"host": "h", "user": f"u{number}"}) for number in range(8)]
        tasks = [asyncio.create_task(pool.link(each, show)) for each in peers]
        await settle()
        assert dialler.at_once == 4
        dialler.answer.set()
        await asyncio.gather(*tasks)

    run(monkeypatch, test)


def test_a_dial_goes_on_until_its_last_command_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(pool: Pool, dialler: Dialler) -> None:
        tasks = [asyncio.create_task(pool.link(peer({"host": "h"}), show)) for _ in range(2)]
        await settle()
        tasks[0].cancel()
        await settle()
        assert (dialler.at_once, dialler.given_up) == (1, 0)
        tasks[1].cancel()
        await settle()
        assert (dialler.at_once, dialler.given_up) == (0, 1)
        again = asyncio.create_task(pool.link(peer({"host": "h"}), show))
        dialler.answer.set()
        assert not (await again).connection.is_closed()
        assert dialler.dialled == ["h", "h"]

    run(monkeypatch, test)


def test_a_connection_that_died_and_its_bastion_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(pool: Pool, dialler: Dialler) -> None:
        dialler.answer.set()
        behind = peer({"host": "h", "proxy": {"host": "bastion"}})
        first = await pool.link(behind, show)
        assert await pool.link(behind, show) is first
        assert dialler.dialled == ["h", "bastion"]
        pool.forget(behind, first)
        second = await pool.link(behind, show)
        assert second is not first
        assert dialler.dialled == ["h", "bastion", "h"], "the bastion was fine"
        pool.forget(behind, second)
        assert behind.proxy is not None
        (await pool.link(behind.proxy, show)).connection.abort()
        await pool.link(behind, show)
        assert dialler.dialled[3:] == ["h", "bastion"]

    run(monkeypatch, test)


class Entry:
    """A running command."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()


class Server:
    """Opens `sessions` channels at once and refuses more, as MaxSessions does."""

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions
        self.running = self.most = 0

    async def open(self) -> None:
        if self.running >= self.sessions:
            raise ChannelRefused("open failed")
        self.running += 1
        self.most = max(self.most, self.running)

    async def command(self, link: Link) -> None:
        async with link.channel():
            entry = Entry()
            await link.open(entry, self.open)
            await asyncio.sleep(0.001)
            self.running -= 1
            entry.ended.set()
            link.live.remove(entry)


@pytest.mark.parametrize(("sessions", "most"), [(10, 8), (8, 8), (3, 3), (1, 1)])
def test_few_sessions_slow_down_and_fail_nothing(
    monkeypatch: pytest.MonkeyPatch, sessions: int, most: int
) -> None:
    monkeypatch.setattr(module, "_REFUSAL_PAUSE", 0.0)

    async def test() -> None:
        link, server = Link(Connection()), Server(sessions)  # type: ignore[arg-type]
        await asyncio.gather(*(server.command(link) for _ in range(40)))
        assert (server.most, server.running, link.live) == (most, 0, [])

    asyncio.run(test())


def test_a_server_that_opens_no_channel_at_all_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFUSAL_PAUSE", 0.0)

    async def test() -> None:
        with pytest.raises(PluginError, match=r"refused to start a command.*MaxSessions"):
            await Server(0).command(Link(Connection()))  # type: ignore[arg-type]

    asyncio.run(test())
