"""The virtual environment `.venv`: made from the requirements files, made again when they change."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from engine import stamps
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


def is_made(checkout: Checkout) -> bool:
    """Say whether `.venv` is what the requirements files say now."""
    record = stamps.read(checkout.venv / STAMP)
    return record.get("key") == key(checkout) and checkout.python.exists()


def ensure(checkout: Checkout, reporter: Reporter, wheels: Path | None = None) -> None:
    """Make `.venv` as the requirements files say; nothing is done when it already is so.

    With a folder of `wheels` no package index is asked. A failure leaves the environment that was there.
    """
    if is_made(checkout):
        reporter.say("python", f"up to date: .venv, Python {sys.version.split()[0]}")
        return
    source = "" if wheels is None else ", with the bundle's wheels"
    reporter.say("python", f"making .venv from {' and '.join(REQUIREMENTS)}{source}")
    with stamps.replacing(checkout.venv, checkout.engine / "venv.old"):
        reporter.run(
            "python",
            [base_python(), "-m", "venv", str(checkout.venv)],
            checkout.logs / "venv.log",
            hint="Install the Python package that holds venv and ensurepip (Debian: python3-venv).",
        )
        install(checkout, reporter, ["-r", str(checkout.root / REQUIREMENTS[-1])], wheels=wheels)
        _link_checkout(checkout)
        stamps.write(checkout.venv / STAMP, {"key": key(checkout)})


def offline(wheels: Path) -> list[str]:
    """Return the options with which pip takes packages from a folder and from nowhere else."""
    # Isolated: a setting of this machine may not add a place to look in.
    return ["--isolated", "--no-index", "--find-links", str(wheels)]


def install(
    checkout: Checkout,
    reporter: Reporter,
    what: list[str],
    *,
    target: Path | None = None,
    wheels: Path | None = None,
) -> None:
    """Let the environment's pip install packages, into a folder of their own when `target` is given."""
    argv = [str(checkout.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    argv += ["--no-warn-script-location", "--progress-bar", "off"]
    argv += [] if wheels is None else offline(wheels)
    if target is not None:
        shutil.rmtree(target, ignore_errors=True)
        argv += ["--no-deps", "--target", str(target)]
    reporter.run(
        "python",
        [*argv, *what],
        checkout.logs / "pip.log",
        hint="Check that pip reaches its package index (pip config list), then run the same command again; "
        "or set up from a bundle (docs/how-to/offline.md).",
    )


def _link_checkout(checkout: Checkout) -> None:
    """Let the environment import the checkout's own packages from any folder (the plugins need it)."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = checkout.venv / "lib" / name / "site-packages"
    stamps.write_text(site / "rocestack.pth", f"{checkout.root}\n")


def missing_package() -> str:
    """Return the Debian package without which this Python makes no environments; empty when it does."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return ""
    return f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
