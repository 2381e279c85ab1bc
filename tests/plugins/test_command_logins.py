"""All ways to log in, against real SSH servers that allow just the one under test."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.command_hosts import PASSWORD, Hosts, running
from tests.plugins.conftest import run
from tests.plugins.harness import Failed, PluginProcess

REMOTE = "command:remote:Command"


@pytest.fixture(scope="module")
def hosts(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with running(image, tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture
def plugin() -> Iterator[PluginProcess]:
    with PluginProcess("command") as process:
        yield process


@pytest.fixture
def agent(hosts: Hosts, tmp_path: Path) -> Iterator[str]:
    """Run an SSH agent that holds the client's key, and return its socket."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < end, "the agent does not come up"
            time.sleep(0.05)
        done = subprocess.run(
            ["ssh-add", "-q", str(hosts.keys / "client")],
            env={**os.environ, "SSH_AUTH_SOCK": str(path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield str(path)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)


def echo(plugin: PluginProcess, connection: dict[str, object]) -> str:
    inputs = {"connection": connection, "create": "echo in", "addPreviousOutputInEnv": False}
    text: str = plugin.create(REMOTE, inputs)[1]["stdout"]
    return text


@pytest.mark.parametrize(("port", "method"), [(23, "password"), (24, "keyboard-interactive/pam")])
def test_a_password(plugin: PluginProcess, hosts: Hosts, port: int, method: str) -> None:
    connection = hosts.connection(port, privateKey=None, password=PASSWORD)
    assert echo(plugin, connection) == "in"
    assert f"Accepted {method} for root" in hosts.log(port)


@pytest.mark.parametrize("port", [23, 24])
def test_a_wrong_password(plugin: PluginProcess, hosts: Hosts, port: int) -> None:
    connection = hosts.connection(port, privateKey=None, password="Wrong-Donkey 8", dialErrorLimit=0.0)
    with pytest.raises(Failed, match=r"after 1 failed attempts: .* credentials given: password") as caught:
        echo(plugin, connection)
    assert "Donkey" not in str(caught.value)


def test_a_key_that_is_refused_gives_way_to_the_password(plugin: PluginProcess, hosts: Hosts) -> None:
    assert echo(plugin, hosts.connection(23, password=PASSWORD)) == "in"


def test_an_agent_by_its_path_or_by_the_environment(hosts: Hosts, agent: str) -> None:
    with PluginProcess("command") as plugin:
        assert echo(plugin, hosts.connection(privateKey=None, agentSocketPath=agent)) == "in"
    with PluginProcess("command", env={"SSH_AUTH_SOCK": agent}) as plugin:
        assert echo(plugin, hosts.connection(privateKey=None)) == "in"


def test_an_agent_that_does_not_answer(plugin: PluginProcess, hosts: Hosts, tmp_path: Path) -> None:
    connection = hosts.connection(agentSocketPath=str(tmp_path / "none"))
    with pytest.raises(Failed, match=r"no SSH agent answers at .*none"):
        echo(plugin, connection)


@pytest.mark.parametrize("form", ["openssh", "pem"])
def test_an_encrypted_key(plugin: PluginProcess, hosts: Hosts, tmp_path: Path, form: str) -> None:
    key = tmp_path / "key"
    key.write_bytes((hosts.keys / "client").read_bytes())
    key.chmod(0o600)
    if form == "pem":
        key.unlink()
        run(
            *("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", "key phrase", "-C", ""),
            *("-f", str(key)),
        )
        public = key.with_suffix(".pub").read_text().strip()
        hosts.inside(f"mkdir -p /root/.ssh; echo '{public}' >/root/.ssh/authorized_keys")
    else:
        run("ssh-keygen", "-q", "-p", "-P", "", "-N", "key phrase", "-f", str(key))
    assert "ENCRYPTED" in key.read_text() or form == "openssh"
    port = 28 if form == "pem" else 22
    connection = hosts.connection(port, privateKey=key.read_text(), privateKeyPassword="key phrase")
    assert echo(plugin, connection) == "in"
    for password in ("wrong phrase", None):
        wrong = hosts.connection(port, privateKey=key.read_text(), privateKeyPassword=password)
        with pytest.raises(Failed, match=r"connection\.privateKey cannot be read") as caught:
            echo(plugin, wrong)
        assert "phrase" not in str(caught.value).lower().replace("passphrase", "")


def test_without_a_host_key_the_host_is_not_checked_as_officially(
    plugin: PluginProcess, hosts: Hosts
) -> None:
    assert echo(plugin, hosts.connection(hostKey=None)) == "in"


def test_a_password_that_works_for_the_bastion_only_is_named_for_the_host(
    plugin: PluginProcess, hosts: Hosts
) -> None:
    bastion = hosts.connection(23, privateKey=None, password=PASSWORD)
    behind = {**hosts.connection(22, dialErrorLimit=0.0), "port": 22.0, "proxy": bastion}
    assert echo(plugin, behind) == "in"
    wrong = {**behind, "privateKey": None, "password": "no", "dialErrorLimit": 0.0}
    with pytest.raises(Failed, match=r"Dial through root@127\.0\.0\.1:\d+ root@127\.0\.0\.1:22: after 1 "):
        echo(plugin, wrong)
    with pytest.raises(Failed, match=r"Dial root@127\.0\.0\.1:\d+: after 1 failed attempts"):
        echo(plugin, {**behind, "proxy": {**bastion, "password": "no", "dialErrorLimit": 0.0}})
