"""What holds the connections together: bounds, bastions, reboots, and commands that are cut off."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.plugins.command_hosts import MANY, Hosts, running
from tests.plugins.harness import Background, Failed, PluginProcess, wait_until

REMOTE = "command:remote:Command"


@pytest.fixture(scope="module")
def hosts(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with running(image, tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture
def plugin() -> Iterator[PluginProcess]:
    with PluginProcess("command") as process:
        yield process


def script(connection: dict[str, Any], create: str, **more: Any) -> dict[str, Any]:
    return {"connection": connection, "create": create, "addPreviousOutputInEnv": False, **more}


def test_many_hosts_that_are_one_sshd_stay_below_its_max_startups(
    plugin: PluginProcess, hosts: Hosts
) -> None:
    with ThreadPoolExecutor(len(MANY) * 2) as threads:
        works = [
            threads.submit(plugin.create, REMOTE, script(hosts.connection(26, host), "echo in"))
            for host in MANY * 2
        ]
        assert [work.result()[1]["stdout"] for work in works] == ["in"] * len(works)
    log = hosts.log(26)
    assert "drop connection" not in log
    assert "past MaxStartups" not in log
    assert hosts.logins(26) == len(MANY)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port where, on all loopback addresses, nothing answers: its queue is full."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("0.0.0.0", 0))
        listener.listen(0)
        address = ("127.0.0.1", listener.getsockname()[1])
        for _ in range(3):
            filler = opened.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address[1]


def test_dead_hosts_do_not_keep_logins_from_the_others(
    plugin: PluginProcess, hosts: Hosts, silent_port: int
) -> None:
    waiting = []
    for number in range(12):
        dead = hosts.connection(perDialTimeout=15.0, dialErrorLimit=0.0)
        inputs = script({**dead, "host": f"127.0.3.{number + 1}", "port": float(silent_port)}, "true")
        waiting.append(Background(lambda inputs=inputs: plugin.create(REMOTE, inputs)))
    assert plugin.create(REMOTE, script(hosts.connection(), "echo in"))[1]["stdout"] == "in"
    assert not any(work.ended for work in waiting), "they are still being dialled"
    for work in waiting:
        with pytest.raises(Failed, match="after 1 failed attempts: timed out"):
            work.result()


@pytest.mark.parametrize("port", [25, 27])
def test_a_server_with_few_sessions_runs_all_commands_on_one_login(
    plugin: PluginProcess, hosts: Hosts, port: int
) -> None:
    before = hosts.logins(port)
    with ThreadPoolExecutor(20) as threads:
        works = [
            threads.submit(plugin.create, REMOTE, script(hosts.connection(port), f"sleep 0.1; echo {n}"))
            for n in range(20)
        ]
        assert [work.result()[1]["stdout"] for work in works] == [str(n) for n in range(20)]
    assert hosts.logins(port) - before == 1


def test_refused_variables_leave_no_channel_behind(plugin: PluginProcess, hosts: Hosts) -> None:
    for _ in range(12):
        with pytest.raises(Failed, match="could not set environment variable 'OTHER'"):
            plugin.create(REMOTE, script(hosts.connection(), "true", environment={"OTHER": "x"}))
    before = hosts.logins(22)
    assert plugin.create(REMOTE, script(hosts.connection(), "echo in"))[1]["stdout"] == "in"
    assert hosts.logins(22) == before


def test_a_host_that_rebooted_between_two_commands(plugin: PluginProcess, hosts: Hosts) -> None:
    inputs = script(hosts.connection(28), "echo in")
    assert plugin.create(REMOTE, inputs)[1]["stdout"] == "in"
    before = hosts.logins(28)
    hosts.stop(28)
    hosts.start(28)
    with ThreadPoolExecutor(10) as threads:
        found = [threads.submit(plugin.create, REMOTE, inputs) for _ in range(10)]
        assert [work.result()[1]["stdout"] for work in found] == ["in"] * 10
    assert hosts.logins(28) - before == 1


def test_a_command_that_was_cut_off_is_an_error_and_never_runs_twice(
    plugin: PluginProcess, hosts: Hosts
) -> None:
    hosts.inside("rm -f /tmp/ran")
    create = "echo x >>/tmp/ran; sleep 60"
    cut = Background(
        lambda: plugin.create(REMOTE, script(hosts.connection(28), create, delete="rm /tmp/ran"))
    )
    wait_until(lambda: "x" in hosts.inside("cat /tmp/ran 2>/dev/null || echo"), "the command runs")
    hosts.stop(28)
    with pytest.raises(Failed, match=r"was lost before the command ended.* not started again") as caught:
        cut.result()
    assert f"root@127.0.0.1:{hosts.ports['127.0.0.1', 28]}" in str(caught.value)
    assert caught.value.id, "half of it may be there, and `delete` removes it"
    hosts.start(28)
    assert plugin.create(REMOTE, script(hosts.connection(28), "cat /tmp/ran"))[1]["stdout"] == "x"
    plugin.delete(REMOTE, caught.value.id, caught.value.outputs)
    assert hosts.inside("test -e /tmp/ran || echo gone") == "gone"


def test_a_host_that_reboots_in_the_middle_is_waited_for(plugin: PluginProcess, hosts: Hosts) -> None:
    inputs = script(hosts.connection(28, dialErrorLimit=20.0), "echo in")
    assert plugin.create(REMOTE, inputs)[1]["stdout"] == "in"
    hosts.stop(28)
    work = Background(lambda: plugin.create(REMOTE, inputs))
    wait_until(lambda: any("failed: retrying" in line for line in plugin.log.lines), "it dials again")
    hosts.start(28)
    assert work.result()[1]["stdout"] == "in"


def test_a_bastion_that_died_is_dialled_again(plugin: PluginProcess, hosts: Hosts) -> None:
    connection = {**hosts.connection(22), "port": 22.0, "proxy": hosts.connection(28, dialErrorLimit=20.0)}
    inputs = script(connection, "echo through")
    assert plugin.create(REMOTE, inputs)[1]["stdout"] == "through"
    before = (hosts.logins(22), hosts.logins(28))
    assert plugin.create(REMOTE, inputs)[1]["stdout"] == "through"
    assert (hosts.logins(22), hosts.logins(28)) == before
    hosts.stop(28)
    work = Background(lambda: plugin.create(REMOTE, inputs))
    wait_until(lambda: any("failed: retrying" in line for line in plugin.log.lines), "it dials again")
    hosts.start(28)
    assert work.result()[1]["stdout"] == "through"
    assert (hosts.logins(22) - before[0], hosts.logins(28) - before[1]) == (1, 1)


def test_many_hosts_behind_one_bastion(plugin: PluginProcess, hosts: Hosts) -> None:
    bastion = hosts.connection(28)
    before, seen = (hosts.logins(26), hosts.logins(28)), len(hosts.log(26))
    with ThreadPoolExecutor(20) as threads:
        works = []
        for number in range(20):
            behind = {**hosts.connection(26), "host": f"127.0.1.{number + 1}", "port": 26.0}
            works.append(
                threads.submit(plugin.create, REMOTE, script({**behind, "proxy": bastion}, "echo in"))
            )
        assert [work.result()[1]["stdout"] for work in works] == ["in"] * 20
    assert "past MaxStartups" not in hosts.log(26)[seen:]
    assert (hosts.logins(26) - before[0], hosts.logins(28) - before[1]) == (20, 1)


def test_a_timeout_ends_an_endless_dial(plugin: PluginProcess, hosts: Hosts) -> None:
    hosts.stop(28)
    connection = hosts.connection(28, dialErrorLimit=-1.0)
    with pytest.raises(Failed, match="not finished after the 2 s that custom_timeouts allow"):
        plugin.create(REMOTE, script(connection, "true"), timeout=2)
    assert any("/inf failed: retrying" in line for line in plugin.log.lines)
    hosts.start(28)
    before = hosts.logins(28)
    time.sleep(1.5)
    assert hosts.logins(28) == before, "it went on dialling for nobody"


def test_a_cancelled_command_is_ended_where_sessions_are_few(plugin: PluginProcess, hosts: Hosts) -> None:
    connection = hosts.connection(25)
    # These teach the plugin how few sessions there are.
    with ThreadPoolExecutor(6) as threads:
        for work in [threads.submit(plugin.create, REMOTE, script(connection, "sleep 3")) for _ in range(6)]:
            work.result()
    works = [Background(lambda: plugin.create(REMOTE, script(connection, "sleep 8123"))) for _ in range(6)]
    wait_until(lambda: "sleep 8123" in hosts.inside("pgrep -af 'sleep 812[3]' || echo"), "they run")
    plugin.cancel()
    for work in works:
        with pytest.raises(Failed, match="cancelled"):
            work.result()
    assert hosts.inside("pgrep -af 'sleep 812[3]' || echo none") == "none"
