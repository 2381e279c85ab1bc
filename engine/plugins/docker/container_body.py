"""A container's inputs as the engine's API takes them. Everything here is pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from engine.plugins.common.errors import PluginError
from engine.plugins.docker import container_extras
from engine.plugins.docker.naming import label_map

MEBIBYTE: Final = 1024 * 1024
_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+\Z|0\Z")
_SYSTEM_PATHS: Final = "systempaths=unconfined"

# Inputs whose value goes into the body as it is: input name -> (part, API name).
PLAIN: Final = {
    "image": ("Config", "Image"),
    "hostname": ("Config", "Hostname"),
    "domainname": ("Config", "Domainname"),
    "user": ("Config", "User"),
    "workingDir": ("Config", "WorkingDir"),
    "command": ("Config", "Cmd"),
    "entrypoints": ("Config", "Entrypoint"),
    "envs": ("Config", "Env"),
    "tty": ("Config", "Tty"),
    "stdinOpen": ("Config", "OpenStdin"),
    "stopSignal": ("Config", "StopSignal"),
    "stopTimeout": ("Config", "StopTimeout"),
    "init": ("HostConfig", "Init"),
    "privileged": ("HostConfig", "Privileged"),
    "readOnly": ("HostConfig", "ReadonlyRootfs"),
    "publishAllPorts": ("HostConfig", "PublishAllPorts"),
    "networkMode": ("HostConfig", "NetworkMode"),
    "cgroupnsMode": ("HostConfig", "CgroupnsMode"),
    "cgroupParent": ("HostConfig", "CgroupParent"),
    "ipcMode": ("HostConfig", "IpcMode"),
    "pidMode": ("HostConfig", "PidMode"),
    "usernsMode": ("HostConfig", "UsernsMode"),
    "runtime": ("HostConfig", "Runtime"),
    "deviceCgroupRules": ("HostConfig", "DeviceCgroupRules"),
    "groupAdds": ("HostConfig", "GroupAdd"),
    "dns": ("HostConfig", "Dns"),
    "dnsOpts": ("HostConfig", "DnsOptions"),
    "dnsSearches": ("HostConfig", "DnsSearch"),
    "tmpfs": ("HostConfig", "Tmpfs"),
    "sysctls": ("HostConfig", "Sysctls"),
    "storageOpts": ("HostConfig", "StorageOpt"),
    "cpuShares": ("HostConfig", "CpuShares"),
    "cpuSet": ("HostConfig", "CpusetCpus"),
    "cpuPeriod": ("HostConfig", "CpuPeriod"),
    "cpuQuota": ("HostConfig", "CpuQuota"),
    "rm": ("HostConfig", "AutoRemove"),
}
# Inputs in MiB that the API takes in bytes.
MEBIBYTES: Final = {"memory": "Memory", "memoryReservation": "MemoryReservation", "shmSize": "ShmSize"}


def create_body(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of POST /containers/create for typed inputs (`schema.typed`).

    Raises PluginError for a value that has no meaning, naming the input.
    """
    config: dict[str, Any] = {}
    host: dict[str, Any] = {}
    for name, (part, key) in PLAIN.items():
        if name in values:
            (config if part == "Config" else host)[key] = values[name]
    for name, key in MEBIBYTES.items():
        if name in values:
            host[key] = values[name] * MEBIBYTE
    if "memorySwap" in values:
        # -1 is no limit at all and stays as it is.
        swap = values["memorySwap"]
        host["MemorySwap"] = swap * MEBIBYTE if swap > 0 else swap
    if "cpus" in values:
        host["NanoCpus"] = nano_cpus(values["cpus"])
    config["Labels"] = label_map(values.get("labels"))
    if "healthcheck" in values:
        config["Healthcheck"] = healthcheck(values["healthcheck"])
    host["RestartPolicy"] = restart_policy(values)
    host["LogConfig"] = {"Type": values.get("logDriver", ""), "Config": values.get("logOpts", {})}
    host.update(security(values))
    host["Devices"] = [device(item) for item in values.get("devices", [])]
    host["ExtraHosts"] = [f"{item['host']}:{item['ip']}" for item in values.get("hosts", [])]
    host["Ulimits"] = [
        {"Name": item["name"], "Soft": item["soft"], "Hard": item["hard"]}
        for item in values.get("ulimits", [])
    ]
    exposed, bindings = ports(values.get("ports", []))
    config["ExposedPorts"], host["PortBindings"] = exposed, bindings
    host["DeviceRequests"] = container_extras.device_requests(values)
    host.update(container_extras.throttles(values))
    host["Mounts"] = [mount(item) for item in values.get("mounts", [])]
    anonymous, host["Binds"], host["VolumesFrom"] = volumes(values.get("volumes", []))
    config["Volumes"] = anonymous
    return {**config, "HostConfig": host}


def needs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (input, API version) for each input that only a newer engine serves."""
    found = []
    if values.get("platform"):
        found.append(("platform", "1.41"))
    if values.get("cgroupnsMode"):
        found.append(("cgroupnsMode", "1.41"))
    if values.get("healthcheck", {}).get("startInterval"):
        found.append(("healthcheck.startInterval", "1.44"))
    if any(item.get("volumeOptions", {}).get("subpath") for item in values.get("mounts", [])):
        found.append(("mounts.volumeOptions.subpath", "1.45"))
    return found


def nano_cpus(text: str) -> int:
    """Return a number of CPUs in billionths.

    >>> nano_cpus("1.5")
    1500000000
    """
    try:
        return int(Decimal(text) * 10**9)
    except InvalidOperation as error:
        raise PluginError(f"cpus is {text!r}; it is a number of CPUs such as '1.5'") from error


def nanoseconds(text: str, name: str) -> int:
    """Return a duration such as '1m30s' in nanoseconds; `name` is the input in the error.

    >>> nanoseconds("1m0.5s", "interval")
    60500000000
    """
    if not _DURATION.match(text):
        raise PluginError(f"{name} is {text!r}; it is a duration such as '500ms', '10s' or '1m30s'")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", text)
    return int(sum(Decimal(number) * _UNITS[unit] for number, unit in parts))


def healthcheck(check: Mapping[str, Any]) -> dict[str, Any]:
    """Return a health check as the API takes it."""
    body: dict[str, Any] = {"Test": check.get("tests", [])}
    keys = {
        "interval": "Interval",
        "timeout": "Timeout",
        "startPeriod": "StartPeriod",
        "startInterval": "StartInterval",
    }
    for name, key in keys.items():
        if name in check:
            body[key] = nanoseconds(check[name], f"healthcheck.{name}")
    if "retries" in check:
        body["Retries"] = check["retries"]
    return body


def restart_policy(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the restart policy."""
    return {"Name": values["restart"], "MaximumRetryCount": values.get("maxRetryCount", 0)}


def security(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return capabilities and security options. `systempaths=unconfined` is the client's to carry out."""
    capabilities = values.get("capabilities", {})
    options = values.get("securityOpts", [])
    body: dict[str, Any] = {
        "CapAdd": capabilities.get("adds", []),
        "CapDrop": capabilities.get("drops", []),
        "SecurityOpt": [option for option in options if option != _SYSTEM_PATHS],
    }
    if _SYSTEM_PATHS in options:
        body["MaskedPaths"] = []
        body["ReadonlyPaths"] = []
    return body


def device(item: Mapping[str, Any]) -> dict[str, str]:
    """Return a device with the API's defaults filled in."""
    return {
        "PathOnHost": item["hostPath"],
        "PathInContainer": item.get("containerPath") or item["hostPath"],
        "CgroupPermissions": item.get("permissions") or "rwm",
    }


def ports(items: list[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    """Return the exposed ports and the bindings. Without `external`, the engine chooses the port."""
    exposed: dict[str, Any] = {}
    bindings: dict[str, list[dict[str, str]]] = {}
    for item in items:
        key = f"{item['internal']}/{item['protocol']}"
        exposed[key] = {}
        external = str(item["external"]) if item.get("external") else ""
        bindings.setdefault(key, []).append({"HostIp": item["ip"], "HostPort": external})
    return exposed, bindings


def mount(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry of `mounts`."""
    body: dict[str, Any] = {
        "Type": item["type"],
        "Target": item["target"],
        "Source": item.get("source", ""),
        "ReadOnly": item["readOnly"],
    }
    options = f"{item['type']}Options"
    for name in ("bindOptions", "volumeOptions", "tmpfsOptions"):
        if name in item and name != options:
            raise PluginError(f"mounts: {name} does not fit the mount at {item['target']}, a {item['type']}")
    if "bindOptions" in item:
        body["BindOptions"] = {"Propagation": item["bindOptions"].get("propagation", "")}
    if "tmpfsOptions" in item:
        given = item["tmpfsOptions"]
        body["TmpfsOptions"] = {"SizeBytes": given.get("sizeBytes", 0), "Mode": given.get("mode", 0)}
    if "volumeOptions" in item:
        given = item["volumeOptions"]
        body["VolumeOptions"] = {
            "NoCopy": given.get("noCopy", False),
            "Labels": label_map(given.get("labels")),
        }
        if given.get("subpath"):
            body["VolumeOptions"]["Subpath"] = given["subpath"]
        if "driverName" in given or "driverOptions" in given:
            body["VolumeOptions"]["DriverConfig"] = {
                "Name": given.get("driverName", ""),
                "Options": given.get("driverOptions", {}),
            }
    return body


def volumes(items: list[Mapping[str, Any]]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return anonymous volumes, bind strings and the containers to take volumes from."""
    anonymous: dict[str, Any] = {}
    binds: list[str] = []
    others: list[str] = []
    for item in items:
        mode = "ro" if item["readOnly"] else "rw"
        if item.get("selinuxRelabel"):
            mode += f",{item['selinuxRelabel']}"
        source = item.get("volumeName") or item.get("hostPath")
        if item.get("fromContainer"):
            others.append(item["fromContainer"])
        elif not item.get("containerPath"):
            raise PluginError("volumes: an entry needs containerPath or fromContainer")
        elif source:
            binds.append(f"{source}:{item['containerPath']}:{mode}")
        else:
            anonymous[item["containerPath"]] = {}
    return anonymous, binds, others


def endpoints(values: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return (network, arguments of the call that joins it) for each entry of `networksAdvanced`."""
    keys = {
        "aliases": "aliases",
        "ipv4Address": "ipv4_address",
        "ipv6Address": "ipv6_address",
        "linkLocalIps": "link_local_ips",
        "macAddress": "mac_address",
    }
    result = []
    for item in values.get("networksAdvanced", []):
        arguments = {key: item[name] for name, key in keys.items() if item.get(name)}
        if item.get("driverOpts"):
            arguments["driver_opt"] = dict(option.partition("=")[::2] for option in item["driverOpts"])
        result.append((item["name"], arguments))
    return result


def update_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an in-place update: what the engine changes on a running container."""
    arguments: dict[str, Any] = {"restart_policy": restart_policy(values)}
    names = {"memory": "mem_limit", "memoryReservation": "mem_reservation", "memorySwap": "memswap_limit"}
    for name, key in names.items():
        if name in values:
            amount = values[name]
            arguments[key] = amount * MEBIBYTE if amount > 0 else amount
    if "memory" in values and "memorySwap" not in values:
        # The engine's own rule when it makes a container; in an update the old sum would stay and bar more.
        arguments["memswap_limit"] = 2 * arguments["mem_limit"]
    names = {
        "cpuShares": "cpu_shares",
        "cpuSet": "cpuset_cpus",
        "cpuPeriod": "cpu_period",
        "cpuQuota": "cpu_quota",
    }
    for name, key in names.items():
        if name in values:
            arguments[key] = values[name]
    return arguments
