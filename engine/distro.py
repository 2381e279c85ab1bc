"""Packages of the distribution: installed when we may, named exactly when we may not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = """#!/bin/sh
# Put here by rocestack for the length of one apt-get: a package that is installed starts no service.
exit 101
"""


def is_debian_like(os_release: str) -> bool:
    """Say whether the text of /etc/os-release is Debian's or of a distribution made from it (Ubuntu, …)."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").replace("'", "").split()
    return "debian" in names or "ubuntu" in names


def can_install() -> bool:
    """Say whether we may install packages here: root, on Debian or Ubuntu, with apt-get."""
    try:
        release = Path("/etc/os-release").read_text()
    except OSError:
        return False
    return os.geteuid() == 0 and is_debian_like(release) and shutil.which("apt-get") is not None


def how_to_install(packages: Sequence[str]) -> str:
    """Return what a person has to type, or to look for."""
    names = " ".join(packages)
    return f"As root on Debian or Ubuntu: apt-get install {names}. Elsewhere: the same tools by other names."


def install(checkout: Checkout, reporter: Reporter, packages: Sequence[str]) -> None:
    """Install packages of the distribution without letting them start a service.

    Raises EngineError with apt's own last lines when there is no network, no such package or no right.
    """
    if not can_install():
        raise EngineError(
            f"Packages are missing and cannot be installed from here: {' '.join(packages)}.",
            how_to_install(packages),
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    hint = "Check this machine's network and /etc/apt/sources.list, then run the same command again."
    reporter.say("packages", f"installing from the distribution: {' '.join(packages)}")
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=1"]
    try:
        reporter.run(
            "packages", [*apt, "update"], checkout.logs / "apt-update.log", hint=hint, env=env, deadline=300
        )
    except EngineError:
        # One dead extra source must not stop us: the lists at hand may do, and the install will tell.
        reporter.say("packages", "apt-get update failed; trying with the package lists at hand")
    with no_services():
        reporter.run(
            "packages",
            [*apt, "install", "--no-install-recommends", *packages],
            checkout.logs / "apt-install.log",
            hint=hint,
            env=env,
            deadline=900,
        )


@contextmanager
def no_services(policy: Path = POLICY) -> Iterator[None]:
    """Keep packages from starting services meanwhile; an administrator's own policy is left as it is."""
    if policy.exists():
        yield
        return
    policy.write_text(POLICY_TEXT)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)
