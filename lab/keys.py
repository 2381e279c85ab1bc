"""Makes the lab's keys, certificates and the switches' password, once; what is there stays as it is."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.files import LabFiles

_YEARS = timedelta(days=3650)
# A machine whose clock is a little behind must accept a certificate that was made just now.
_CLOCK_SKEW = timedelta(hours=1)
REGISTRY_NAMES = ("registry", "localhost")
REGISTRY_ADDRESSES = ("127.0.0.1",)


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
    if _ensure_ca(files):
        made.append("certificate authority")
    if _ensure_registry_certificate(files):
        made.append("registry certificate")
    if not files.switch_password.exists():
        _write(files.switch_password, secrets.token_urlsafe(24).encode() + b"\n")
        made.append("switch password")
    return made


def public_key(private_key: Path) -> str:
    """Return the public half of an SSH key as `type base64`, as it stands in known_hosts."""
    return " ".join(private_key.with_name(private_key.name + ".pub").read_text().split()[:2])


def write_known_hosts(files: LabFiles, ports: dict[str, int]) -> None:
    """Write the known_hosts file of machines (name to port on loopback), for clients that want one."""
    lines = [f"[127.0.0.1]:{port} {public_key(files.host_key(name))}\n" for name, port in ports.items()]
    text = "".join(lines).encode()
    if not files.known_hosts.exists() or files.known_hosts.read_bytes() != text:
        _write(files.known_hosts, text)


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


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _YEARS)
    )


_CA_NAME = "rocestack lab CA"


def _ensure_ca(files: LabFiles) -> bool:
    if files.ca.exists() and files.ca_key.exists():
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(_CA_NAME, _CA_NAME, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    # What the old authority signed is worth nothing now.
    files.ca.unlink(missing_ok=True)
    (files.registry / "tls.crt").unlink(missing_ok=True)
    _write(files.ca_key, _private_pem(key))
    _write(files.ca, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return True


def _ensure_registry_certificate(files: LabFiles) -> bool:
    certificate_path, key_path = files.registry / "tls.crt", files.registry / "tls.key"
    if certificate_path.exists() and key_path.exists():
        return False
    ca_key = serialization.load_pem_private_key(files.ca_key.read_bytes(), password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{files.ca_key} holds no elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in REGISTRY_NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in REGISTRY_ADDRESSES]
    certificate = (
        _builder(REGISTRY_NAMES[0], _CA_NAME, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    certificate_path.unlink(missing_ok=True)
    _write(key_path, _private_pem(key))
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return True
