"""Where the lab's files lie: committed ones in `lab/`, made ones in the ignored folder `.lab/`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).resolve().parent
ROOT = LAB.parent


@dataclass(frozen=True)
class LabFiles:
    """The paths of everything that set-up makes; `root` is the checkout."""

    root: Path = ROOT

    @property
    def folder(self) -> Path:
        return self.root / ".lab"

    @property
    def client_key(self) -> Path:
        """The operator's private key; its public half lies beside it as `.pub`."""
        return self.folder / "keys" / "client" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host keys of all machines of the lab, in the form that `ssh` reads."""
        return self.folder / "keys" / "known_hosts"

    def known_hosts_of(self, stack: str) -> Path:
        """The same for one of the labs: that of the stack `lab`, or one beside it."""
        return self.known_hosts if stack == "lab" else self.known_hosts.with_name(f"known_hosts-{stack}")

    @property
    def switch_password(self) -> Path:
        return self.folder / "switch" / "password"

    @property
    def photographs(self) -> Path:
        return self.folder / "photographs"

    @property
    def dataset(self) -> Path:
        """The folder with the archives of labelled images that are cut from the photographs."""
        return self.folder / "dataset"

    @property
    def vendor(self) -> Path:
        """The root of http://vendor/: what the lab's vendors publish."""
        return self.folder / "vendor" / "site"

    @property
    def vendor_manifest(self) -> Path:
        """URLs, sums, versions and fingerprints of all that is below `vendor`."""
        return self.vendor / "manifest.json"

    @property
    def vendor_keys(self) -> Path:
        """The vendors' private signing keys, one gpg home each."""
        return self.folder / "vendor" / "keys"

    def host_keys(self, machine: str) -> Path:
        """The folder with a machine's `ssh_host_ed25519_key` and its `.pub`."""
        return self.folder / "keys" / "hosts" / machine

    def host_key(self, machine: str) -> Path:
        return self.host_keys(machine) / "ssh_host_ed25519_key"


def digest(paths: Iterable[Path]) -> str:
    """Return 12 hex digits that name the content of files and of folders with all that is in them.

    Names, contents, links and executable bits count; times, owners and Python's caches do not.
    """
    total = hashlib.sha256()
    for path in paths:
        found = sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]
        for one in found:
            if "__pycache__" in one.parts or (one.is_dir() and not one.is_symlink()):
                continue
            name = one.relative_to(path.parent).as_posix()
            if one.is_symlink():
                entry = f"link {name} {one.readlink()}".encode()
            else:
                content = hashlib.sha256(one.read_bytes()).hexdigest()
                entry = f"file {name} {one.stat().st_mode & 0o100:o} {content}".encode()
            total.update(entry + b"\n")
    return total.hexdigest()[:12]
