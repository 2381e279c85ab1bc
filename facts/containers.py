"""A container of the stack as it was made: what the checkpoint remembers against what the engine shows.

Both become flat values per key, so that one that was made anew by hand, under the same name and with the same
labels, differs by name. Values of the environment are compared and never shown: they may be secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What an engine calls a container without a setting of its own.
_RUNTIMES = ("", "runc", "io.containerd.runc.v2")
_NETWORKS = ("", "default", "bridge")
_NONE = "none"
_LABELS = "rocestack."
_MIB = 1024 * 1024
_NANOSECONDS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
# The name that an engine gives to a volume that nobody named.
_NO_NAME = re.compile(r"[0-9a-f]{64}")
# The generation has its own place in the plan (facts/job.py).
_GENERATION = "rocestack.generation"

KEYS = (
    *("image", "command", "entrypoint", "user", "env", "mounts", "devices", "gpus", "capabilities"),
    *("privileged", "security", "network", "namespaces", "runtime", "restart", "labels"),
    *("root", "tmpfs", "memory", "ulimits", "healthcheck", "logs"),
)
# The engine or the image may have an own default, which is no drift of a container that asks for nothing.
_IF_ASKED = ("ulimits", "healthcheck", "logs")


def differing(
    inputs: Mapping[str, Any], made: Mapping[str, Any], image: Mapping[str, Any] | None
) -> list[tuple[str, str, str]]:
    """Return what differs as (key, found, wanted), in the order of KEYS.

    `inputs` are a container's inputs in the checkpoint, `made` is what the probe tells of it, `image` what
    its image gives to a container (None: not known, so what comes of it is not compared).
    """
    wanted, found = settings_recorded(inputs, image or {}), settings_found(made)
    different = []
    for key in KEYS:
        if image is None and key in ("entrypoint", "user", "env"):
            continue
        one, other = found[key], wanted[key]
        if key in _IF_ASKED and not other:
            continue
        if one != other:
            different.append((key, *_shown(key, one, other)))
    return different


def image_config(text: str | None) -> Mapping[str, Any] | None:
    """Return what the probe tells of the image, or None where it tells nothing that can be read."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def settings_recorded(inputs: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the wanted values per key, from a container's recorded inputs and its image's own."""
    capabilities = inputs.get("capabilities") or {}
    image_env = dict(one.partition("=")[::2] for one in image.get("Env") or ())
    given = dict(one.partition("=")[::2] for one in inputs.get("envs") or ())
    gpus = inputs.get("gpus")
    return {
        "image": _words(inputs.get("image")),
        "command": _words(inputs.get("command")),
        "entrypoint": _words(inputs.get("entrypoints") or image.get("Entrypoint")),
        "user": _words(inputs.get("user") or image.get("User")),
        "env": _pairs({**image_env, **given}),
        "mounts": tuple(sorted(_recorded_mount(one) for one in inputs.get("mounts") or ())),
        "devices": tuple(sorted(_recorded_device(one) for one in inputs.get("devices") or ())),
        "gpus": () if not gpus else (str(gpus),),
        "capabilities": _capabilities(capabilities.get("adds"), capabilities.get("drops")),
        "privileged": _flag(inputs.get("privileged")),
        "security": tuple(sorted(inputs.get("securityOpts") or ())),
        "network": _named(inputs.get("networkMode"), _NETWORKS),
        "namespaces": _namespaces(inputs.get("pidMode"), inputs.get("ipcMode"), inputs.get("usernsMode")),
        "runtime": _named(inputs.get("runtime"), _RUNTIMES),
        "restart": _words(inputs.get("restart") or "no"),
        "labels": _pairs(_own_labels({one["label"]: one["value"] for one in inputs.get("labels") or ()})),
        "root": _root(inputs.get("readOnly")),
        "tmpfs": _tmpfs(inputs.get("tmpfs")),
        "memory": _memory(int(inputs.get("memory") or 0)),
        "ulimits": _ulimits((one["name"], one["soft"], one["hard"]) for one in inputs.get("ulimits") or ()),
        "healthcheck": _recorded_check(inputs.get("healthcheck") or {}),
        "logs": _logs(inputs.get("logDriver"), inputs.get("logOpts")),
    }


def settings_found(made: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the values per key of a container as the engine shows it."""
    config, host = made.get("config") or {}, made.get("host") or {}
    return {
        "image": _words(made.get("image")),
        "command": _words(config.get("Cmd")),
        "entrypoint": _words(config.get("Entrypoint")),
        "user": _words(config.get("User")),
        "env": _pairs(dict(one.partition("=")[::2] for one in config.get("Env") or ())),
        "mounts": tuple(sorted(_found_mount(one) for one in made.get("mounts") or ())),
        "devices": tuple(sorted(_found_device(one) for one in host.get("Devices") or ())),
        "gpus": tuple(_found_gpus(one) for one in host.get("DeviceRequests") or ()),
        "capabilities": _capabilities(host.get("CapAdd"), host.get("CapDrop")),
        "privileged": _flag(host.get("Privileged")),
        "security": tuple(sorted(host.get("SecurityOpt") or ())),
        "network": _named(host.get("NetworkMode"), _NETWORKS),
        "namespaces": _namespaces(host.get("PidMode"), host.get("IpcMode"), host.get("UsernsMode")),
        "runtime": _named(host.get("Runtime"), _RUNTIMES),
        "restart": _words((host.get("RestartPolicy") or {}).get("Name") or "no"),
        "labels": _pairs(_own_labels(config.get("Labels") or {})),
        "root": _root(host.get("ReadonlyRootfs")),
        "tmpfs": _tmpfs(host.get("Tmpfs")),
        "memory": _memory(int(host.get("Memory") or 0) // _MIB),
        "ulimits": _ulimits((one["Name"], one["Soft"], one["Hard"]) for one in host.get("Ulimits") or ()),
        "healthcheck": _found_check(config.get("Healthcheck") or {}),
        "logs": _logs((host.get("LogConfig") or {}).get("Type"), (host.get("LogConfig") or {}).get("Config")),
    }


def _shown(key: str, found: Sequence[str], wanted: Sequence[str]) -> tuple[str, str]:
    """Return both sides as a person reads them; of `env` and `labels` only names are shown."""
    if key == "command":
        return _first_difference(found, wanted)
    if key not in ("env", "labels"):
        return ", ".join(found) or _NONE, ", ".join(wanted) or _NONE
    there, asked = _by_name(found), _by_name(wanted)
    names = sorted(name for name in there.keys() | asked.keys() if there.get(name) != asked.get(name))
    said = [
        name if name not in asked else f"{name} (another value)" if name in there else f"no {name}"
        for name in names
    ]
    return ", ".join(said), ", ".join(name if name in asked else f"no {name}" for name in names)


def _first_difference(found: Sequence[str], wanted: Sequence[str]) -> tuple[str, str]:
    """Return the first words in which two commands differ, with their place; a command is long."""
    place = next(
        (number for number, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other),
        min(len(found), len(wanted)),
    )

    def said(words: Sequence[str]) -> str:
        rest = list(words[place : place + 2])
        return " ".join(rest) if rest else "nothing more"

    return f"word {place + 1} {said(found)}", f"word {place + 1} {said(wanted)}"


def _by_name(pairs: Sequence[str]) -> dict[str, str]:
    return dict(one.partition("=")[::2] for one in pairs)


def _pairs(values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in sorted(values.items()))


def _own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name.startswith(_LABELS) and name != _GENERATION}


def _words(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(str(one) for one in value)


def _flag(value: Any) -> tuple[str, ...]:
    return ("yes",) if value else ("no",)


def _named(value: Any, default: Sequence[str]) -> tuple[str, ...]:
    return ("default",) if (value or "") in default else (str(value),)


def _namespaces(pid: Any, ipc: Any, users: Any) -> tuple[str, ...]:
    """Return the namespaces that are the host's or another container's."""
    named = (("pid", pid), ("ipc", ipc), ("userns", users))
    return tuple(
        f"{name} {value}" for name, value in named if value not in (None, "", "private", "shareable")
    )


def _capabilities(adds: Any, drops: Any) -> tuple[str, ...]:
    # The docker command writes CAP_NET_ADMIN what the API also takes as NET_ADMIN.
    given = (("+", adds), ("-", drops))
    return tuple(sorted(sign + str(one).removeprefix("CAP_") for sign, names in given for one in names or ()))


def _recorded_mount(one: Mapping[str, Any]) -> str:
    return _mount(one.get("type"), one.get("source"), one.get("target"), not one.get("readOnly"))


def _found_mount(one: Mapping[str, Any]) -> str:
    source = one.get("Name") if one.get("Type") == "volume" else one.get("Source")
    if one.get("Type") == "volume" and _NO_NAME.fullmatch(str(source)):
        source = None
    return _mount(one.get("Type"), source, one.get("Destination"), one.get("RW"))


def _mount(kind: Any, source: Any, target: Any, writable: Any) -> str:
    return f"{kind} {source or ''}:{target}:{'rw' if writable else 'ro'}"


def _recorded_device(one: Mapping[str, Any]) -> str:
    inside = one.get("containerPath") or one["hostPath"]
    return f"{one['hostPath']}:{inside}:{one.get('permissions') or 'rwm'}"


def _found_device(one: Mapping[str, Any]) -> str:
    return f"{one.get('PathOnHost')}:{one.get('PathInContainer')}:{one.get('CgroupPermissions')}"


def _found_gpus(one: Mapping[str, Any]) -> str:
    """Return a device request as the input `gpus` has it."""
    if one.get("DeviceIDs"):
        return f"device={','.join(one['DeviceIDs'])}"
    return "all" if one.get("Count") == -1 else str(one.get("Count"))


def _root(read_only: Any) -> tuple[str, ...]:
    return ("read-only",) if read_only else ("writable",)


def _tmpfs(mounted: Any) -> tuple[str, ...]:
    return tuple(f"{path}:{options}" for path, options in sorted((mounted or {}).items()))


def _memory(mib: int) -> tuple[str, ...]:
    return (f"{mib} MiB",) if mib > 0 else ()


def _ulimits(limits: Iterable[tuple[Any, Any, Any]]) -> tuple[str, ...]:
    return tuple(sorted(f"{name}={int(soft)}:{int(hard)}" for name, soft, hard in limits))


def _logs(driver: Any, options: Any) -> tuple[str, ...]:
    return (str(driver), *_pairs(options or {})) if driver else ()


def _recorded_check(check: Mapping[str, Any]) -> tuple[str, ...]:
    times = [_nanoseconds(check.get(name)) for name in ("interval", "timeout", "startPeriod")]
    return _check(check.get("tests"), times, check.get("retries"))


def _found_check(check: Mapping[str, Any]) -> tuple[str, ...]:
    times = [int(check.get(name) or 0) for name in ("Interval", "Timeout", "StartPeriod")]
    return _check(check.get("Test"), times, check.get("Retries"))


def _check(words: Any, times: Sequence[int], retries: Any) -> tuple[str, ...]:
    if not words:
        return ()
    interval, timeout, start = (f"{one / 10**9:g}s" for one in times)
    return (
        *_words(words),
        f"interval={interval}",
        f"timeout={timeout}",
        f"start={start}",
        f"retries={int(retries or 0)}",
    )


def _nanoseconds(text: Any) -> int:
    """Return a duration such as 500ms or 10s, as the program writes it; without one it is 0."""
    match = re.fullmatch(r"(\d+)(ms|s|m|h)", str(text or "0s"))
    return int(match[1]) * _NANOSECONDS[match[2]] if match is not None else -1
