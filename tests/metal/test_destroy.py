"""Destroy with a dead machine, after a killed `up`, and of a machine taken out: the real CLI, real SSH."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.cli import ROOT, Engine, Stack, find_engine
from tests.conformance.declare import local, remote
from tests.conformance.host import Host, host, run
from tests.waiting import wait_until

# What activate sets, so that one failure does not keep the others from their work.
GO_ON = {"PULUMI_CONTINUE_ON_ERROR": "true"}
DEAD, ALIVE = "clx-mld-41", "clx-mld-42"
STEPS = ("gpu_host.nouveau", "ofed_stack.qos", "docker_host.routes")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return the CLI with the plugins that set-up installed."""
    return find_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host]]:
    """Run two machines; a test may stop the first one."""
    with host(tmp_path_factory.mktemp("one")) as one, host(tmp_path_factory.mktemp("two")) as two:
        yield one, two


@pytest.fixture
def dead(machines: tuple[Host, Host]) -> Iterator[Host]:
    """Return the machine that a test stops; it runs again afterwards."""
    yield machines[0]
    start(machines[0])


@pytest.fixture
def stack(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Stack:
    """Return a new stack."""
    return Stack(engine, tmp_path, str(abs(hash(request.node.name)) % 10**8))


def stop(machine: Host) -> None:
    run("docker", "stop", "--time", "1", machine.container)


def start(machine: Host) -> None:
    run("docker", "start", machine.container)
    wait_until(machine.answers, 30, "sshd answers again")


def chain(machine: Host, name: str, pause: float = 0) -> list[dict[str, object]]:
    """Return a machine's steps, each after the one before; each leaves a file and removes it."""
    found = []
    for number, step in enumerate(STEPS):
        before = [f"{name}/{STEPS[number - 1]}"] if number else []
        found.append(
            remote(
                machine,
                f"{name}/{step}",
                create=f"touch /root/{step}; sleep {pause}",
                delete=f"rm -f /root/{step}",
                depends_on=before,
                connection={"dial_error_limit": 1},
            )
        )
    return found


def files(machine: Host) -> str:
    return machine.shell("ls /root")


def to_the_end(stack: Stack) -> tuple[int, str]:
    """Run the command that the README and the list of what is left name."""
    done = subprocess.run(
        [sys.executable, "-m", "engine.destroy", stack.name, "--yes", "--skip-preview"],
        cwd=stack.folder,
        env={**stack.engine.environment(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.smoke
def test_a_dead_machine_keeps_no_other_from_being_taken_down(
    stack: Stack, machines: tuple[Host, Host], dead: Host
) -> None:
    alive = machines[1]
    stack.declare(*chain(dead, DEAD), *chain(alive, ALIVE))
    stack.up()
    assert files(alive).split() == sorted(STEPS)
    stop(dead)
    plain = stack.run("destroy", "--yes", "--skip-preview", fails=True, **GO_ON)
    assert "run the same command again when the host answers" in plain.text
    assert files(alive) == ""
    held = {name for name in stack.state() if "/" in name}
    assert held == {f"{DEAD}/{step}" for step in STEPS}

    status, said = to_the_end(stack)
    assert status != 0
    told = said.partition(f"Left in stack {stack.name}:\n")[2]
    assert (
        told.index(DEAD) < told.index(f"{DEAD}/docker_host.routes") < told.index(f"{DEAD}/gpu_host.nouveau")
    )
    assert f"python -m engine.destroy {stack.name} --yes" in told

    start(dead)
    assert files(dead).split() == sorted(STEPS)
    status, said = to_the_end(stack)
    assert status == 0, said
    assert files(dead) == ""
    assert "Left in stack" not in said
    assert stack.state() == {}


def test_a_job_over_all_machines_keeps_only_the_dead_one(
    stack: Stack, machines: tuple[Host, Host], dead: Host
) -> None:
    alive = machines[1]
    build = local(
        "operator/build", create="true", depends_on=[f"{name}/{STEPS[-1]}" for name in (DEAD, ALIVE)]
    )
    job = [
        remote(
            machine,
            f"{name}/caffe2-shard",
            create="touch /root/shard",
            # Fails where the machine's own steps were taken back before it.
            delete=f"test -e /root/{STEPS[-1]} && rm -f /root/shard",
            depends_on=["operator/build"],
            connection={"dial_error_limit": 1},
        )
        for machine, name in ((dead, DEAD), (alive, ALIVE))
    ]
    stack.declare(*chain(dead, DEAD), *chain(alive, ALIVE), build, *job)
    stack.up()
    stop(dead)
    status, said = to_the_end(stack)
    assert status != 0
    assert f"{DEAD} failed; going on with what only waited for it: operator/build" in said
    assert files(alive) == ""
    held = {name for name in stack.state() if "/" in name}
    assert held == {f"{DEAD}/{step}" for step in (*STEPS, "caffe2-shard")}
    start(dead)
    status, said = to_the_end(stack)
    assert status == 0, said
    assert files(dead) == ""
    assert stack.state() == {}


def test_a_machine_that_never_comes_back_is_forgotten_by_the_command_that_is_told(
    stack: Stack, machines: tuple[Host, Host], dead: Host
) -> None:
    stack.declare(*chain(dead, DEAD), *chain(machines[1], ALIVE))
    stack.up()
    stop(dead)
    status, said = to_the_end(stack)
    assert status != 0
    command = next(
        line.strip() for line in said.splitlines() if line.strip().startswith("pulumi state delete")
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=stack.folder,
        env=stack.engine.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    status, said = to_the_end(stack)
    assert status == 0, said
    start(dead)
    dead.shell("rm -f /root/*")


def test_what_a_killed_up_was_making_is_taken_down_too(stack: Stack, machines: tuple[Host, Host]) -> None:
    one = machines[0]
    stack.declare(*chain(one, DEAD, pause=5))
    process = stack.start("up", "--yes", "--skip-preview")
    wait_until(lambda: STEPS[1] in files(one), 60, "the second step has begun")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    status, said = to_the_end(stack)
    assert status == 0, said
    assert "its lock is removed" in said
    assert f"half made by a run that was killed, taken back too: {DEAD}/{STEPS[1]}" in said
    assert files(one) == ""
    assert stack.state() == {}
    stack.engine.end_orphans()


def test_the_lock_of_a_run_that_goes_on_is_kept(stack: Stack, machines: tuple[Host, Host]) -> None:
    one = machines[0]
    stack.declare(*chain(one, DEAD, pause=6))
    process = stack.start("up", "--yes", "--skip-preview")
    wait_until(lambda: STEPS[0] in files(one), 60, "the first step has begun")
    status, said = to_the_end(stack)
    assert status != 0
    assert "locked" in said
    assert "its lock is removed" not in said
    assert process.wait(timeout=120) == 0
    stack.destroy()


def test_a_machine_taken_out_is_cleaned_by_the_next_up(
    stack: Stack, machines: tuple[Host, Host], dead: Host
) -> None:
    alive = machines[1]
    stack.declare(*chain(dead, DEAD), *chain(alive, ALIVE))
    stack.up()
    stop(dead)
    stack.declare(*chain(alive, ALIVE))
    failed = stack.up(fails=True, **GO_ON)
    assert "run the same command again when the host answers" in failed.text
    start(dead)
    stack.up()
    assert files(dead) == ""
    assert files(alive).split() == sorted(STEPS)
    assert not [name for name in stack.state() if name.startswith(DEAD)]
    stack.destroy()
