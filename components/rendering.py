"""Scripts as commands: the one place where a script is handed to bash."""

from __future__ import annotations

import shlex

from facts.rendering import TEMPLATES, render, without_comments

__all__ = ["TEMPLATES", "bash", "render"]


def bash(script: str, *, as_root_by_sudo: bool = False) -> str:
    """Return the one command that runs `script` under bash, whatever the login shell is.

    It travels without its comments: an engine's record and every preview carry it once a resource.
    """
    prefix = "sudo -n " if as_root_by_sudo else ""
    return f"{prefix}bash -c {shlex.quote(without_comments(script))}"
