"""The command plugin against a real SSH server, through its own protocol."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.common import wire
from tests.plugins.conftest import SshServer, run, wait_for_log
from tests.plugins.harness import Background, Failed, PluginProcess, wait_until

REMOTE = "command:remote:Command"
LOCAL = "command:local:Command"


@pytest.fixture
def plugin() -> Iterator[PluginProcess]:
    with PluginProcess("command") as process:
        yield process


def script(sshd: SshServer, **inputs: Any) -> dict[str, Any]:
    return {"connection": sshd.connection(), "addPreviousOutputInEnv": False, **inputs}


# remote.Command


def test_create_update_and_delete_run_their_scripts_with_stdin(
    plugin: PluginProcess, sshd: SshServer
) -> None:
    inputs = script(
        sshd,
        create="cat > /tmp/value; echo made; echo note >&2",
        delete="cat > /tmp/removed",
        stdin="a: '1'\n",
    )
    id_, state = plugin.create(REMOTE, inputs)
    assert id_.startswith("thing")
    assert (state["stdout"], state["stderr"]) == ("made", "note")
    assert run("docker", "exec", sshd.container, "cat", "/tmp/value") == "a: '1'"
    assert sorted(plugin.log.lines) == ["made", "note"]
    changed = {**inputs, "stdin": "a: '2'\n"}
    state = plugin.update(REMOTE, id_, state, inputs, changed)
    assert run("docker", "exec", sshd.container, "cat", "/tmp/value") == "a: '2'"
    plugin.delete(REMOTE, id_, state)
    assert run("docker", "exec", sshd.container, "cat", "/tmp/removed") == "a: '2'"


def test_no_change_is_no_diff_and_a_changed_stdin_updates(plugin: PluginProcess, sshd: SshServer) -> None:
    olds = plugin.check(REMOTE, script(sshd, create="true", stdin="a", triggers=["t"]))
    same = plugin.diff(REMOTE, olds, script(sshd, create="true", stdin="a", triggers=["t"]))
    assert (same.changes, list(same.detailedDiff), list(same.replaces)) == (1, [], [])
    changed = plugin.diff(REMOTE, olds, script(sshd, create="true", stdin="b", triggers=["t"]))
    assert (changed.changes, list(changed.detailedDiff), list(changed.replaces)) == (2, ["stdin"], [])
    assert changed.detailedDiff["stdin"].inputDiff
    replaced = plugin.diff(REMOTE, olds, script(sshd, create="true", stdin="a", triggers=["u"]))
    assert (list(replaced.detailedDiff), list(replaced.replaces)) == (["triggers[0]"], ["triggers[0]"])


def test_a_preview_never_dials(plugin: PluginProcess, sshd: SshServer) -> None:
    inputs = {"connection": sshd.connection(host="203.0.113.1"), "create": "true"}
    id_, planned = plugin.create(REMOTE, inputs, preview=True)
    assert id_ == ""
    assert planned["stdout"] is wire.UNKNOWN
    unknown = {"connection": wire.Secret(wire.UNKNOWN), "create": "true"}
    assert plugin.create(REMOTE, unknown, preview=True)[1]["stderr"] is wire.UNKNOWN


def test_secrets_stay_secret_and_the_connection_always_is(plugin: PluginProcess, sshd: SshServer) -> None:
    _, state = plugin.create(REMOTE, script(sshd, create="cat", stdin=wire.Secret("hidden"), logging="none"))
    assert isinstance(state["connection"], wire.Secret)
    assert state["stdin"] == wire.Secret("hidden")
    assert plugin.log.lines == []


def test_a_failing_script_names_status_host_and_output(plugin: PluginProcess, sshd: SshServer) -> None:
    with pytest.raises(Failed) as caught:
        plugin.create(REMOTE, script(sshd, create="echo before; echo wrong >&2; exit 3"))
    text = str(caught.value)
    assert text.startswith('Process exited with status 3: running "echo before')
    assert f"on root@127.0.0.1:{sshd.port}:" in text
    assert {"before", "wrong"} <= set(text.splitlines())
    assert "Traceback" not in text
    assert caught.value.id == ""


def test_half_a_create_is_kept_when_there_is_a_delete(plugin: PluginProcess, sshd: SshServer) -> None:
    with pytest.raises(Failed) as caught:
        plugin.create(REMOTE, script(sshd, create="touch /tmp/half; false", delete="rm /tmp/half"))
    assert caught.value.id.startswith("thing")
    plugin.delete(REMOTE, caught.value.id, caught.value.outputs)
    assert run("docker", "exec", sshd.container, "sh", "-c", "ls /tmp/half 2>&1 || echo gone").endswith(
        "gone"
    )


def test_a_wrong_host_key_is_refused_at_once(plugin: PluginProcess, sshd: SshServer) -> None:
    other = (sshd.keys / "client.pub").read_text()
    begun = time.monotonic()
    with pytest.raises(Failed, match=r"does not prove itself with connection\.hostKey"):
        plugin.create(
            REMOTE, {"connection": sshd.connection(hostKey=other, dialErrorLimit=10.0), "create": "true"}
        )
    assert time.monotonic() - begun < 5


def test_a_refused_login_says_what_was_tried(plugin: PluginProcess, sshd: SshServer) -> None:
    connection = sshd.connection(privateKey=None, password="wrong")
    with pytest.raises(Failed, match="after 3 failed attempts") as caught:
        plugin.create(REMOTE, {"connection": connection, "create": "true", "delete": "true"})
    assert "credentials given: password" in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert caught.value.id == "", "nothing ran, so there is nothing to keep"


def test_a_dead_host_fails_only_its_own_operation(plugin: PluginProcess, sshd: SshServer) -> None:
    dead = sshd.connection(port=1.0)
    with pytest.raises(Failed, match=r"root@127\.0\.0\.1:1: after 3 failed attempts"):
        plugin.create(REMOTE, {"connection": dead, "create": "true"})
    assert plugin.create(REMOTE, script(sshd, create="echo alive"))[1]["stdout"] == "alive"


def test_environment_by_setenv_and_a_refusal_is_an_error(plugin: PluginProcess, sshd: SshServer) -> None:
    accepted = script(sshd, create='printf "%s" "$TEST_A"', environment={"TEST_A": "x y"})
    assert plugin.create(REMOTE, accepted)[1]["stdout"] == "x y"
    with pytest.raises(Failed, match="could not set environment variable 'OTHER'"):
        plugin.create(REMOTE, script(sshd, create="touch /tmp/ran", environment={"OTHER": "x"}))
    assert "gone" in run("docker", "exec", sshd.container, "sh", "-c", "ls /tmp/ran 2>/dev/null || echo gone")


def test_the_last_output_is_offered_to_the_next_run(plugin: PluginProcess, sshd: SshServer) -> None:
    inputs = {"connection": sshd.connection(), "create": "echo first", "update": "echo second"}
    id_, state = plugin.create(REMOTE, inputs)
    state = plugin.update(REMOTE, id_, state, inputs, {**inputs, "stdin": "x"})
    assert state["stdout"] == "second"
    assert any("does not accept PULUMI_COMMAND_STDOUT" in line for line in plugin.log.lines)


def test_big_binary_and_unicode_output(plugin: PluginProcess, sshd: SshServer) -> None:
    big = script(sshd, create="head -c 10485760 /dev/zero | tr '\\0' x", logging="none")
    assert len(plugin.create(REMOTE, big)[1]["stdout"]) == 10 * 1024 * 1024
    assert (
        plugin.create(REMOTE, script(sshd, create="printf '\\377'"))[1]["stdout"]
        == "\N{REPLACEMENT CHARACTER}"
    )
    unicode = script(sshd, create="cat", stdin="grüße ✓ 漢")
    assert plugin.create(REMOTE, unicode)[1]["stdout"] == "grüße ✓ 漢"
    assert plugin.create(REMOTE, script(sshd, create="true", stdin="x" * 10**6))[1]["stdout"] == ""


def test_many_commands_share_one_login(plugin: PluginProcess, sshd: SshServer) -> None:
    before = sshd.logins()
    with ThreadPoolExecutor(40) as threads:
        works = [
            threads.submit(plugin.create, REMOTE, script(sshd, create=f"sleep 0.1; echo {n}"))
            for n in range(60)
        ]
        found = [work.result()[1]["stdout"] for work in works]
    assert found == [str(n) for n in range(60)]
    assert sshd.logins() - before == 1


def test_after_the_connection_died_the_next_command_connects_anew(
    plugin: PluginProcess, sshd: SshServer
) -> None:
    assert plugin.create(REMOTE, script(sshd, create="echo 1"))[1]["stdout"] == "1"
    before = sshd.logins()
    with pytest.raises(Failed, match="was lost before the command ended"):
        plugin.create(REMOTE, script(sshd, create="kill -9 $PPID; sleep 30"))
    assert plugin.create(REMOTE, script(sshd, create="echo 2"))[1]["stdout"] == "2"
    assert sshd.logins() - before == 1


def test_a_command_over_its_time_is_ended_on_the_host(plugin: PluginProcess, sshd: SshServer) -> None:
    other = Background(lambda: plugin.create(REMOTE, script(sshd, create="sleep 6; echo undisturbed")))
    with pytest.raises(Failed, match="not finished after the 1 s that custom_timeouts allow"):
        plugin.create(REMOTE, script(sshd, create="trap '' TERM; sleep 7001 & sleep 7002; wait"), timeout=1)
    assert sshd.processes("sleep 700") == []
    assert other.result()[1]["stdout"] == "undisturbed"


def test_cancel_ends_all_commands_and_keeps_what_has_a_delete(
    plugin: PluginProcess, sshd: SshServer, tmp_path: Path
) -> None:
    marker = f"sleep 7{os.getpid()}"
    works = [
        Background(lambda: plugin.create(REMOTE, script(sshd, create=f"{marker}1; true"))),
        Background(lambda: plugin.create(REMOTE, script(sshd, create=f"{marker}2; true", delete="true"))),
        Background(lambda: plugin.create(LOCAL, {"create": f"touch {tmp_path}/begun; {marker}3; true"})),
    ]
    wait_until(lambda: len(sshd.processes(marker)) >= 2 and (tmp_path / "begun").exists(), "the commands run")
    plugin.cancel()
    failures = []
    for work in works:
        with pytest.raises(Failed) as caught:
            work.result()
        failures.append(caught.value)
    assert [bool(failure.id) for failure in failures] == [False, True, False]
    assert sshd.processes(marker) == []
    assert marker not in run("ps", "-eo", "args")
    with pytest.raises(Failed, match="cancelled"):
        plugin.create(REMOTE, script(sshd, create="true"))


def test_through_a_bastion(plugin: PluginProcess, sshd: SshServer) -> None:
    # The bastion and the host behind it are the same server; behind it, it is its own port 22.
    connection = sshd.connection(port=22.0, proxy=sshd.connection())
    assert (
        plugin.create(REMOTE, {"connection": connection, "create": "echo through"})[1]["stdout"] == "through"
    )


def test_the_server_comes_back_while_dialing(plugin: PluginProcess, sshd: SshServer) -> None:
    run("docker", "restart", "-t", "0", sshd.container)
    port = int(run("docker", "port", sshd.container, "22/tcp").rsplit(":", 1)[1])
    connection = sshd.connection(port=float(port), dialErrorLimit=10.0)
    assert plugin.create(REMOTE, {"connection": connection, "create": "echo back"})[1]["stdout"] == "back"
    wait_for_log(sshd.container, "Server listening")
    object.__setattr__(sshd, "port", port)


# local.Command


def test_local_commands_have_folder_interpreter_and_environment(
    plugin: PluginProcess, tmp_path: Path
) -> None:
    inputs = {
        "create": "import os, sys; print(os.getcwd(), os.environ['A'], sys.stdin.read())",
        "interpreter": ["python3", "-c"],
        "dir": str(tmp_path),
        "environment": {"A": "b"},
        "stdin": "in",
    }
    assert plugin.create(LOCAL, inputs)[1]["stdout"] == f"{tmp_path} b in"


def test_a_failing_local_command(plugin: PluginProcess) -> None:
    with pytest.raises(Failed, match=r'exit status 4: running "echo no; exit 4" on this machine:\nno'):
        plugin.create(LOCAL, {"create": "echo no; exit 4"})
    with pytest.raises(Failed, match="cannot run '/nonexistent' in"):
        plugin.create(LOCAL, {"create": "true", "interpreter": ["/nonexistent"]})


# What is not served.


def test_unknown_inputs_and_types_are_named(plugin: PluginProcess, sshd: SshServer) -> None:
    with pytest.raises(
        AssertionError, match="the input 'stdinn' is not served by the drop-in command plugin"
    ):
        plugin.create(REMOTE, script(sshd, stdinn="x"))
    with pytest.raises(AssertionError, match=r"the input 'connection\.hots' is not served"):
        plugin.create(REMOTE, {"connection": {"host": "h", "hots": "x"}})
    with pytest.raises(AssertionError, match="the input 'connection' is required"):
        plugin.create(REMOTE, {"create": "true"})
    with pytest.raises(Failed, match=r"'command:remote:CopyFile' is not served .* use CopyToRemote"):
        plugin.create("command:remote:CopyFile", {})


def test_the_schema_has_the_official_types(plugin: PluginProcess) -> None:
    document = plugin.schema()
    assert (document["name"], document["version"]) == ("command", "1.2.1")
    assert set(document["resources"]) == {REMOTE, LOCAL, "command:remote:CopyToRemote"}
    assert set(document["functions"]) == {"command:local:run"}


def test_stdout_has_the_port_only_and_the_plugin_ends_with_its_engine(plugin: PluginProcess) -> None:
    assert plugin.first_line.strip().isdigit()
    plugin.process.send_signal(2)
    assert plugin.process.wait(timeout=10) == 0
    assert plugin.process.stdout is not None
    assert plugin.process.stdout.read() == ""
