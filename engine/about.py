"""Says what was chosen for this checkout and where each part came from."""

from __future__ import annotations

import platform

from engine import backend, docker_engine, plugin_install, pulumi_cli, versions
from engine.go_build import Pins
from engine.paths import LAB_STACK, Checkout


def lines(checkout: Checkout) -> list[str]:
    """Return the table of `make about`; a part that is not set up says so."""
    rows = [("checkout", str(checkout.root)), ("Python", _python(checkout))]
    cli = pulumi_cli.recorded(checkout)
    if cli is None:
        rows.append(("Pulumi CLI", f"not set up; {Pins.of(checkout).cli_version} is wanted"))
    else:
        rows.append(("Pulumi CLI", f"{cli.version}  {cli.program}  ({cli.detail})"))
        rows.append(("language host", f"{cli.host_version}  {cli.host}  ({cli.detail})"))
    rows += _plugins(checkout)
    rows.append(("Docker engine", _docker(checkout)))
    rows.append(("state", f"{checkout.backend_url}  stack {LAB_STACK}: {_resources(checkout)}"))
    return [f"{name:<14} {text}" for name, text in rows]


def _plugins(checkout: Checkout) -> list[tuple[str, str]]:
    chosen = plugin_install.recorded(checkout)
    rows = []
    for name, version in versions.pinned_plugins(checkout.root).items():
        program = plugin_install.program(checkout, name, version)
        kind = "official" if chosen == "official" else "our drop-in"
        found = f"{version}  {program}  ({kind}, {plugin_install.origin(checkout)})"
        rows.append((f"plugin {name}", found if chosen else f"not set up; {version} is wanted"))
    return rows


def _python(checkout: Checkout) -> str:
    if not checkout.python.exists():
        return f"{platform.python_version()}; .venv is not set up"
    return f"{platform.python_version()}  {checkout.python}"


def _docker(checkout: Checkout) -> str:
    engine = docker_engine.recorded(checkout)
    if engine is None:
        return "not set up"
    answer = docker_engine.probe(engine.host)
    found = f"does not answer: {answer.refusal}" if answer.refusal else f"{answer.version} ({answer.driver})"
    return f"{found}  {engine.host}  ({engine.origin})"


def _resources(checkout: Checkout) -> str:
    if not backend.checkpoint(checkout).exists():
        return "not made yet"
    return f"{backend.resources(checkout)} resources"
