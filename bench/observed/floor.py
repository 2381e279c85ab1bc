"""The floor: the same probe on all hosts with bare asyncssh, and nothing done with the answers.

    python -m bench.observed.floor SETTINGS STDIN

SETTINGS: a file with the stack's sections.  STDIN: one with each host's input of the probe, as JSON by name.
It prints the seconds it took, without Python's own start.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncssh

from components.observation import HOST_STEPS
from facts import probe
from facts.ssh import as_sent

# As the program asks for: the floor is not made slower by the library's own choice.
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"


async def _ask(host: Mapping[str, Any], key: asyncssh.SSHKey, sent: tuple[str, str]) -> str:
    known = asyncssh.import_public_key(host["host_key"])
    async with asyncssh.connect(
        host["address"],
        username="root",
        known_hosts=([known], [], []),
        client_keys=[key],
        agent_path=None,
        config=None,
        encryption_algs=_CIPHERS,
    ) as connection:
        done = await connection.run(sent[0], input=sent[1], check=True)
    return str(done.stdout)


async def _all(
    hosts: list[Mapping[str, Any]], key: asyncssh.SSHKey, sent: Mapping[str, tuple[str, str]]
) -> list[str]:
    return await asyncio.gather(*(_ask(host, key, sent[host["name"]]) for host in hosts))


def main(settings: str, stdin: str) -> None:
    """Ask all hosts once."""
    sections = json.loads(Path(settings).read_text())
    script = probe.render(HOST_STEPS)
    sent = {name: as_sent(script, text) for name, text in json.loads(Path(stdin).read_text()).items()}
    begun = time.perf_counter()
    key = asyncssh.import_private_key(Path(sections["access"]["private_key_file"]).read_text())
    answers = asyncio.run(_all(sections["hosts"], key, sent))
    seconds = time.perf_counter() - begun
    for answer in answers:
        if not answer.endswith("probe.end=\n"):
            raise SystemExit(f"this is no answer of the probe: {answer!r}")
    sys.stdout.write(f"{seconds}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
