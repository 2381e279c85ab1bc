"""The verbs of `python3 -m engine`."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine import about, backend, bundle_make, clean, docker_engine, pulumi_cli, setup, tools
from engine.dockerd import Dockerd
from engine.errors import EngineError
from engine.paths import VM_STACK, Checkout
from engine.progress import Reporter, fail

INTERRUPTED = 130


def _setup(checkout: Checkout, reporter: Reporter, arguments: argparse.Namespace) -> None:
    archive = Path(arguments.bundle).expanduser().resolve() if arguments.bundle else None
    setup.run(checkout, reporter, archive)


def _bundle(checkout: Checkout, reporter: Reporter, arguments: argparse.Namespace) -> None:
    with setup.lock(checkout, reporter):
        bundle_make.run(checkout, reporter, arguments.images)


def _test_tools(checkout: Checkout, reporter: Reporter, _: argparse.Namespace) -> None:
    with setup.lock(checkout, reporter):
        tools.ensure_for_tests(checkout, reporter)


def _vm_tools(checkout: Checkout, reporter: Reporter, _: argparse.Namespace) -> None:
    with setup.lock(checkout, reporter):
        tools.ensure_for_guests(checkout, reporter)
        cli = pulumi_cli.recorded(checkout)
        if cli is None:
            raise EngineError("The checkout is not set up.", "Run make setup first.")
        backend.ensure(checkout, reporter, cli, VM_STACK)


def _about(checkout: Checkout, _: Reporter, __: argparse.Namespace) -> None:
    print("\n".join(about.lines(checkout)))


def _docker_start(checkout: Checkout, reporter: Reporter, _: argparse.Namespace) -> None:
    with setup.lock(checkout, reporter):
        docker_engine.start_own(checkout, reporter)


def _docker_stop(checkout: Checkout, reporter: Reporter, _: argparse.Namespace) -> None:
    with setup.lock(checkout, reporter):
        Dockerd(checkout).stop(reporter)


def _clean(checkout: Checkout, reporter: Reporter, _: argparse.Namespace) -> None:
    with setup.lock(checkout, reporter):
        clean.run(checkout, reporter)


Verb = Callable[[Checkout, Reporter, argparse.Namespace], None]
VERBS: dict[str, tuple[Verb, str]] = {
    "setup": (_setup, "set up everything that is missing or has changed"),
    "bundle": (_bundle, "pack what set-up needs into one file, for machines without registries"),
    "about": (_about, "say what was chosen, and where each part came from"),
    "test-tools": (_test_tools, "install the compiler and headers that only the tests need"),
    "vm-tools": (_vm_tools, "install what only the lab of virtual machines needs, and make its stack"),
    "docker-start": (_docker_start, "start the Docker engine of this checkout"),
    "docker-stop": (_docker_stop, "stop the Docker engine of this checkout; its data stay"),
    "clean": (_clean, "destroy the lab, then remove all that set-up made"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one verb; return 0, 1 for a step that cannot be done, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python3 -m engine", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    parsers = {name: verbs.add_parser(name, help=text) for name, (_, text) in VERBS.items()}
    parsers["setup"].add_argument("--bundle", metavar="FILE", help="take everything from a bundle")
    parsers["bundle"].add_argument(
        "--images",
        choices=bundle_make.IMAGE_MODES,
        default="auto",
        help="carry the lab's images: those in the engine (auto), all or refuse (yes), none (no)",
    )
    asked = parser.parse_args(arguments)
    verb = asked.verb
    # Set-up talks to Docker over the socket it chose; a shell's TLS or context settings are not for it.
    os.environ.pop("DOCKER_CONTEXT", None)
    # dockerd, ip and iptables lie where a plain `su` does not look.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH") or "/usr/bin:/bin", "/usr/sbin", "/sbin"])
    try:
        VERBS[verb][0](Checkout.here(), Reporter(verb), asked)
    except EngineError as error:
        fail(error)
        return 1
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        fail(EngineError(f"{verb} stopped: {what}.", _way_on(error)))
        return 1
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    return 0


def _way_on(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some disk space, then run the same command again."
    return "Run it as the user who ran it first, or as root."
