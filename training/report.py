"""Writes the page of a stack's last training: `python -m training.report STACK [--output FILE]`.

It reads the stack's outputs, and the shards' logs from their hosts for the curves. A host that does not
answer costs its curves, and the page says so.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from facts.report import write_whole
from settings.loader import SettingsError, load_file
from training import page
from training.curves import Course, read
from training.remote import HostLost, HostRefused, RemoteDocker
from training.request import Shard, WaitRequest
from training.stack import StackError, job, outputs
from training.wait import Docker


async def courses(request: WaitRequest, hosts: Mapping[str, Docker]) -> tuple[list[Course], list[str]]:
    """Return each shard's course, and a sentence for each whose log could not be read."""
    found: list[Course] = []
    missing: list[str] = []

    async def ask(shard: Shard) -> None:
        try:
            answer = await hosts[shard.host].run("logs", "--timestamps", shard.container)
        except (HostLost, HostRefused) as error:
            missing.append(f"{shard}: {error}")
            return
        if answer.status != 0:
            missing.append(f"{shard}: docker says: {answer.text.strip()}")
            return
        found.append(read(shard.index, answer.text.splitlines()))

    await asyncio.gather(*(ask(shard) for shard in request.shards))
    return sorted(found, key=lambda one: one.shard), sorted(missing)


async def _courses(request: WaitRequest) -> tuple[list[Course], list[str]]:
    hosts = {shard.host: RemoteDocker(shard.host, shard.access) for shard in request.shards}
    try:
        return await courses(request, hosts)
    finally:
        await asyncio.gather(*(host.close() for host in hosts.values()), return_exceptions=True)


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, or 1 when there is nothing to report."""
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--output", help="default: .engine/training/STACK.html")
    given = parser.parse_args(arguments)
    path = Path(given.output or f".engine/training/{given.stack}.html")
    try:
        told = outputs(given.stack)
        if told.get("training", {}).get("state") == "started":
            raise StackError(
                f"The last training of stack {given.stack} was only started (`wait: false`), so nobody has "
                "read its figures. Hint: `make logs FOLLOW=1` shows it; `pulumi up` with `wait: true` in "
                "`rocestack:training` waits for this very run."
            )
        found, missing = asyncio.run(_courses(job(given.stack)))
        text = page.render(given.stack, load_file(Path(f"Pulumi.{given.stack}.yaml")), told, found, missing)
        write_whole(path, text)
    except (StackError, SettingsError) as error:
        print(f"rocestack: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"rocestack: no report: {error}. Hint: `pulumi up` ends with one.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"rocestack: the report cannot be written to {path}: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"The report is {path}, one file for any browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
