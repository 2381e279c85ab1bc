"""Finds the Docker engine that the lab runs on: one that answers here, or one of our own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import backend, docker_api, stamps
from engine.dockerd import Dockerd
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter

DEFAULT_HOST = "unix:///var/run/docker.sock"
OK = 200


@dataclass(frozen=True)
class Engine:
    """The engine that was chosen. `host` is a DOCKER_HOST; `ours` says that set-up started it."""

    host: str
    origin: str
    ours: bool


@dataclass(frozen=True)
class Found:
    """What a look round found: an engine, or why each one that was asked cannot be used."""

    engine: Engine | None
    refusals: tuple[str, ...] = ()

    @property
    def to_start(self) -> bool:
        """Say whether set-up has to start an engine of its own."""
        return self.engine is None or (self.engine.ours and bool(probe(self.engine.host).refusal))


@dataclass(frozen=True)
class Answer:
    """What an engine says of itself, or in `refusal` why it cannot be used (empty: it can)."""

    refusal: str
    version: str = ""
    driver: str = ""
    root: str = ""


def probe(host: str) -> Answer:
    """Ask the engine at a DOCKER_HOST for its facts; never raises for an engine that is not there."""
    if not host.startswith("unix://"):
        return Answer("only an engine of this machine can be used (unix://…): its nodes mount the lab's keys")
    try:
        status, body = docker_api.get(host.removeprefix("unix://"), "/info")
    except PermissionError:
        return Answer("no right to use its socket (join its group, often `docker`, and log in again)")
    except FileNotFoundError:
        return Answer("there is no such socket")
    except OSError as error:
        return Answer(f"it does not answer ({error.strerror or error})")
    return judge(body) if status == OK else Answer(f"it answers with HTTP status {status}")


def judge(info: bytes) -> Answer:
    """Read an engine's /info answer: a rootless one or one of Windows cannot run the lab."""
    try:
        facts = json.loads(info)
        options = [str(option) for option in facts.get("SecurityOptions") or []]
        kind, version, driver = facts.get("OSType"), str(facts["ServerVersion"]), str(facts["Driver"])
        root = str(facts.get("DockerRootDir") or "")
    except (ValueError, KeyError, AttributeError):
        return Answer("its answer is not a Docker engine's")
    if any("name=rootless" in option for option in options):
        return Answer("it is rootless, and nodes with systemd need a root engine")
    if kind != "linux":
        return Answer(f"it runs {kind} containers, not Linux ones")
    return Answer("", version, driver, root)


def candidates(
    environment: Mapping[str, str], recorded: str, context: str, own: str
) -> list[tuple[str, str]]:
    """Return (origin, DOCKER_HOST) of the engines to ask, in order, each host once and never our own."""
    asked = [
        ("DOCKER_HOST", environment.get("DOCKER_HOST", "")),
        ("the last set-up", recorded),
        ("the docker context", context),
        ("the default socket", DEFAULT_HOST),
    ]
    seen: set[str] = {"", own}
    fresh = []
    for origin, host in asked:
        if host not in seen:
            seen.add(host)
            fresh.append((origin, host))
    return fresh


def recorded(checkout: Checkout) -> Engine | None:
    """Return the engine that the last set-up chose."""
    record = stamps.read(checkout.engine / "docker.json")
    try:
        return Engine(str(record["host"]), str(record["origin"]), bool(record["ours"]))
    except KeyError:
        return None


def ensure(checkout: Checkout, reporter: Reporter, found: Found) -> Engine:
    """Take the engine that `look` found, or start one of our own; make sure that it answers."""
    for line in found.refusals:
        reporter.say("docker", f"not used: {line}")
    engine = found.engine or start_own(checkout, reporter)
    if engine.ours:
        Dockerd(checkout).ensure_running(reporter)
    stamps.write(checkout.engine / "docker.json", asdict(engine))
    answer = probe(engine.host)
    if answer.refusal:
        raise EngineError(f"The Docker engine at {engine.host} cannot be used: {answer.refusal}.")
    reporter.say("docker", f"engine {answer.version} ({answer.driver}), {engine.origin}: {engine.host}")
    return engine


def look(checkout: Checkout) -> Found:
    """Look for an engine; change nothing. A lab that exists stays where it is.

    Raises EngineError when the lab's engine does not answer, and when none does and we cannot start one: it
    then names every engine asked and why it cannot be used.
    """
    last = recorded(checkout)
    daemon = Dockerd(checkout)
    if last is not None and last.ours:
        if os.geteuid() != 0 and probe(last.host).refusal:
            raise EngineError(
                f"The Docker engine of this checkout cannot be used: {probe(last.host).refusal}.",
                "Only root can start it: run the same command as root.",
            )
        return Found(last)
    held = backend.resources(checkout)
    if last is not None and held:
        refusal = probe(last.host).refusal
        if refusal:
            raise EngineError(
                f"The lab ({held} resources) lives on the Docker engine {last.host}, and {refusal}.",
                "Start that engine again, then run the same command.",
            )
        return Found(last)
    refusals = []
    for origin, host in candidates(os.environ, last.host if last else "", _context(), daemon.host):
        refusal = probe(host).refusal
        if not refusal:
            return Found(Engine(host, last.origin if last and last.host == host else origin, ours=False))
        refusals.append(f"{host} ({origin}): {refusal}")
    if os.geteuid() != 0:
        raise EngineError(
            "No Docker engine can be used: " + "; ".join(refusals) + ".",
            "Start one and set DOCKER_HOST to it, or join its group. Or run make as root: it starts one of "
            "the lab's own, and installs docker.io for that on Debian or Ubuntu.",
        )
    return Found(None, tuple(refusals))


def data_root(checkout: Checkout, found: Found) -> Path:
    """Return the folder in which the engine that will be used keeps its images."""
    root = probe(found.engine.host).root if found.engine else ""
    return Path(root) if root else checkout.docker


def start_own(checkout: Checkout, reporter: Reporter) -> Engine:
    """Start the engine of this checkout, unless it runs, and note it as the one to use."""
    daemon = Dockerd(checkout)
    engine = Engine(daemon.host, "started by set-up", ours=True)
    daemon.ensure_running(reporter)
    stamps.write(checkout.engine / "docker.json", asdict(engine))
    return engine


def _context() -> str:
    """Return the host of the docker client's current context, or an empty text."""
    client = shutil.which("docker")
    if client is None:
        return ""
    env = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    asked = subprocess.run(
        [client, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    host = asked.stdout.strip()
    return "" if asked.returncode != 0 or host == "unix:///var/run/docker.sock" else host
