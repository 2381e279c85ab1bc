"""Version numbers: read from the files that pin them, and compared."""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import EngineError

MINIMUM_PYTHON = (3, 11)

Version = tuple[int, ...]

_NUMBERS = re.compile(r"(\d+(?:\.\d+)+)")


def parse(text: str) -> Version | None:
    """Return the first dotted number in a text such as `v3.259.0` or `go version go1.26.8 linux/amd64`."""
    found = _NUMBERS.search(text)
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def show(version: Version) -> str:
    """Return `3.259.0` for `(3, 259, 0)`."""
    return ".".join(str(part) for part in version)


def module_version(go_mod: str, module: str) -> str:
    """Return the version (without `v`) that the text of a go.mod requires of a module."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+v(\S+)", go_mod, re.MULTILINE)
    if not found:
        raise EngineError(f"go.mod requires no version of {module}.", "Restore the file from git.")
    return found.group(1)


def go_minimum(go_mod: str) -> Version:
    """Return the oldest Go that the text of a go.mod accepts."""
    found = re.search(r"^go\s+(\S+)", go_mod, re.MULTILINE)
    version = parse(found.group(1)) if found else None
    if version is None:
        raise EngineError("go.mod has no go line.", "Restore the file from git.")
    return version


def package_version(requirements: str, package: str) -> str:
    """Return the version that the text of a requirements file pins with `==`."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", requirements, re.MULTILINE)
    if not found:
        raise EngineError(f"requirements.txt pins no version of {package}.", f"Write {package}==X.Y.Z there.")
    return found.group(1)


def pinned_plugins(root: Path) -> dict[str, str]:
    """Return plugin name → version: what the SDK packages of requirements.txt ask the CLI for."""
    text = (root / "requirements.txt").read_text()
    return {name: package_version(text, f"pulumi-{name}") for name in ("command", "docker")}
