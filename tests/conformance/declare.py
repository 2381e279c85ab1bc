"""Short forms for the resources that the cases declare."""

from __future__ import annotations

from typing import Any

from tests.conformance.host import Host

OPTIONS = (
    *("depends_on", "delete_before_replace", "custom_timeouts", "additional_secret_outputs"),
    *("version", "ignore_changes", "retain_on_delete", "again"),
)


def _one(kind: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    options = {key: given.pop(key) for key in OPTIONS if key in given}
    return {"kind": kind, "name": name, "inputs": given, "options": options}


def remote(machine: Host, name: str, /, **given: Any) -> dict[str, Any]:
    """Return a remote.Command on the machine; `connection` holds what differs in its connection."""
    connection = machine.connection(**given.pop("connection", {}))
    return _one("remote", name, {"connection": connection, "add_previous_output_in_env": False, **given})


def local(name: str, /, **given: Any) -> dict[str, Any]:
    """Return a local.Command."""
    return _one("local", name, {"add_previous_output_in_env": False, **given})


def copy(machine: Host, name: str, /, **given: Any) -> dict[str, Any]:
    """Return a remote.CopyToRemote of one file."""
    return _one("copy", name, {"connection": machine.connection(), **given})


def raw(token: str, name: str, /, **given: Any) -> dict[str, Any]:
    """Return a resource of any type with any inputs, named as on the wire."""
    return {**_one("raw", name, given), "type": token}


def secret(value: Any) -> dict[str, Any]:
    """Return a value that the program marks as secret."""
    return {"$secret": value}


def output(name: str, key: str) -> dict[str, Any]:
    """Return another resource's output."""
    return {"$output": [name, key]}
