"""The state backend of the lab: files below the checkout, one stack, its public passphrase."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from engine.errors import EngineError
from engine.paths import LAB_STACK, PROJECT, Checkout
from engine.progress import Reporter
from engine.pulumi_cli import Cli


def checkpoint(checkout: Checkout, stack: str = LAB_STACK) -> Path:
    """Return the file in which the backend keeps a stack's state."""
    return checkout.state / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"


def resources(checkout: Checkout, stack: str = LAB_STACK) -> int:
    """Return how many resources a stack holds, the stack itself and providers not counted.

    Raises EngineError when the state is there but cannot be read: nobody may then call it empty.
    """
    path = checkpoint(checkout, stack)
    if not path.exists():
        return 0
    try:
        return count_resources(path.read_text())
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise EngineError(
            f"The state in {path} cannot be read: {error}.", f"Look at it; {path}.bak is the one before."
        ) from None


def count_resources(text: str) -> int:
    """Count the resources in a checkpoint's JSON, without the stack and the providers."""
    latest = (json.loads(text).get("checkpoint") or {}).get("latest") or {}
    kinds = [str(item.get("type", "")) for item in latest.get("resources") or []]
    return sum(kind != "pulumi:pulumi:Stack" and not kind.startswith("pulumi:providers:") for kind in kinds)


def environment(checkout: Checkout, cli: Cli) -> dict[str, str]:
    """Return the variables under which our set-up calls the CLI for the lab's stack."""
    first = [str(checkout.venv / "bin"), str(Path(cli.program).parent), str(checkout.bin)]
    return {
        **{name: value for name, value in os.environ.items() if name != "PULUMI_CONFIG_PASSPHRASE"},
        "PATH": os.pathsep.join([*first, os.environ.get("PATH", "")]),
        "PULUMI_HOME": str(checkout.pulumi_home),
        "PULUMI_BACKEND_URL": checkout.backend_url,
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(checkout.passphrase),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
    }


def ensure(checkout: Checkout, reporter: Reporter, cli: Cli, stack: str = LAB_STACK) -> None:
    """Create the state folder and a lab's stack.

    Its file stays as it is, byte for byte, because it holds the salt of the public passphrase.
    """
    if checkpoint(checkout, stack).exists():
        held = resources(checkout, stack)
        reporter.say("state", f"up to date: stack {stack} with {held} resources in {checkout.state}")
        return
    checkout.state.mkdir(parents=True, exist_ok=True)
    settings = checkout.root / f"Pulumi.{stack}.yaml"
    before = settings.read_text() if settings.exists() else None
    done = subprocess.run(
        [cli.program, "stack", "init", stack, "--non-interactive", "--cwd", str(checkout.root)],
        env=environment(checkout, cli),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EngineError(
            f"The stack {stack} cannot be made: {(done.stderr or done.stdout).strip()}",
            f"Check {settings.name} and {checkout.passphrase}; they belong together.",
        )
    reporter.say("state", f"stack {stack} made in {checkout.state}")
    if before is not None and settings.read_text() != before:
        reporter.say("state", f"{settings.name} had no encryptionsalt: the CLI wrote one; keep it in git")
