"""The CLI's automatic logs, which are off in this checkout's Pulumi home (docs/decisions/0024).

The CLI (3.259) writes all that it would say at its highest verbosity, values unredacted, into a compressed
file of every run, and has no switch for it. It goes on without one where it cannot make the folder for them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_WHY = """\
The CLI would keep its automatic logs in a folder of this name; this file keeps it from making one.
Why: docs/decisions/0024. To have them, replace this file by a folder; `make setup` brings the file back.
"""


def switch_off(pulumi_home: Path) -> None:
    """Have a file where the CLI would make the folder of its logs; logs that are there already go."""
    place = pulumi_home / "logs"
    if place.is_file():
        return
    if place.is_dir():
        shutil.rmtree(place)
    pulumi_home.mkdir(parents=True, exist_ok=True)
    place.write_text(_WHY)
