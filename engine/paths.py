"""Where everything of one checkout lies on this machine."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

LAB_STACK = "lab"
# The lab of virtual machines; only who asks for it has it.
VM_STACK = "vmlab"
LAB_STACKS = (VM_STACK, LAB_STACK)
PROJECT = "rocestack"


@dataclass(frozen=True)
class Checkout:
    """The folders of one checkout. `root` is absolute and free of links."""

    root: Path

    @staticmethod
    def here() -> Checkout:
        """Return the checkout that this file belongs to."""
        return Checkout(Path(__file__).resolve().parent.parent)

    @property
    def tag(self) -> str:
        """Eight hex digits that name this checkout in /run and in interface names."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def engine(self) -> Path:
        return self.root / ".engine"

    @property
    def bin(self) -> Path:
        return self.engine / "bin"

    @property
    def pulumi_home(self) -> Path:
        return self.engine / "home"

    @property
    def logs(self) -> Path:
        return self.engine / "log"

    @property
    def env_file(self) -> Path:
        """Written by set-up, read by `activate`."""
        return self.engine / "env.sh"

    @property
    def state(self) -> Path:
        return self.root / ".state"

    @property
    def backend_url(self) -> str:
        return f"file://{self.state}"

    @property
    def lab(self) -> Path:
        return self.root / ".lab"

    @property
    def passphrase(self) -> Path:
        """The lab stack's public passphrase, a committed file."""
        return self.root / "lab" / "passphrase"

    @property
    def docker(self) -> Path:
        """Data root, pid file and log of a Docker engine that set-up started."""
        return self.engine / "docker"

    @property
    def run(self) -> Path:
        """Sockets of that engine. Under /run because a socket's path is limited to 107 bytes."""
        return Path("/run") / f"rocestack-{self.tag}"


def user_cache() -> Path:
    """Return the folder of this user that outlives `make clean`: binaries built once for all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "rocestack"
