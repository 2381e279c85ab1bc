"""What all hosts of a job tell of its network and its shards: one round trip each, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from facts import evidence
from facts.ssh import Unreachable, run_script
from settings import flat
from settings.models import HostAccess
from training.request import Access, Shard

_DEADLINE_S = 60.0
# Connections open at once, as when the hosts are observed.
_AT_ONCE = 64


class GatherError(Exception):
    """A host did not tell; the message names it and says why."""


def accesses(shards: Sequence[Shard]) -> dict[str, Access]:
    """Return how each host of a job is reached, in the order of its shards."""
    return {shard.host: shard.access for shard in shards}


async def gather(
    shards: Sequence[Shard], interface: str, sysfs_root: str, *, with_shards: bool
) -> dict[str, list[str]]:
    """Return each host's answer as lines that `evidence.parse` has read, by the host's name.

    `with_shards`: what the shards' containers say is told too. Raises GatherError for the first host that
    does not tell.
    """
    script = evidence.script()
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(host: str, access: Access) -> tuple[str, list[str]]:
        names = [shard.container for shard in shards if shard.host == host] if with_shards else []
        given = {"interface": interface, "sysfs_root": sysfs_root, "containers": " ".join(names)}
        async with places:
            return host, await _lines(host, access, script, given)

    answers = await asyncio.gather(*(ask(host, access) for host, access in accesses(shards).items()))
    return dict(answers)


async def _lines(host: str, access: Access, script: str, given: Mapping[str, str]) -> list[str]:
    try:
        done = await run_script(_login(host, access), script, flat.render(given), _DEADLINE_S)
        lines = done.stdout.splitlines()
        if done.status == 0:
            evidence.parse(lines)
            return lines
        reason = f"its script ended with status {done.status}: {done.stderr.strip()[-300:] or 'no word'}"
    except Unreachable as error:
        reason = error.reason
    except (OSError, evidence.EvidenceError) as error:
        reason = str(error)
    where = f"{access.user}@{access.address} port {access.port}"
    raise GatherError(f"{host} ({where}) does not tell of its network: {reason}.")


def _login(host: str, access: Access) -> HostAccess:
    return HostAccess(
        name=host,
        address=access.address,
        port=access.port,
        user=access.user,
        host_key=access.host_key,
        private_key=SecretStr(Path(access.private_key_file).read_text(encoding="utf-8")),
        private_key_file=access.private_key_file,
        known_hosts_file="",
    )
