"""Drop-in for the pulumi-docker provider: containers, networks, volumes and pulled images."""

from __future__ import annotations

NAME = "docker"
VERSION = "5.2.0"
