"""The table: what a program may expect of the command plugin, whichever is installed, through the real CLI.

Where the official plugin and this project's drop-in are known to differ, a case asserts what both promise;
what only the drop-in promises stands under `if engine.is_dropin`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import time
from typing import Any

import pytest

from tests.conformance.cli import Engine, Stack
from tests.conformance.declare import copy, local, output, raw, remote, secret
from tests.conformance.host import Host
from tests.waiting import wait_until

smoke = pytest.mark.smoke
_REFUSED = r"unable to authenticate|login as 'root' was refused"


def life(machine: Host, place: str, name: str = "one", **more: Any) -> dict[str, Any]:
    """Return a command that writes each step of its life, with its stdin, into a log on the machine."""
    log = f"{place}/log"
    scripts = {step: f"echo {step} $(cat) >> {log}; echo {step}" for step in ("create", "update", "delete")}
    return remote(machine, name, **{**scripts, "stdin": "v1", **more})


def steps(machine: Host, place: str) -> list[str]:
    """Return the steps that were run on the machine, in order."""
    return machine.read(f"{place}/log").splitlines()


# The life of a command.


@smoke
def test_create_runs_once_and_no_change_runs_nothing(stack: Stack, machine: Host, place: str) -> None:
    stack.declare(life(machine, place))
    assert stack.planned() == {"one": ("create", [])}
    assert steps(machine, place) == [], "a preview runs nothing"
    stack.up()
    assert steps(machine, place) == ["create v1"]
    assert stack.state()["one"]["outputs"]["stdout"] == "create"
    assert stack.planned() == {}
    assert stack.expects_no_changes()
    assert re.search(r"\d+ unchanged", stack.up().text)
    assert steps(machine, place) == ["create v1"]


@smoke
def test_a_changed_stdin_updates_in_place_and_destroy_deletes(
    stack: Stack, machine: Host, place: str
) -> None:
    stack.declare(life(machine, place))
    stack.up()
    before = stack.state()["one"]["id"]
    stack.declare(life(machine, place, stdin="v2"))
    assert stack.planned() == {"one": ("update", ["stdin"])}
    assert not stack.expects_no_changes()
    stack.up()
    assert stack.state()["one"]["id"] == before
    stack.destroy()
    assert steps(machine, place) == ["create v1", "update v2", "delete v2"]
    assert "one" not in stack.state()


def test_without_update_the_create_runs_again_and_without_delete_nothing_does(
    stack: Stack, machine: Host, place: str
) -> None:
    stack.declare(life(machine, place, update=None, delete=None))
    stack.up()
    stack.declare(life(machine, place, update=None, delete=None, stdin="v2"))
    stack.up()
    stack.destroy()
    assert steps(machine, place) == ["create v1", "create v2"]


@pytest.mark.parametrize(
    ("delete_first", "expected"),
    [
        pytest.param(False, ["create v1", "create v2", "delete v1"], id="create-before-delete"),
        pytest.param(True, ["create v1", "delete v1", "create v2"], id="delete-before-replace", marks=smoke),
    ],
)
def test_a_trigger_replaces(
    stack: Stack, machine: Host, place: str, delete_first: bool, expected: list[str]
) -> None:
    stack.declare(life(machine, place, triggers=["a"], delete_before_replace=delete_first))
    stack.up()
    stack.declare(life(machine, place, triggers=["b"], stdin="v2", delete_before_replace=delete_first))
    operation, paths = stack.planned()["one"]
    assert "replace" in operation
    assert "triggers[0]" in paths
    stack.up()
    assert steps(machine, place) == expected


def test_a_command_that_left_the_program_is_deleted_and_others_stay(
    stack: Stack, machine: Host, place: str
) -> None:
    stack.declare(life(machine, place, "one"), life(machine, place, "two", stdin="v2"))
    stack.up()
    stack.declare(life(machine, place, "two", stdin="v2"))
    stack.up()
    assert steps(machine, place)[2:] == ["delete v1"]


def test_local_commands_live_alike(stack: Stack, engine: Engine) -> None:
    def declared(stdin: str) -> dict[str, Any]:
        given = {step: f"echo {step} $(cat) $WORD >> log" for step in ("create", "update", "delete")}
        return local("one", **given, stdin=stdin, environment={"WORD": "w"}, dir=str(stack.folder))

    stack.declare(declared("v1"))
    stack.up()
    stack.declare(declared("v2"))
    stack.up()
    stack.destroy()
    assert (stack.folder / "log").read_text() == "create v1 w\nupdate v2 w\ndelete v2 w\n"


def test_a_copied_file_arrives_whole_and_only_when_it_changed(
    stack: Stack, machine: Host, place: str
) -> None:
    source = stack.folder / "source"
    content = bytes(range(256)) * 4
    source.write_bytes(content)
    stack.declare(copy(machine, "one", source=str(source), remote_path=f"{place}/copied"))
    stack.up()
    assert machine.shell(f"base64 -w0 {place}/copied; echo").strip() == _base64(content)
    assert stack.planned() == {}
    source.write_bytes(content + b"more")
    assert set(stack.planned()) == {"one"}
    stack.up()
    assert machine.shell(f"base64 -w0 {place}/copied; echo").strip() == _base64(content + b"more")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_an_output_that_a_preview_cannot_know(stack: Stack, machine: Host, place: str) -> None:
    declared = [
        life(machine, place, "one"),
        life(machine, place, "two", stdin=output("one", "stdout")),
    ]
    stack.declare(*declared)
    assert stack.planned() == {"one": ("create", []), "two": ("create", [])}
    stack.up()
    assert steps(machine, place) == ["create v1", "create create"]


# Failures.


@smoke
def test_a_failing_command_says_status_and_text_and_what_was_made_stays(
    stack: Stack, machine: Host, place: str
) -> None:
    failing = "echo on its way; echo it went wrong >&2; exit 7"
    stack.declare(
        life(machine, place, "good"),
        remote(machine, "bad", create=failing, depends_on=["good"]),
        life(machine, place, "after", depends_on=["bad"]),
    )
    done = stack.up(fails=True)
    for said in ("Process exited with status 7: running", "on its way", "it went wrong"):
        assert said in done.text
    assert steps(machine, place) == ["create v1"], "what depends on the failed one is not begun"
    assert {"good", "after"} & set(stack.state()) == {"good"}
    stack.declare(life(machine, place, "good"), remote(machine, "bad", create="echo repaired"))
    stack.up()
    assert stack.state()["bad"]["outputs"]["stdout"] == "repaired"
    assert steps(machine, place) == ["create v1"]


def test_a_failing_local_command_says_status_and_text(stack: Stack) -> None:
    stack.declare(local("bad", create="echo it went wrong >&2; exit 7"))
    done = stack.up(fails=True)
    assert "exit status 7" in done.text
    assert "it went wrong" in done.text


def test_a_failing_update_keeps_the_old_state_and_can_be_repaired(
    stack: Stack, machine: Host, place: str
) -> None:
    stack.declare(life(machine, place))
    stack.up()
    stack.declare(life(machine, place, stdin="v2", update="echo broken >&2; exit 3"))
    assert "status 3" in stack.up(fails=True).text
    assert stack.state()["one"]["inputs"]["stdin"] == "v1"
    stack.declare(life(machine, place, stdin="v2"))
    stack.up()
    assert steps(machine, place) == ["create v1", "update v2"]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        pytest.param("wrong host key", r"host key|hostKey", id="wrong-host-key", marks=smoke),
        pytest.param("wrong password", _REFUSED, id="wrong-password"),
        pytest.param("wrong private key", _REFUSED, id="wrong-private-key"),
        pytest.param("dead host", r"after 3 failed attempts", id="dead-host"),
    ],
)
def test_a_host_that_is_not_as_said_is_refused(
    stack: Stack, machine: Host, place: str, case: str, said: str
) -> None:
    other_key, other_public = ((machine.keys / name).read_text() for name in ("other", "other.pub"))
    changes: dict[str, dict[str, Any]] = {
        "wrong host key": {"host_key": other_public.strip()},
        "wrong password": {"private_key": None, "password": secret("a-wrong-password")},
        "wrong private key": {"private_key": secret(other_key)},
        "dead host": {"port": 1},
    }
    wrong = {"dial_error_limit": 2, **changes[case]}
    stack.declare(life(machine, place, "alive", stdin="ok"), life(machine, place, connection=wrong))
    done = stack.up(fails=True, deadline=60)
    assert re.search(said, done.text), done.text
    assert "a-wrong-password" not in done.text
    assert steps(machine, place) == ["create ok"], "the host that is well is not held up by the other"
    assert "one" not in stack.state()


def test_a_password_logs_in(stack: Stack, machine: Host, place: str) -> None:
    by_password = {"private_key": None, "password": secret(machine.password)}
    stack.declare(life(machine, place, connection=by_password))
    done = stack.up()
    assert steps(machine, place) == ["create v1"]
    assert machine.password not in done.text + json.dumps(stack.exported())


def test_through_a_bastion(stack: Stack, machine: Host, place: str) -> None:
    # The bastion and the machine behind it are the same; behind it, its sshd is at its own port 22.
    stack.declare(life(machine, place, connection={"port": 22, "proxy": machine.connection()}))
    stack.up()
    assert steps(machine, place) == ["create v1"]


def test_an_input_or_type_that_does_not_exist_is_refused_by_name(
    stack: Stack, machine: Host, place: str, engine: Engine
) -> None:
    connection = {"host": "127.0.0.1", "port": machine.port}
    stack.declare(raw("command:remote:Commands", "one", connection=connection, version="1.2.1"))
    assert "command:remote:Commands" in stack.up(fails=True).text
    stack.declare(raw("command:remote:Command", "one", create="true", version="1.2.1"))
    assert "connection" in stack.up(fails=True).text, "what is required and not there is named"
    stack.declare(raw("command:local:Command", "one", create=["true"], version="1.2.1"))
    assert "create" in stack.up(fails=True).text, "an input of a wrong type is named"
    if engine.is_dropin:
        stack.declare(raw("command:local:Command", "one", create="true", stdinn="v1", version="1.2.1"))
        assert "stdinn" in stack.up(fails=True).text


def test_an_environment_that_sshd_refuses_is_an_error(stack: Stack, machine: Host, place: str) -> None:
    wanted = 'echo "$TEST_WORD" > ' + f"{place}/word"
    stack.declare(remote(machine, "one", create=wanted, environment={"TEST_WORD": "accepted"}))
    stack.up()
    assert machine.read(f"{place}/word") == "accepted\n"
    stack.declare(remote(machine, "two", create=f"touch {place}/ran", environment={"OTHER": "x"}))
    assert "OTHER" in stack.up(fails=True).text
    assert machine.shell(f"ls {place}") == "word\n"


# Secrets.


@smoke
def test_secret_stdin_and_stdout_stay_secret(stack: Stack, machine: Host) -> None:
    hidden, plain = "a-well-kept-thing", "known-to-all"
    stack.declare(
        remote(
            machine,
            "hidden",
            create="cat",
            stdin=secret(hidden),
            logging="none",
            additional_secret_outputs=["stdout", "stderr"],
        ),
        remote(machine, "plain", create="cat", stdin=plain),
        export=["hidden", "plain"],
    )
    shown = stack.up().text + stack.run("stack", "output", "--json").text
    state = json.dumps(stack.exported())
    private = (machine.keys / "client").read_text().splitlines()[2]
    for text in (shown, state):
        assert plain in text
        assert hidden not in text
        assert private not in text
    assert "[secret]" in shown
    assert stack.state("--show-secrets")["hidden"]["outputs"]["stdout"]["plaintext"] == json.dumps(hidden)


# What is printed.


def test_ten_mebibytes_of_output(stack: Stack, machine: Host) -> None:
    size = 10 * 1024 * 1024
    stack.declare(remote(machine, "one", create=f"head -c {size} /dev/zero | tr '\\0' x", logging="none"))
    stack.up()
    found = stack.state()["one"]["outputs"]["stdout"]
    assert len(found) == size
    assert set(found) == {"x"}
    assert stack.expects_no_changes()


def test_unicode_and_control_characters_come_back_as_they_are(stack: Stack, machine: Host) -> None:
    text = "grüße ✓ 漢字 🚀\ttab \x01 'quoted' \"twice\" $HOME `no` \\n"
    stack.declare(
        remote(machine, "stdin", create="cat", stdin=text),
        remote(machine, "script", create="printf '%s' 'grüße ✓ 漢字'"),
        # One line end at the end is dropped, as a shell's $(…) does; a second one stays.
        remote(machine, "ends", create="printf 'a\\n\\n'"),
    )
    stack.up()
    state = stack.state()
    found = {name: state[name]["outputs"]["stdout"] for name in ("stdin", "script", "ends")}
    assert found == {"stdin": text, "script": "grüße ✓ 漢字", "ends": "a\n"}


def test_binary_output_does_no_harm(stack: Stack, machine: Host, place: str, engine: Engine) -> None:
    # The protocol's texts are UTF-8. A plugin may refuse other bytes or mark them; it may not lose the rest.
    binary = remote(machine, "one", create=f"touch {place}/ran; printf 'A\\377\\376B'")
    stack.declare(binary)
    process = stack.start("up", "--yes", "--skip-preview")
    text, _ = process.communicate(timeout=120)
    assert machine.shell(f"ls {place}") == "ran\n"
    if process.returncode == 0:
        assert re.fullmatch("A.+B", stack.state()["one"]["outputs"]["stdout"])
    else:
        assert not engine.is_dropin
        assert "UTF-8" in text


# Time.


def test_a_slow_command_may_take_the_time_it_is_given_and_no_more(
    stack: Stack, machine: Host, place: str, engine: Engine
) -> None:
    slow = remote(machine, "slow", create=f"sleep 3; touch {place}/done", custom_timeouts={"create": "60s"})
    stack.declare(slow)
    stack.up()
    assert machine.shell(f"ls {place}") == "done\n"
    endless = f"sleep 7{os.getpid()}"
    stack.declare(slow, remote(machine, "endless", create=endless, custom_timeouts={"create": "3s"}))
    done = stack.up(fails=True, deadline=60)
    assert done.seconds < 30
    assert "slow" in stack.state()
    if engine.is_dropin:
        assert "3 s that custom_timeouts allow" in done.text
        assert machine.runs(endless) == []


@pytest.mark.parametrize("where", ["remote", "local"])
def test_a_cancelled_update_ends_and_leaves_no_process(
    stack: Stack, machine: Host, place: str, engine: Engine, where: str
) -> None:
    mark = f"sleep 8{os.getpid()}"
    if where == "remote":
        stack.declare(remote(machine, "one", create=f"touch {place}/begun; {mark}; true"))
        begun = lambda: machine.runs(mark) != []  # noqa: E731
    else:
        stack.declare(local("one", create=f"touch begun; {mark}; true", dir=str(stack.folder)))
        begun = (stack.folder / "begun").exists
    process = stack.start("up", "--yes", "--skip-preview")
    wait_until(begun, 60, "the command runs")
    assert engine.processes() != [], "what runs is found by its mark, so that what is left would be too"
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode != 0, text
    assert "Traceback" not in text
    assert time.monotonic() - started < 30
    wait_until(lambda: engine.processes() == [], 15, f"all local processes end: {engine.processes()}")
    if engine.is_dropin:
        assert machine.runs(mark) == []
    stack.declare(remote(machine, "one", create="echo next"))
    stack.up()
    assert stack.state()["one"]["outputs"]["stdout"] == "next", "the stack is not left locked"


# Reboots.


def test_a_host_that_reboots_between_two_commands_of_one_update(
    stack: Stack, machine: Host, place: str
) -> None:
    stack.declare(
        life(machine, place, "before"),
        local("reboot", create=f"docker restart -t 0 {machine.container}", depends_on=["before"]),
        life(machine, place, "after", stdin="v2", depends_on=["reboot"]),
    )
    stack.up()
    assert steps(machine, place) == ["create v1", "create v2"]


def test_a_host_that_reboots_under_a_running_command(stack: Stack, machine: Host, place: str) -> None:
    endless = f"sleep 6{os.getpid()}"
    running = f"docker exec {machine.container} ps -eo args | grep -qx '{endless}'"
    wait = f"for try in $(seq 300); do if {running}; then exit 0; fi; sleep 0.1; done; exit 1"
    stack.declare(
        remote(machine, "one", create=f"touch {place}/begun; {endless}; touch {place}/over"),
        local("wait", create=wait),
        local("reboot", create=f"docker restart -t 0 {machine.container}", depends_on=["wait"]),
    )
    done = stack.up(fails=True, deadline=90)
    assert done.seconds < 60, "a connection that is gone is noticed at once"
    assert machine.shell(f"ls {place}") == "begun\n"
    assert {"one", "reboot"} & set(stack.state()) == {"reboot"}
    wait_until(machine.answers, 30, "the machine is back")
    stack.declare(remote(machine, "one", create="echo back"))
    stack.up()
    assert stack.state()["one"]["outputs"]["stdout"] == "back"


# Many.


def test_two_hundred_commands_on_one_host(
    stack: Stack, machine: Host, place: str, engine: Engine, notes: list[str]
) -> None:
    numbers = range(200)
    before = machine.logins()
    stack.declare(*(remote(machine, f"n{n}", create=f"echo {n} >> {place}/log; echo {n}") for n in numbers))
    done = stack.up(deadline=180)
    logins = machine.logins() - before
    notes.append(f"200 commands on one host: {done.seconds:.1f} s, {logins} logins")
    assert sorted(map(int, machine.read(f"{place}/log").split())) == list(numbers)
    state = stack.state()
    assert [state[f"n{n}"]["outputs"]["stdout"] for n in numbers] == [str(n) for n in numbers]
    if engine.is_dropin:
        assert logins == 1
