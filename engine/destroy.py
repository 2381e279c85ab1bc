"""Destroy to the end: `python -m engine.destroy STACK [options of pulumi destroy]`, in an activated shell.

Plain `pulumi destroy` does the work; round it this adds what the CLI leaves to the person: the lock of a run
that was killed, resources that such a run was making, what a dead machine holds on the others, and a list of
what is left.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine import processes
from engine.errors import EngineError
from engine.progress import fail

_COMMANDS = ("command:remote:Command", "command:local:Command")
_NAMED_OBJECTS = (
    "docker:index/container:Container",
    "docker:index/network:Network",
    "docker:index/volume:Volume",
)
_STACK = "pulumi:pulumi:Stack"
_TARGET = ("--target", "-t")
_DEADLINE_S = 120
INTERRUPTED = 130

Document = dict[str, Any]


@dataclass(frozen=True)
class Left:
    """What is left on one machine: its resources, what all of them stand on, and where the machine is."""

    machine: str
    resources: tuple[str, ...]
    first: tuple[str, ...]
    where: str | None = None


def adopt(document: Document) -> list[str]:
    """Put what a killed run was making into the state's `document`, so that destroy takes it back too.

    A command that has a `delete` may be half applied, and a container, network or volume may be there; their
    removal does no harm where they are not. Returns the names.
    """
    deployment = document["deployment"]
    resources = deployment.setdefault("resources", [])
    known = {one["urn"] for one in resources}
    names, rest = [], []
    for operation in deployment.get("pending_operations") or []:
        resource = operation["resource"]
        made = _as_made(resource) if operation["type"] == "creating" else None
        if made is None or resource["urn"] in known:
            rest.append(operation)
            continue
        resources.append(made)
        names.append(_name(resource))
    if names:
        deployment["pending_operations"] = rest
    return names


def _as_made(resource: Document) -> Document | None:
    inputs = resource.get("inputs") or {}
    if resource["type"] in _COMMANDS and inputs.get("delete"):
        id_ = _name(resource) + secrets.token_hex(4)
        return {**resource, "id": id_, "outputs": {**inputs, "stdout": "", "stderr": ""}}
    if resource["type"] in _NAMED_OBJECTS and inputs.get("name"):
        # Docker takes an object's name wherever it takes its id.
        return {**resource, "id": inputs["name"], "outputs": inputs}
    return None


def release(document: Document, failed: Sequence[str]) -> list[str]:
    """Drop what the `failed` resources' machines hold on others from the state's `document`.

    A job's containers come after all hosts' steps, so one that cannot be removed keeps every other host as it
    is. Between machines a dependency only orders the work, and the removal of such a container needs nothing
    of the other hosts. The order on a failed machine stays, also where it leads over another one: its image
    comes after the build, which comes after its engine. Returns the names of the resources that are free now.
    """
    resources = document["deployment"].get("resources") or []
    dead = {_machine(urn) for urn in failed}
    steps = {one["urn"]: one for one in resources if one.get("custom") and _is_step(one)}
    others = {urn for urn in steps if _machine(urn) not in dead}
    freed: dict[str, None] = {}
    for urn, one in steps.items():
        if urn in others:
            continue
        held = [other for other in one.get("dependencies") or [] if other in others]
        freed |= dict.fromkeys(_name(steps[other]) for other in held)
        kept = [other for other in one.get("dependencies") or [] if other not in others]
        behind = [found for found in _behind(held, others, steps) if found not in kept]
        if held:
            one["dependencies"] = [*kept, *behind]
        for key, urns in (one.get("propertyDependencies") or {}).items():
            one["propertyDependencies"][key] = [other for other in urns or [] if other not in others]
    return list(freed)


def _is_step(resource: Document) -> bool:
    """Say whether it is work on a machine, or the job's own (``training_job.verify``); no machine is one."""
    return "/" in _name(resource) or resource["type"] in _COMMANDS


def _behind(starts: Sequence[str], through: Set[str], steps: Mapping[str, Document]) -> list[str]:
    """Return the steps outside of `through` that `starts`, which are in it, come after."""
    found: dict[str, None] = {}
    seen, ahead = set(starts), list(starts)
    while ahead:
        for urn in steps[ahead.pop()].get("dependencies") or []:
            if urn not in through:
                found |= {urn: None} if urn in steps else {}
            elif urn not in seen:
                seen.add(urn)
                ahead.append(urn)
    return sorted(found)


def still_there(options: Sequence[str], document: Document) -> list[str]:
    """Return destroy's `options` without the targets that the first run removed; the CLI refuses those."""
    known = {one["urn"] for one in document["deployment"].get("resources") or []}
    kept: list[str] = []
    for word in options:
        target = kept[-1] in _TARGET if kept else False
        if target and "*" not in word and word not in known:
            kept.pop()
        else:
            kept.append(word)
    return kept


def _targeted(options: Sequence[str]) -> bool:
    return bool({*_TARGET}.intersection(options))


def failures(events: str) -> list[str]:
    """Return the URNs of the resources that failed, from the CLI's event log (a JSON document a line)."""
    found = (json.loads(line).get("resOpFailedEvent") for line in events.splitlines() if line.strip())
    return [one["metadata"]["urn"] for one in found if one is not None]


def left(document: Document) -> list[Left]:
    """Return what the state still holds, by machine; machines are named as in ``machine/step``."""
    resources = document["deployment"].get("resources") or []
    places = _places(resources)
    custom = [one for one in resources if one.get("custom") and not one["type"].startswith("pulumi:")]
    found: dict[str, list[Document]] = {}
    for one in custom:
        found.setdefault(_machine(one["urn"]), []).append(one)
    return [
        Left(
            machine,
            tuple(_name(one) for one in reversed(held)),
            tuple(one["urn"] for one in held if not _stands_on(one, held)),
            places.get(machine),
        )
        for machine, held in found.items()
    ]


def _stands_on(resource: Document, others: Sequence[Document]) -> bool:
    return bool({one["urn"] for one in others}.intersection(resource.get("dependencies") or []))


def _places(resources: Sequence[Document]) -> Mapping[str, str]:
    """Return where each machine is, as the stack's outputs say."""
    outputs = next((one.get("outputs") or {} for one in resources if one["type"] == _STACK), {})
    hosts = outputs.get("hosts")
    return hosts if isinstance(hosts, dict) else {}


def _name(resource: Document) -> str:
    return str(resource["urn"]).rsplit("::", 1)[-1]


def _machine(urn: str) -> str:
    return urn.rsplit("::", 1)[-1].partition("/")[0]


def tell(found: Sequence[Left], stack: str) -> Iterator[str]:
    """Yield the lines that say what is left and which command ends it."""
    yield f"Left in stack {stack}:"
    for one in found:
        yield f"  {one.machine}{f' ({one.where})' if one.where else ''}"
        yield from (f"    {name}" for name in one.resources)
    yield "To finish, once every machine above answers again:"
    yield f"  python -m engine.destroy {stack} --yes"
    yield "For a machine that never comes back, forget what was on it:"
    for one in found:
        for urn in one.first:
            yield f"  pulumi state delete --stack {stack} --target-dependents --yes '{urn}'"


def dead_locks(backend: str, stack: str) -> bool:
    """Say whether the stack is locked, and only by processes of this machine that are gone."""
    parts = urlsplit(backend)
    if parts.scheme != "file":
        return False
    folder = Path(parts.path) / ".pulumi" / "locks" / "organization"
    locks = [json.loads(path.read_text()) for path in folder.glob(f"*/{stack}/*.json")]
    here = socket.gethostname()
    return bool(locks) and all(
        one.get("hostname") == here and not processes.alive(int(one["pid"])) for one in locks
    )


class _Cli:
    """The CLI of the activated shell, on one stack."""

    def __init__(self, stack: str) -> None:
        self.stack = stack

    def ask(self, *arguments: str) -> str:
        """Return what a short command printed. Raises EngineError with what it said."""
        argv = ["pulumi", *arguments, "--stack", self.stack]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(
                f"`{' '.join(argv)}` does not run: {error}.", "Activate the shell first: . ./activate"
            ) from None
        if done.returncode != 0:
            raise EngineError(f"`{' '.join(argv)}` failed: {done.stderr.strip()}")
        return done.stdout

    def document(self) -> Document:
        """Return the stack's state; its secrets stay encrypted."""
        document: Document = json.loads(self.ask("stack", "export"))
        return document

    def put(self, document: Document) -> None:
        """Replace the stack's state."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(document, file)
            file.flush()
            self.ask("stack", "import", "--file", file.name)

    def destroy(self, options: Sequence[str]) -> tuple[int, list[str]]:
        """Run destroy before the person's eyes, past failing machines; return its status and what failed."""
        # The event log is the only place where the CLI names each resource that failed, and it is shown to
        # those who debug.
        environment = {**os.environ, "PULUMI_CONTINUE_ON_ERROR": "true", "PULUMI_DEBUG_COMMANDS": "true"}
        with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as events:
            argv = ["pulumi", "destroy", "--stack", self.stack, "--event-log", events.name, *options]
            status = subprocess.run(argv, env=environment, check=False).returncode
            return status, failures(Path(events.name).read_text())


def run(stack: str, options: Sequence[str]) -> int:
    """Destroy the stack; return the CLI's status. Raises EngineError when the CLI cannot be used."""
    cli = _Cli(stack)
    if dead_locks(os.environ.get("PULUMI_BACKEND_URL", ""), stack):
        print(f"destroy: the run that locked stack {stack} is gone; its lock is removed", flush=True)
        cli.ask("cancel", "--yes")
    document = cli.document()
    names = adopt(document)
    if names:
        print(f"destroy: half made by a run that was killed, taken back too: {', '.join(names)}", flush=True)
        cli.put(document)
    status, failed = cli.destroy(options)
    if failed:
        status = _go_on(cli, options, failed, status)
    found = left(cli.document()) if status != 0 else []
    if found:
        print("\n".join(tell(found, stack)), file=sys.stderr)
    return status


def _go_on(cli: _Cli, options: Sequence[str], failed: Sequence[str], status: int) -> int:
    """Destroy what only waited for the machines of the `failed` resources; return the CLI's last status."""
    document = cli.document()
    freed = release(document, failed)
    again = still_there(options, document)
    # Without a target the CLI takes the whole stack.
    if not freed or (_targeted(options) and not _targeted(again)):
        return status
    machines = ", ".join(sorted({_machine(urn) for urn in failed}))
    print(
        f"destroy: {machines} failed; going on with what only waited for it: {', '.join(freed)}", flush=True
    )
    cli.put(document)
    # The person has said yes to all of it already.
    return cli.destroy(["--yes", *again])[0]


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the status of `pulumi destroy`, 1 if it cannot be used, 64 for wrong use."""
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m engine.destroy STACK [options of pulumi destroy]", file=sys.stderr)
        return 64
    try:
        return run(arguments[0], arguments[1:])
    except EngineError as error:
        fail(error)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
