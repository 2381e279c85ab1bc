"""The rules about one resource: pure functions from a resource to the sentences that say what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from policy.resource import UNKNOWN, Resource, Secret, plain, secret_texts, texts
from settings import flat

REMOTE_TYPES = ("command:remote:Command", "command:remote:CopyToRemote", "command:remote:CopyFile")
COMMAND_TYPES = ("command:remote:Command", "command:local:Command")
CONTAINER_TYPE = "docker:index/container:Container"
DOCKER_PROVIDER_TYPE = "pulumi:providers:docker"
SCRIPTS = ("create", "update", "delete")

_HOST_KEY = re.compile(r"^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+=*")
_SHA256 = re.compile(r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")
# Programs of this project that look and change nothing; they have nothing to take back. A command is one of
# them by all of its text, so nothing can be done beside the looking.
_ONLY_LOOKS = re.compile(r"^python -m [a-z_]+(\.[a-z_]+)* (wait|observe|verify)$")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_PRIVILEGED = re.compile(r"\bdocker\s+(container\s+)?(run|create)\b[^\n;|&]*\s--privileged(?!=false)\b")
# Shorter ones cannot be told from ordinary words of a script ("admin").
_SHORTEST_SECRET = 6
_CREDENTIALS = ("password", "privateKey", "privateKeyPassword")
_ALL_CAPABILITIES = ("ALL", "CAP_ALL")


def host_key(resource: Resource) -> Iterator[str]:
    """Every login over SSH checks the host's key: commands, copies, bastions and Docker engines alike."""
    if resource.type in REMOTE_TYPES:
        connection = plain(resource.inputs.get("connection"))
        if isinstance(connection, Mapping):
            yield from _checks_key(resource, "connection", connection)
            if isinstance(connection.get("proxy"), Mapping):
                yield from _checks_key(resource, "connection.proxy", connection["proxy"])
    elif resource.type == "command:local:Command":
        yield from _logins_in_stdin(resource)
    elif resource.type == DOCKER_PROVIDER_TYPE:
        yield from _docker_over_ssh(resource)


def _checks_key(resource: Resource, path: str, peer: Mapping[str, Any]) -> Iterator[str]:
    found = peer.get("hostKey")
    if found is UNKNOWN:
        return
    if not found:
        yield (
            f"{resource.name}: {path}.hostKey is not set, so any machine that answers would be trusted; "
            "allowed is the host's public key on one line, such as 'ssh-ed25519 AAAA…'."
        )
    elif not _HOST_KEY.match(str(found)):
        yield (
            f"{resource.name}: {path}.hostKey is {str(found)[:40]!r}, which is no public key; "
            "allowed is one line such as 'ssh-ed25519 AAAA…'."
        )


def _logins_in_stdin(resource: Resource) -> Iterator[str]:
    """A program of ours that logs in is told where by lines of its stdin: address, user and host_key."""
    lines = flat_lines(resource)
    if lines is None:
        return
    for key in sorted(lines):
        prefix, _, last = key.rpartition("address")
        if last or f"{prefix}user" not in lines:
            continue
        if _SHA256.match(lines.get(f"{prefix}certificate_sha256", "")):
            # Over https the pinned certificate is what a host key is over SSH.
            continue
        if not _HOST_KEY.match(lines.get(f"{prefix}host_key", "")):
            yield (
                f"{resource.name}: its stdin says to log in at {prefix}address {lines[key]!r}, but has no "
                f"{prefix}host_key; allowed is the host's public key on one line, such as "
                "'ssh-ed25519 AAAA…'."
            )


def _docker_over_ssh(resource: Resource) -> Iterator[str]:
    host = plain(resource.inputs.get("host"))
    if not isinstance(host, str) or not host.startswith("ssh://"):
        return
    found = plain(resource.inputs.get("sshOpts"))
    if found is UNKNOWN or (isinstance(found, list) and UNKNOWN in found):
        return
    words = _words(found)
    if "StrictHostKeyChecking=yes" not in words:
        yield (
            f"{resource.name}: the Docker engine at {host} is reached without StrictHostKeyChecking=yes in "
            f"sshOpts (found: {words or 'nothing'}); allowed is '-o StrictHostKeyChecking=yes' with a "
            "UserKnownHostsFile that holds the host's key."
        )


def _words(options: Any) -> str:
    """Return the options as one line; the list inputs of a provider are JSON texts on the wire."""
    if isinstance(options, str):
        try:
            return _words(json.loads(options))
        except ValueError:
            return options
    return " ".join(str(option) for option in options) if isinstance(options, list) else ""


def has_remove(resource: Resource) -> Iterator[str]:
    """What makes something can take it back; a program that only looks makes nothing."""
    if resource.type not in COMMAND_TYPES or resource.inputs.get("delete"):
        return
    made = [plain(resource.inputs[name]) for name in ("create", "update") if resource.inputs.get(name)]
    if made and not all(isinstance(text, str) and _ONLY_LOOKS.match(text) for text in made):
        yield (
            f"{resource.name}: it has a create but no delete, so destroy would leave behind what it made; "
            "allowed is a delete that takes it back, or no delete for `python -m ROOM wait`, `observe` or "
            "`verify`, which change nothing."
        )


def not_privileged(resource: Resource) -> Iterator[str]:
    """No container gets all of its machine; what it needs is named, one capability at a time."""
    allowed = "allowed are single capabilities and devices, each by name."
    if resource.type == CONTAINER_TYPE:
        if plain(resource.inputs.get("privileged")) is True:
            yield f"{resource.name}: the container is privileged; {allowed}"
        capabilities = plain(resource.inputs.get("capabilities"))
        added = (capabilities or {}).get("adds") if isinstance(capabilities, Mapping) else None
        for one in added if isinstance(added, list) else []:
            if str(one).upper() in _ALL_CAPABILITIES:
                yield f"{resource.name}: the container adds the capability {one}, which is all; {allowed}"
    elif resource.type in COMMAND_TYPES:
        for name in SCRIPTS:
            script = plain(resource.inputs.get(name))
            if isinstance(script, str) and _starts_privileged(script):
                yield f"{resource.name}: its {name} starts a container with --privileged; {allowed}"


# All hosts of a stack have the same scripts, so each text is read once.
@lru_cache(maxsize=256)
def _starts_privileged(script: str) -> bool:
    return _PRIVILEGED.search(script.replace("\\\n", " ")) is not None


@lru_cache(maxsize=256)
def _holds_private_key(script: str) -> bool:
    return _PRIVATE_KEY.search(script) is not None


def no_secret_in_scripts(resource: Resource) -> Iterator[str]:
    """A script's text is in the state, in process lists and in error messages: it holds no secret."""
    if resource.type not in COMMAND_TYPES:
        return
    secrets = set(_secrets(resource))
    allowed = "allowed is a secret in stdin or in the connection, never in a script's text."
    for name in SCRIPTS:
        given = resource.inputs.get(name)
        script = plain(given)
        if not isinstance(script, str):
            continue
        if isinstance(given, Secret):
            yield (
                f"{resource.name}: its {name} is a secret, yet a failing command's text is printed; {allowed}"
            )
        elif _holds_private_key(script):
            yield f"{resource.name}: its {name} holds the text of a private key; {allowed}"
        elif any(secret in script for secret in secrets):
            yield f"{resource.name}: its {name} holds the value of one of its secret inputs; {allowed}"


def _secrets(resource: Resource) -> Iterator[str]:
    """Yield the secret texts of a command, line by line: a key may be pasted in with another indent."""
    connection = plain(resource.inputs.get("connection"))
    for peer in (connection, connection.get("proxy")) if isinstance(connection, Mapping) else ():
        if isinstance(peer, Mapping):
            for name in _CREDENTIALS:
                yield from _lines(texts(peer.get(name)))
    for name in ("environment", "stdin", "triggers"):
        yield from _lines(secret_texts(resource.inputs.get(name)))


def _lines(values: Iterator[str]) -> Iterator[str]:
    for value in values:
        for line in map(str.strip, value.splitlines()):
            if len(line) >= _SHORTEST_SECRET and not line.startswith("-----"):
                yield line


def flat_lines(resource: Resource) -> dict[str, str] | None:
    """Return the settings in a command's stdin, or None where it has none (or they are not known yet)."""
    text = plain(resource.inputs.get("stdin"))
    if not isinstance(text, str):
        return None
    try:
        return flat.parse(text)
    except ValueError:
        return None
