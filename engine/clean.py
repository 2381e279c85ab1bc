"""Takes the checkout back to what git holds: stack, Docker engine and made folders, in that order."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from engine import backend, docker_engine, pulumi_cli
from engine.dockerd import Dockerd, mounts_below
from engine.errors import EngineError
from engine.paths import LAB_STACKS, PROJECT, Checkout
from engine.progress import Reporter


def run(checkout: Checkout, reporter: Reporter) -> None:
    """Destroy the labs' stacks when they hold resources, stop our engine, remove what set-up made.

    Raises EngineError and removes nothing when the destroy fails or another stack still holds resources.
    """
    others = stacks_in_use(checkout)
    if others:
        raise EngineError(
            f"Stacks in {checkout.state} still hold resources: {', '.join(others)}.",
            "Run `. ./activate STACK` and `pulumi destroy --stack STACK` for each of them, then make clean.",
        )
    for stack in LAB_STACKS:
        held = backend.resources(checkout, stack)
        if held:
            _destroy(checkout, reporter, stack, held)
    _guests_clean(checkout, reporter)
    _lab_clean(checkout, reporter)
    Dockerd(checkout).stop(reporter)
    for folder in (checkout.lab, checkout.state, checkout.venv, checkout.engine):
        if folder.exists():
            reporter.say("clean", f"removing {folder.name}")
            _remove(folder)


def stacks_in_use(checkout: Checkout) -> list[str]:
    """Return the names of stacks but the labs' that hold resources in our backend."""
    folder = checkout.state / ".pulumi" / "stacks" / PROJECT
    names = sorted(path.stem for path in folder.glob("*.json"))
    return [name for name in names if name not in LAB_STACKS and backend.resources(checkout, name)]


def _destroy(checkout: Checkout, reporter: Reporter, stack: str, held: int) -> None:
    cli = pulumi_cli.recorded(checkout)
    engine = docker_engine.recorded(checkout)
    if cli is None or engine is None or not checkout.python.exists():
        raise EngineError(
            f"The stack {stack} holds {held} resources, and the set-up that could destroy them is gone.",
            "Run make setup, then make clean. Nothing was removed.",
        )
    if engine.ours:
        Dockerd(checkout).ensure_running(reporter)
    reporter.say("clean", f"destroying the {held} resources of stack {stack}")
    options = ["--yes", "--skip-preview"]
    argv: Sequence[str] = [str(checkout.python), "-m", "engine.destroy", stack, *options]
    env = {**backend.environment(checkout, cli), "DOCKER_HOST": engine.host}
    done = subprocess.run(argv, cwd=checkout.root, env=env, stdin=subprocess.DEVNULL, check=False)
    left = backend.resources(checkout, stack)
    if done.returncode != 0 or left:
        raise EngineError(
            f"pulumi destroy ended with status {done.returncode}; {left} resources are left in the stack.",
            "Mend what it says above, then run make clean again. Nothing else was removed.",
        )


def _guests_clean(checkout: Checkout, reporter: Reporter) -> None:
    """Have the lab end the virtual machines that no stack knows of, such as a person's own tries."""
    if not (checkout.lab / "vm").exists() or not checkout.python.exists():
        return
    argv = [str(checkout.python), "-m", "lab", "vm", "clean"]
    done = subprocess.run(argv, cwd=checkout.root, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise EngineError(
            f"The lab's virtual machines were not removed (status {done.returncode}).",
            "Mend what it says above, then run make clean again.",
        )


def _lab_clean(checkout: Checkout, reporter: Reporter) -> None:
    """Let the lab remove its images from an engine that stays; our own engine goes as a whole."""
    engine = docker_engine.recorded(checkout)
    if engine is None or engine.ours or not checkout.python.exists():
        return
    if docker_engine.probe(engine.host).refusal:
        reporter.say("clean", f"{engine.host} does not answer: the lab's cached images stay there")
        return
    env = {**os.environ, "DOCKER_HOST": engine.host}
    done = subprocess.run(
        [str(checkout.python), "-m", "lab", "clean"],
        cwd=checkout.root,
        env=env,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise EngineError(
            f"The lab's images were not removed from {engine.host} (status {done.returncode}).",
            "Mend what it says above, then run make clean again.",
        )


def _remove(folder: Path) -> None:
    """Remove a folder of ours as a whole; never through a mount."""
    mounted = mounts_below(Path("/proc/self/mountinfo").read_text(), folder)
    if mounted:
        raise EngineError(
            f"{mounted[0]} is still mounted; {folder} is not removed.",
            "End the programs that use it, then run make clean again.",
        )
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise EngineError(
            f"{error.filename or folder} cannot be removed: {error.strerror}.",
            "Run make clean as the user who ran make setup.",
        ) from None
