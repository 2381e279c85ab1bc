"""Sets the checkout up, step by step; each step is skipped when nothing changed."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import (
    automatic_logs,
    backend,
    bundle,
    docker_engine,
    lab_images,
    plugin_install,
    pulumi_cli,
    python_env,
    space,
    stamps,
    tools,
)
from engine.bundle import Bundle
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter


def run(checkout: Checkout, reporter: Reporter, archive: Path | None = None) -> None:
    """Bring Python packages, CLI, plugins, Docker engine, state and the lab's files into being.

    With the archive of a bundle, no registry is asked for anything that it carries. What cannot work here
    is found before anything changes: a wrong variable or bundle, an engine, programs, disk space.
    """
    _check_modes()
    with lock(checkout, reporter):
        found = docker_engine.look(checkout)
        with bundle.opened(checkout, reporter, archive, lambda: _is_complete(checkout, found)) as source:
            _check_machine(checkout, reporter, found, source)
            python_env.ensure(checkout, reporter, source.wheels if source else None)
            automatic_logs.switch_off(checkout.pulumi_home)
            cli = pulumi_cli.ensure(checkout, reporter, source)
            plugin_install.ensure(checkout, reporter, cli, source)
            engine = docker_engine.ensure(checkout, reporter, found)
            backend.ensure(checkout, reporter, cli)
            _write_env(checkout, cli, engine)
            if source:
                bundle.bring_photographs(checkout, reporter, source)
                bundle.bring_images(engine.host, reporter, source)
            lab_setup(checkout, reporter, engine)
    reporter.say("setup", "done")


def _is_complete(checkout: Checkout, found: docker_engine.Found) -> bool:
    """Say whether all that a bundle brings is in place."""
    made = python_env.is_made(checkout) and bundle.has_photographs(checkout)
    chosen = pulumi_cli.recorded(checkout) and plugin_install.recorded(checkout)
    images = set(bundle.recorded_images(checkout))
    return bool(made and chosen) and images <= _images(found.engine)


def _images(engine: docker_engine.Engine | None) -> set[str]:
    """Return the lab's images in an engine; none when it does not run."""
    try:
        return {image.tag for image in lab_images.present(engine.host)} if engine else set()
    except OSError:
        return set()


def _check_machine(
    checkout: Checkout, reporter: Reporter, found: docker_engine.Found, source: Bundle | None
) -> None:
    """Check disk space, then programs, and install the ones that are missing where we may."""
    needs = []
    if not python_env.is_made(checkout):
        needs.append(space.Need(checkout.root, space.PYTHON_PACKAGES, "Python packages"))
    if not pulumi_cli.recorded(checkout):
        needs.append(space.Need(checkout.engine, space.CLI, "the Pulumi CLI"))
    if not plugin_install.recorded(checkout):
        needs.append(space.Need(checkout.engine, space.PLUGINS, "plugins"))
    images = _images(found.engine)
    if source:
        new = {tag: size for tag, size in source.manifest.images.items() if tag not in images}
        place = docker_engine.data_root(checkout, found)
        needs.append(space.Need(place, sum(new.values()), "the lab's images in the Docker engine"))
        images |= set(new)
    node = any(tag.startswith(f"{lab_images.NODE}:") for tag in images)
    space.check(needs)
    tools.ensure(checkout, reporter, own_engine=found.to_start, base_image=not node)


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
