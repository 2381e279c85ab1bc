"""Sets the checkout up, step by step; each step is skipped when nothing changed."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import backend, docker_engine, plugin_install, pulumi_cli, python_env, stamps, tools
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter


def run(checkout: Checkout, reporter: Reporter) -> None:
    """Bring Python packages, CLI, plugins, Docker engine, state and the lab's files into being."""
    _check_modes()
    with lock(checkout, reporter):
        python_env.ensure(checkout, reporter)
        cli = pulumi_cli.ensure(checkout, reporter)
        plugin_install.ensure(checkout, reporter, cli)
        tools.ensure(checkout, reporter)
        engine = docker_engine.ensure(checkout, reporter)
        backend.ensure(checkout, reporter, cli)
        _write_env(checkout, cli, engine)
        lab_setup(checkout, reporter, engine)
    reporter.say("setup", "done")


def _check_modes() -> None:
    """Refuse wrong variables before anything is touched."""
    pulumi_cli.mode(os.environ)
    plugin_install.mode(os.environ)


@contextmanager
def lock(checkout: Checkout, reporter: Reporter) -> Iterator[None]:
    """Let one set-up or clean run at a time in this checkout."""
    checkout.engine.mkdir(parents=True, exist_ok=True)
    with (checkout.engine / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reporter.say("setup", "waiting for another make in this checkout")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def env_text(program: Path, bin_folder: Path, docker_host: str) -> str:
    """Return the shell text that `activate` reads: the folder of the CLI, and the Docker engine."""
    # An installed CLI is on PATH by itself; ours is named.
    folder = program.parent if program.parent == bin_folder else ""
    return (
        "# Written by make setup; read by activate.\n"
        f"rocestack_cli={shlex.quote(str(folder))}\n"
        f"rocestack_docker={shlex.quote(docker_host)}\n"
    )


def _write_env(checkout: Checkout, cli: pulumi_cli.Cli, engine: docker_engine.Engine) -> None:
    text = env_text(Path(cli.program), checkout.bin, engine.host)
    if not checkout.env_file.exists() or checkout.env_file.read_text() != text:
        stamps.write_text(checkout.env_file, text)


def lab_setup(checkout: Checkout, reporter: Reporter, engine: docker_engine.Engine) -> None:
    """Let the lab make its keys, certificates and base image; it prints its own progress."""
    reporter.say("lab", "keys, certificates, base image")
    env = {**os.environ, "DOCKER_HOST": engine.host}
    env["PATH"] = os.pathsep.join([str(checkout.venv / "bin"), env.get("PATH", "")])
    done = subprocess.run(
        [str(checkout.python), "-m", "lab", "setup"],
        cwd=checkout.root,
        env=env,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise EngineError(
            f"The lab's own set-up failed with status {done.returncode}; it says why above.",
            "Mend that and run the same command again: what is done stays done.",
        )
