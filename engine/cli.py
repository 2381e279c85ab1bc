"""The verbs of `python3 -m engine`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from engine import about, clean, docker_engine, setup
from engine.dockerd import Dockerd
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter, fail

INTERRUPTED = 130


def _about(checkout: Checkout, _: Reporter) -> None:
    print("\n".join(about.lines(checkout)))


def _docker_start(checkout: Checkout, reporter: Reporter) -> None:
    with setup.lock(checkout, reporter):
        docker_engine.start_own(checkout, reporter)


def _docker_stop(checkout: Checkout, reporter: Reporter) -> None:
    with setup.lock(checkout, reporter):
        Dockerd(checkout).stop(reporter)


def _clean(checkout: Checkout, reporter: Reporter) -> None:
    with setup.lock(checkout, reporter):
        clean.run(checkout, reporter)


VERBS: dict[str, tuple[Callable[[Checkout, Reporter], None], str]] = {
    "setup": (setup.run, "set up everything that is missing or has changed"),
    "about": (_about, "say what was chosen, and where each part came from"),
    "docker-start": (_docker_start, "start the Docker engine of this checkout"),
    "docker-stop": (_docker_stop, "stop the Docker engine of this checkout; its data stay"),
    "clean": (_clean, "destroy the lab, then remove all that set-up made"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one verb; return 0, 1 for a step that cannot be done, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python3 -m engine", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, (_, text) in VERBS.items():
        verbs.add_parser(name, help=text)
    verb = parser.parse_args(arguments).verb
    # Set-up talks to Docker over the socket it chose; a shell's TLS or context settings are not for it.
    os.environ.pop("DOCKER_CONTEXT", None)
    # dockerd, ip and iptables lie where a plain `su` does not look.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH") or "/usr/bin:/bin", "/usr/sbin", "/sbin"])
    try:
        VERBS[verb][0](Checkout.here(), Reporter(verb))
    except EngineError as error:
        fail(error)
        return 1
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        fail(EngineError(f"{verb} stopped: {what}.", "Run it as the user who ran it first, or as root."))
        return 1
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    return 0
