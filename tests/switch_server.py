"""The simulated switch on loopback for the length of a test, without a container."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.switch.onyx_cli.faults import Fault
from lab.switch.onyx_cli.model import Switch
from lab.switch.onyx_cli.release import DEFAULT_RELEASE, Release
from lab.switch.onyx_cli.store import FileStore, machine_boot
from lab.switch.server import SwitchServer, plug_in, serve


def store(folder: Path, hostname: str = "switch") -> FileStore:
    """Return the store of the switch in `folder`, to look at its state or to switch faults on."""
    return FileStore(folder, machine_boot(), lambda: Switch.factory(hostname))


def switch_on(folder: Path, *faults: Fault) -> None:
    """Switch faults on, in place of those that were on."""
    with store(folder).faults() as switched_on:
        switched_on[:] = faults


@contextmanager
def running_switch(
    folder: Path, hostname: str = "switch", release: str = DEFAULT_RELEASE, up: Iterable[str] = ()
) -> Iterator[SwitchServer]:
    """Serve a switch for the block; `up` are the ports whose links are up."""
    store(folder).set_release(Release(release))
    plug_in(folder, up)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = serve(folder, hostname)
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
