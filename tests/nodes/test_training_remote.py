"""A shard's output read over SSH: whoever stops reading goes on at once, also when the shard says nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.nodes.node import Node
from training.remote import RemoteDocker
from training.request import Access

# What a shard's log is like that waits for the others: some lines, then nothing, and no end.
SILENT = """cat > /usr/local/bin/docker <<'SCRIPT'
#!/bin/sh
echo "$* begins"
exec sleep 4711
SCRIPT
chmod 755 /usr/local/bin/docker"""


async def _read_until_cancelled(access: Access) -> list[str]:
    host, lines, begun = RemoteDocker("host", access), [], asyncio.Event()

    async def read() -> None:
        async for line in host.follow("shard"):
            lines.append(line)
            begun.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled(), "the reader waits for the other end"
    await asyncio.wait_for(host.close(), 5)
    return lines


@pytest.mark.smoke
def test_a_reader_of_a_silent_shard_can_be_cancelled(node: Node) -> None:
    node.run(SILENT)
    one = node.access()
    access = Access(one.address, one.port, one.user, one.host_key, one.private_key_file)
    assert asyncio.run(_read_until_cancelled(access)) == ["logs --follow shard begins"]
