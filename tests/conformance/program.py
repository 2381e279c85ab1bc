"""The program of every conformance case: it declares what the file declared.json beside it says.

Each entry has `kind` (remote, local, copy, raw), `name`, `inputs` with the SDK's own names, and `options`.
The option `again` has a command that ends with the status 75 run once more, as a step with a reboot is. In
inputs ``{"$secret": X}`` is a secret and ``{"$output": [NAME, KEY]}`` another resource's output.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pulumi
from pulumi_command import local, remote

from components.reboot import asks_for_reboot

# The engine interrupts the program when a step failed; it has said why.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
made: dict[str, pulumi.Resource] = {}


def value(given: Any) -> Any:
    if isinstance(given, dict):
        if "$secret" in given:
            return pulumi.Output.secret(value(given["$secret"]))
        if "$output" in given:
            name, key = given["$output"]
            return getattr(made[name], key)
        return {key: value(item) for key, item in given.items()}
    return [value(item) for item in given] if isinstance(given, list) else given


def connection(given: dict[str, Any]) -> remote.ConnectionArgs:
    values = {key: value(item) for key, item in given.items() if key != "proxy"}
    if "proxy" in given:
        values["proxy"] = remote.ProxyConnectionArgs(**value(given["proxy"]))
    return remote.ConnectionArgs(**values)


def options(given: dict[str, Any]) -> pulumi.ResourceOptions:
    values = dict(given)
    if "depends_on" in values:
        values["depends_on"] = [made[name] for name in values["depends_on"]]
    if "custom_timeouts" in values:
        values["custom_timeouts"] = pulumi.CustomTimeouts(**values["custom_timeouts"])
    if values.pop("again", False):
        values["hooks"] = pulumi.ResourceHookBinding(on_error=[again])
    return pulumi.ResourceOptions(**values)


async def _again(args: pulumi.ErrorHookArgs) -> bool:
    return asks_for_reboot(args.errors[0])


again = pulumi.ErrorHook("again", _again)


class Raw(pulumi.CustomResource):
    """A resource without the SDK's checks of its inputs."""


for one in json.loads(Path("declared.json").read_text(encoding="utf-8")):
    kind, name, inputs, opts = one["kind"], one["name"], one["inputs"], options(one["options"])
    if kind == "raw":
        made[name] = Raw(one["type"], name, value(inputs), opts)
        continue
    values = {key: value(item) for key, item in inputs.items() if key not in ("connection", "source")}
    if "connection" in inputs:
        values["connection"] = connection(inputs["connection"])
    if "source" in inputs:
        values["source"] = pulumi.FileAsset(inputs["source"])
    types = {"remote": remote.Command, "local": local.Command, "copy": remote.CopyToRemote}
    made[name] = types[kind](name, **values, opts=opts)

for one in json.loads(Path("exported.json").read_text(encoding="utf-8")):
    pulumi.export(one, made[one].stdout)  # type: ignore[attr-defined]
