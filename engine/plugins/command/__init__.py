"""Drop-in for the pulumi-command provider: commands over SSH and on this machine."""

from __future__ import annotations

NAME = "command"
VERSION = "1.2.1"
