"""As many resources as the stack of light hosts has, of the same types, that hold next to nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
from pulumi_command import local, remote

counts = json.loads(Path("counts.json").read_text())
for number in range(counts["components"]):
    pulumi.ComponentResource("rocestack:bench:Idle", f"component-{number}")
for number in range(counts["remote"]):
    remote.Command(
        f"remote-{number}",
        connection=remote.ConnectionArgs(host="127.0.0.1"),
        create="true",
        add_previous_output_in_env=False,
    )
for number in range(counts["local"]):
    local.Command(f"local-{number}", create="true", add_previous_output_in_env=False)
