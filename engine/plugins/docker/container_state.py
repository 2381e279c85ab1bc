"""What the engine says of a container, as outputs and as inputs. Everything here is pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.plugins.common import diff, schema, wire
from engine.plugins.docker import container_body as body
from engine.plugins.docker.container_extras import THROTTLES
from engine.plugins.docker.naming import given, label_list, label_map
from engine.plugins.docker.spec import CONTAINER

Info = Mapping[str, Any]
_EMPTY: Final[dict[str, Any]] = {}


def computed(info: Info) -> dict[str, Any]:
    """Return the outputs that the engine decides, from a container's inspection."""
    settings = info.get("NetworkSettings") or _EMPTY
    return {
        "bridge": settings.get("Bridge") or "",
        "exitCode": info["State"].get("ExitCode", 0),
        "networkDatas": [
            {
                "networkName": name,
                "gateway": item.get("Gateway") or "",
                "ipAddress": item.get("IPAddress") or "",
                "ipPrefixLength": item.get("IPPrefixLen") or 0,
                "ipv6Gateway": item.get("IPv6Gateway") or "",
                "globalIpv6Address": item.get("GlobalIPv6Address") or "",
                "globalIpv6PrefixLength": item.get("GlobalIPv6PrefixLen") or 0,
                "macAddress": item.get("MacAddress") or "",
            }
            for name, item in sorted((settings.get("Networks") or _EMPTY).items())
        ],
    }


def filled(inputs: Mapping[str, Any], info: Info) -> dict[str, Any]:
    """Return values for the inputs that the program left to the engine or the image."""
    config, host = info["Config"], info["HostConfig"]
    values: dict[str, Any] = {
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "envs": config.get("Env") or [],
        "labels": label_list(config.get("Labels")),
        "hostname": config.get("Hostname") or "",
        "init": bool(host.get("Init")),
        "ipcMode": host.get("IpcMode") or "",
        "logDriver": (host.get("LogConfig") or _EMPTY).get("Type") or "",
        "runtime": host.get("Runtime") or "",
        "securityOpts": host.get("SecurityOpt") or [],
        "shmSize": (host.get("ShmSize") or 0) // body.MEBIBYTE,
        "stopSignal": config.get("StopSignal") or "",
        "stopTimeout": config.get("StopTimeout") or 0,
    }
    return {name: value for name, value in values.items() if inputs.get(name) is None}


def bound_ports(inputs: Mapping[str, Any], info: Info) -> dict[str, Any]:
    """Return the output `ports`: as the inputs, with the ports that the engine has chosen."""
    wanted = wire.plain(inputs.get("ports"))
    if not wanted:
        return {}
    there = (info.get("NetworkSettings") or _EMPTY).get("Ports") or _EMPTY
    left = {key: list(bindings or []) for key, bindings in there.items()}
    result = []
    for item in wanted:
        key = f"{int(item['internal'])}/{item.get('protocol') or 'tcp'}"
        address = item.get("ip") or "0.0.0.0"  # noqa: S104 - the default of the schema
        match = next((one for one in left.get(key, []) if one["HostIp"] == address), None)
        if item.get("external") or match is None:
            result.append(item)
        else:
            left[key].remove(match)
            result.append({**item, "external": int(match["HostPort"])})
    return {"ports": result}


def is_up(info: Info) -> bool:
    """Return whether the container runs, or will again because its restart policy says so."""
    state = info["State"]
    return bool(state.get("Running") or state.get("Restarting"))


def observed(inputs: Mapping[str, Any], info: Info) -> dict[str, Any]:
    """Return `inputs` with each one that the program set and that differs replaced by what is there.

    Inputs that the program did not set, and those that cannot be seen on a container, stay as recorded:
    so an untouched container never differs.
    """
    result = dict(inputs)
    values = schema.typed(CONTAINER.inputs, inputs)
    for name in sorted(given(inputs)):
        look = _LOOKS.get(name)
        if look is None or name not in values:
            continue
        found = look(info, values[name], values)
        prop = CONTAINER.inputs[name]
        if diff.compare({name: prop}, {name: values[name]}, {name: found}):
            result[name] = wire.Secret(found) if wire.is_secret(inputs[name]) else found
    if values["mustRun"] and values["start"] and not is_up(info):
        # As the official plugin shows a stopped container; an update then starts it.
        result["mustRun"] = False
    if values["restart"] != (found := _restart(info, None, values)):
        result["restart"] = found
    return result


def _plain(part: str, key: str) -> Callable[[Info, Any, Mapping[str, Any]], Any]:
    def look(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
        found = info[part].get(key)
        if isinstance(wanted, dict):
            # The engine may add entries of its own; only the wanted ones are compared.
            return {name: value for name, value in (found or _EMPTY).items() if name in wanted}
        if found is None:
            return [] if isinstance(wanted, list) else type(wanted)()
        return found

    return look


def _image(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    return info["Image"] if wanted.startswith("sha256:") else info["Config"]["Image"]


def _name(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    return info["Name"].lstrip("/")


def _envs(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    there = dict(item.partition("=")[::2] for item in info["Config"].get("Env") or [])
    names = [item.partition("=")[0] for item in wanted]
    return [f"{name}={there[name]}" for name in names if name in there]


def _labels(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    there = info["Config"].get("Labels") or _EMPTY
    return [{"label": name, "value": there[name]} for name in label_map(wanted) if name in there]


def _mebibytes(key: str) -> Callable[[Info, Any, Mapping[str, Any]], Any]:
    def look(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
        amount = info["HostConfig"].get(key) or 0
        return amount // body.MEBIBYTE if amount > 0 else amount

    return look


def _cpus(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    nano = info["HostConfig"].get("NanoCpus") or 0
    return wanted if nano == body.nano_cpus(wanted) else f"{nano / 10**9:g}"


def _restart(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    return (info["HostConfig"].get("RestartPolicy") or _EMPTY).get("Name") or "no"


def _retries(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    return (info["HostConfig"].get("RestartPolicy") or _EMPTY).get("MaximumRetryCount") or 0


def _log_driver(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    return (info["HostConfig"].get("LogConfig") or _EMPTY).get("Type") or ""


def _log_options(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    found = (info["HostConfig"].get("LogConfig") or _EMPTY).get("Config") or _EMPTY
    return {name: value for name, value in found.items() if name in wanted}


def _network_mode(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    found = info["HostConfig"].get("NetworkMode") or "default"
    return wanted if {found, wanted} <= {"default", "bridge"} else found


def _capabilities(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    # Newer engines write the names with CAP_ in front.
    result = {}
    for name, key in (("adds", "CapAdd"), ("drops", "CapDrop")):
        if name in wanted:
            known = {_capability(item): item for item in wanted[name]}
            there = info["HostConfig"].get(key) or []
            result[name] = [known.get(_capability(item), item) for item in there]
    return result


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def _security(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    there = list(info["HostConfig"].get("SecurityOpt") or [])
    if info["HostConfig"].get("MaskedPaths") == [] or "systempaths=unconfined" in wanted:
        masked = info["HostConfig"].get("MaskedPaths")
        there += ["systempaths=unconfined"] if not masked and "systempaths=unconfined" in wanted else []
    # The engine adds label options of its own on hosts with SELinux, and for privileged containers.
    return [item for item in there if item in wanted or not item.startswith("label")]


def _as_sent(
    part: str, keys: tuple[str, ...], section: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Callable[[Info, Any, Mapping[str, Any]], Any]:
    """Compare in the API's form; return the wanted value if equal, else what is there in the API's form."""

    def look(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
        sent = section(body.create_body(values))
        there = {key: info[part].get(key) for key in keys}
        if all(_same(sent.get(key), there[key]) for key in keys):
            return wanted
        found = [item for key in keys for item in _flat(there[key])]
        if isinstance(wanted, str):
            return ", ".join(found)
        return found if isinstance(wanted, list) else {"found": found}

    return look


def _same(sent: Any, there: Any) -> bool:
    """Return whether `there` has all that was sent; the engine fills in more."""
    if not sent and not there:
        return True
    if isinstance(sent, dict) and isinstance(there, dict):
        return all(_same(value, there.get(key)) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(there, list):
        return len(sent) == len(there) and all(any(_same(one, other) for other in there) for one in sent)
    return bool(sent == there)


def _flat(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in sorted(value.items())]
    return [str(item) for item in value or []]


def _networks(info: Info, wanted: Any, values: Mapping[str, Any]) -> Any:
    there = (info.get("NetworkSettings") or _EMPTY).get("Networks") or _EMPTY
    by_id = {item.get("NetworkID"): item for item in there.values()}
    result = []
    for item in wanted:
        found = there.get(item["name"]) or by_id.get(item["name"])
        if found is None:
            continue
        seen = dict(item)
        address = (found.get("IPAMConfig") or _EMPTY).get("IPv4Address") or found.get("IPAddress") or ""
        if "ipv4Address" in item:
            seen["ipv4Address"] = address
        result.append(seen)
    return result


def _host(section: Mapping[str, Any]) -> Mapping[str, Any]:
    return section["HostConfig"]  # type: ignore[no-any-return]


def _config(section: Mapping[str, Any]) -> Mapping[str, Any]:
    return section


_LOOKS: Final[dict[str, Callable[[Info, Any, Mapping[str, Any]], Any]]] = {
    **{name: _plain(part, key) for name, (part, key) in body.PLAIN.items()},
    **{name: _mebibytes(key) for name, key in body.MEBIBYTES.items()},
    "memorySwap": _mebibytes("MemorySwap"),
    "name": _name,
    "image": _image,
    "envs": _envs,
    "labels": _labels,
    "cpus": _cpus,
    "maxRetryCount": _retries,
    "logDriver": _log_driver,
    "logOpts": _log_options,
    "networkMode": _network_mode,
    "capabilities": _capabilities,
    "securityOpts": _security,
    "networksAdvanced": _networks,
    "healthcheck": _as_sent("Config", ("Healthcheck",), _config),
    "devices": _as_sent("HostConfig", ("Devices",), _host),
    "hosts": _as_sent("HostConfig", ("ExtraHosts",), _host),
    "ulimits": _as_sent("HostConfig", ("Ulimits",), _host),
    "ports": _as_sent("HostConfig", ("PortBindings",), _host),
    "gpus": _as_sent("HostConfig", ("DeviceRequests",), _host),
    "deviceRequests": _as_sent("HostConfig", ("DeviceRequests",), _host),
    **{name: _as_sent("HostConfig", (key,), _host) for name, key in THROTTLES.items()},
    "mounts": _as_sent("HostConfig", ("Mounts",), _host),
    "volumes": _as_sent("HostConfig", ("Binds", "VolumesFrom"), _host),
}
