"""Programs of the distribution that the lab calls on the operator's machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine import distro
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter

# program → Debian package
REQUIRED = {"ssh-keygen": "openssh-client", "openssl": "openssl"}
# Needed where no registry can be reached to pull the nodes' base image from.
BASE_IMAGE = {"mmdebstrap": "mmdebstrap"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def ensure(checkout: Checkout, reporter: Reporter) -> None:
    """Install what is missing; EngineError names it where we may not."""
    required = [package for program, package in REQUIRED.items() if not shutil.which(program)]
    useful = [package for program, package in BASE_IMAGE.items() if not shutil.which(program)]
    if not KEYRING.exists():
        useful.append("debian-archive-keyring")
    if not required and not useful:
        return
    if distro.can_install():
        distro.install(checkout, reporter, [*required, *useful])
    elif required:
        raise EngineError(
            f"Programs that the lab needs are missing: {', '.join(required)}.",
            distro.how_to_install(required),
        )
    else:
        reporter.say("packages", f"not here: {', '.join(useful)}; the nodes' base image must then be pulled")
