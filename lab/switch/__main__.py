"""The simulated switch without a container: ``python -m lab.switch serve DIR`` or ``… DIR <command>``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from lab.switch.onyx_cli import service
from lab.switch.onyx_cli.release import DEFAULT_RELEASE, Release


def main(arguments: list[str]) -> int:
    """Serve a switch until interrupted, or change the faults or release of one; return the exit status."""
    if arguments[:1] == ["serve"]:
        return _serve(arguments[1:])
    if not arguments or not Path(arguments[0]).is_dir():
        print(
            "usage: python -m lab.switch serve DIR …\n       python -m lab.switch DIR <command>",
            file=sys.stderr,
        )
        print(service.usage(), end="", file=sys.stderr)
        return 64
    os.environ["ONYX_STATE_DIR"] = arguments[0]
    os.environ["ONYX_SYSFS"] = str(Path(arguments[0]) / "sysfs")
    os.environ["ONYX_AGENT_FILE"] = str(Path(arguments[0]) / "fabric.json")
    return service.main(arguments[1:])


def _serve(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.switch serve")
    parser.add_argument("folder", type=Path, help="where the state lies; made when it is not there")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; a free one by default")
    parser.add_argument("--hostname", default="switch")
    parser.add_argument("--release", default=DEFAULT_RELEASE)
    parser.add_argument("--password-file", type=Path, help="default: a random password, printed at the start")
    parser.add_argument("--authorized-keys", type=Path, help="public keys that let the user in too")
    parser.add_argument("--up", default="", help="ports whose links are up, such as 1/1,1/2")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "release").write_text(f"{Release(options.release).text}\n")
    password = options.password_file.read_text().strip() if options.password_file else ""
    try:
        asyncio.run(_until_interrupted(options, password))
    except KeyboardInterrupt:
        return 0
    return 0


async def _until_interrupted(options: argparse.Namespace, password: str) -> None:
    # Late, because asyncssh is slow to load and the other commands do not need it.
    from lab.switch.server import USER, plug_in, serve  # noqa: PLC0415

    plug_in(options.folder, [port for port in options.up.split(",") if port])
    async with serve(
        options.folder, options.hostname, options.port, password, authorized_keys=options.authorized_keys
    ) as server:
        print(f"{USER}@127.0.0.1 port {server.port}")
        print(f"host key {server.host_key}")
        if not password:
            print(f"password {server.password}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
