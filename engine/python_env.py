"""The virtual environment `.venv`: made from the requirements files, made again when they change."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from engine import distro, stamps
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
STAMP = "rocestack.json"


def key(checkout: Checkout) -> str:
    """Return the digest of what the environment is made from: pins, Python, place (it cannot be moved)."""
    parts: dict[str, bytes | str] = {name: (checkout.root / name).read_bytes() for name in REQUIREMENTS}
    parts["python"] = f"{sys.version} {base_python()}"
    parts["place"] = str(checkout.venv)
    return stamps.digest(parts)


def base_python() -> str:
    """Return the Python outside any virtual environment that runs us."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def ensure(checkout: Checkout, reporter: Reporter) -> None:
    """Make `.venv` as the requirements files say; nothing is done when it already is so."""
    wanted = key(checkout)
    stamp = checkout.venv / STAMP
    if stamps.read(stamp).get("key") == wanted and checkout.python.exists():
        reporter.say("python", f"up to date: .venv, Python {sys.version.split()[0]}")
        return
    stamp.unlink(missing_ok=True)
    _need_venv_module(checkout, reporter)
    reporter.say("python", "making .venv from requirements.txt and requirements-dev.txt")
    reporter.run(
        "python",
        [base_python(), "-m", "venv", "--clear", str(checkout.venv)],
        checkout.logs / "venv.log",
        hint="Install the Python package that holds venv and ensurepip (Debian: python3-venv).",
    )
    install(checkout, reporter, ["-r", str(checkout.root / REQUIREMENTS[-1])])
    _link_checkout(checkout)
    stamps.write(stamp, {"key": wanted})


def install(checkout: Checkout, reporter: Reporter, what: list[str], target: Path | None = None) -> None:
    """Let the environment's pip install packages, into a folder of their own when `target` is given."""
    argv = [str(checkout.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    argv += ["--no-warn-script-location", "--progress-bar", "off"]
    if target is not None:
        shutil.rmtree(target, ignore_errors=True)
        argv += ["--no-deps", "--target", str(target)]
    reporter.run(
        "python",
        [*argv, *what],
        checkout.logs / "pip.log",
        hint="Check that pip reaches its package index (pip config list), then run the same command again.",
    )


def _link_checkout(checkout: Checkout) -> None:
    """Let the environment import the checkout's own packages from any folder (the plugins need it)."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = checkout.venv / "lib" / name / "site-packages"
    stamps.write_text(site / "rocestack.pth", f"{checkout.root}\n")


def _need_venv_module(checkout: Checkout, reporter: Reporter) -> None:
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if not distro.can_install():
        raise EngineError(
            f"{base_python()} cannot make virtual environments: its modules venv and ensurepip are missing.",
            distro.how_to_install([package]),
        )
    distro.install(checkout, reporter, [package])
