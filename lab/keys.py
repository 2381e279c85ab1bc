"""Makes the lab's keys and the switches' password, once; what is there stays as it is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from lab.files import LabFiles


def ensure_keys(files: LabFiles, machines: Iterable[str]) -> list[str]:
    """Make every key file that is missing; return what was made, in words, empty if nothing was.

    `machines` are the lab's nodes and switches, by name.
    """
    made = []
    files.folder.mkdir(mode=0o700, exist_ok=True)
    files.folder.chmod(0o700)
    if _ensure_ssh_key(files.client_key, "rocestack-lab"):
        made.append("client key")
    for machine in machines:
        if _ensure_ssh_key(files.host_key(machine), machine):
            made.append(f"host key of {machine}")
    if not files.switch_password.exists():
        _write(files.switch_password, secrets.token_urlsafe(24).encode() + b"\n")
        made.append("switch password")
    return made


def public_key(private_key: Path) -> str:
    """Return the public half of an SSH key as `type base64`, as it stands in known_hosts."""
    return " ".join(private_key.with_name(private_key.name + ".pub").read_text().split()[:2])


def write_known_hosts(files: LabFiles, ports: dict[str, int], stack: str = "lab") -> None:
    """Write a stack's known_hosts file of machines (name to port on loopback), for clients that want one."""
    lines = [f"[127.0.0.1]:{port} {public_key(files.host_key(name))}\n" for name, port in ports.items()]
    text = "".join(lines).encode()
    path = files.known_hosts_of(stack)
    if not path.exists() or path.read_bytes() != text:
        _write(path, text)


def login(files: LabFiles, stack: str, port: str) -> str:
    """Return the command by which a person logs in to a machine of a stack's lab, from the checkout."""
    key, known = (path.relative_to(files.root) for path in (files.client_key, files.known_hosts_of(stack)))
    return f"ssh -i {key} -o UserKnownHostsFile={known} -p {port} root@127.0.0.1"


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all; it never exists with wider rights than `mode`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as sink:
        sink.write(content)
    new.replace(path)


def _ensure_ssh_key(path: Path, comment: str) -> bool:
    public_path = path.with_name(path.name + ".pub")
    if path.exists() and public_path.exists():
        return False
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    # The public half last: only with both is the key there.
    public_path.unlink(missing_ok=True)
    _write(path, private)
    _write(public_path, public + f" {comment}\n".encode(), 0o644)
    return True
