"""Reads which Debian mirror this machine uses, so that the lab's base image comes from the same one."""

from __future__ import annotations

import subprocess

SUITES = ("bookworm", "bookworm-updates", "bookworm-security")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_FORMAT = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"


def configured_lines() -> list[str]:
    """Return this machine's own apt sources for Debian 12 as sources.list lines, empty if it has none."""
    try:
        done = subprocess.run(
            ["apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return lines_of(done.stdout) if done.returncode == 0 else []


def lines_of(targets: str) -> list[str]:
    """Return the sources.list lines for Debian 12 in the output of `apt-get indextargets`.

    Empty when its main suite is not among them: then mmdebstrap's own defaults are right. An address with
    a password in it is left out, because it would stay in the image.
    """
    found: list[tuple[str, str]] = []
    for target in targets.splitlines():
        words = target.split()
        if len(words) != 4:
            continue
        uri, suite, component, origin = words
        usable = uri.startswith(("http://", "https://")) and "@" not in uri
        if usable and origin == "Debian" and component == "main" and suite in SUITES:
            found.append((uri, suite))
    if SUITES[0] not in [suite for _, suite in found]:
        return []
    unique = list(dict.fromkeys(found))
    return [f"deb [signed-by={KEYRING}] {uri} {suite} main" for uri, suite in unique]
