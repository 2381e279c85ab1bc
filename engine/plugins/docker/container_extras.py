"""A container's devices, limits of device traffic, and files that are put into it. Everything here is pure
but `archive`, which reads the files that the program names."""

from __future__ import annotations

import base64
import binascii
import csv
import grp
import io
import pwd
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.plugins.common.errors import PluginError

# Input -> API name.
THROTTLES: Final = {
    "deviceReadBps": "BlkioDeviceReadBps",
    "deviceReadIops": "BlkioDeviceReadIOps",
    "deviceWriteBps": "BlkioDeviceWriteBps",
    "deviceWriteIops": "BlkioDeviceWriteIOps",
}
_SOURCES: Final = ("content", "contentBase64", "source")
_FILE_MODE, _EXECUTABLE_MODE = 0o644, 0o744


def device_requests(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the API's DeviceRequests for `gpus` and `deviceRequests`. Raises PluginError."""
    found = [
        {
            "Driver": item["driver"],
            "Count": item.get("count", 0),
            "DeviceIDs": item.get("deviceIds") or None,
            "Capabilities": [item["capabilities"]] if item.get("capabilities") else None,
            "Options": item.get("options", {}),
        }
        for item in values.get("deviceRequests", [])
    ]
    return [gpus(values["gpus"]), *found] if values.get("gpus") else found


def gpus(text: str) -> dict[str, Any]:
    """Return the device request for `gpus`: all, a number, or device=… as the docker command takes it.

    >>> gpus("all")["Count"], gpus("device=0,2")["DeviceIDs"]
    (-1, ['0', '2'])
    """
    request: dict[str, Any] = {
        "Driver": "",
        "Count": 0,
        "DeviceIDs": None,
        "Capabilities": [["gpu"]],
        "Options": {},
    }
    if text == "all" or text.isdigit():
        return {**request, "Count": -1 if text == "all" else int(text)}
    # The docker command wants a list of devices in quotes; the official plugin does not.
    name, _, devices = text.strip('"').partition("=")
    ids = next(csv.reader([devices]), [])
    if name != "device" or not ids:
        raise PluginError(f"gpus is {text!r}; allowed are 'all', a number, or 'device=<id>[,<id>…]'")
    return {**request, "DeviceIDs": ids}


def throttles(values: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the limits of device traffic."""
    return {
        key: [{"Path": item["path"], "Rate": item["rate"]} for item in values[name]]
        for name, key in THROTTLES.items()
        if values.get(name)
    }


def problems(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (property path, reason) for combinations of plain inputs that contradict each other."""
    found = []
    if values.get("gpus") and values.get("deviceRequests"):
        found.append(("gpus", "gpus and deviceRequests exclude each other; give one of them"))
    if values.get("rm") is True and values.get("attach") is True:
        text = (
            "rm and attach exclude each other: exit code and logs go with the container that removes itself"
        )
        found.append(("rm", f"{text}; leave rm out, destroying the resource removes it as well"))
    uploads = values.get("uploads")
    for index, item in enumerate(uploads if isinstance(uploads, list) else []):
        given = [name for name in _SOURCES if isinstance(item, Mapping) and item.get(name) not in (None, "")]
        if isinstance(item, Mapping) and len(given) != 1:
            text = f"uploads[{index}] needs exactly one of {', '.join(_SOURCES)}"
            found.append((f"uploads[{index}]", f"{text}; it has {', '.join(given) or 'none'}"))
    return found


def archive(uploads: list[dict[str, Any]]) -> bytes:
    """Return a tar archive of the files, to be unpacked at the container's root. Raises PluginError."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for item in sorted(uploads, key=lambda item: str(item["file"])):
            data = _data(item)
            entry = tarfile.TarInfo(item["file"].lstrip("/"))
            entry.size = len(data)
            entry.mode = _mode(item)
            entry.uid = _number(item.get("owner"), "owner")
            entry.gid = _number(item.get("group"), "group")
            tar.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def _data(item: Mapping[str, Any]) -> bytes:
    if item.get("source"):
        try:
            return Path(item["source"]).read_bytes()
        except OSError as error:
            raise PluginError(f"uploads: cannot read source {item['source']}: {error.strerror}") from error
    if item.get("contentBase64"):
        try:
            return base64.b64decode(item["contentBase64"], validate=True)
        except binascii.Error as error:
            raise PluginError(f"uploads: contentBase64 of {item['file']} is no base64: {error}") from error
    return str(item.get("content", "")).encode()


def _mode(item: Mapping[str, Any]) -> int:
    if not item.get("permissions"):
        return _EXECUTABLE_MODE if item["executable"] else _FILE_MODE
    try:
        return int(item["permissions"], 8)
    except ValueError as error:
        text = f"uploads: permissions of {item['file']} are {item['permissions']!r}"
        raise PluginError(f"{text}; they are octal, such as '0644'") from error


def _number(name: str | None, what: str) -> int:
    if not name:
        return 0
    if name.isdigit():
        return int(name)
    try:
        # Names of this machine, as officially: the container's are not known from outside.
        return pwd.getpwnam(name).pw_uid if what == "owner" else grp.getgrnam(name).gr_gid
    except KeyError as error:
        text = f"uploads: this machine knows no {what} {name!r}"
        raise PluginError(f"{text}; give the number that counts in the container") from error
