"""The inputs and outputs of the command plugin's resource types, as the official schema 1.2.1 has them."""

from __future__ import annotations

from typing import Final

from engine.plugins.common.schema import (
    ANY,
    ARCHIVE,
    ASSET,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    FunctionType,
    Prop,
    ResourceType,
    Type,
    array,
    map_of,
    record,
)

LOGGING: Final = ("stdout", "stderr", "stdoutAndStderr", "none")

_PEER: Final = {
    "host": Prop(STRING, required=True),
    "user": Prop(STRING, default="root"),
    "port": Prop(NUMBER, default=22),
    "password": Prop(STRING, secret=True),
    "privateKey": Prop(STRING, secret=True),
    "privateKeyPassword": Prop(STRING, secret=True),
    "agentSocketPath": Prop(STRING),
    "dialErrorLimit": Prop(INTEGER, default=10),
    "perDialTimeout": Prop(INTEGER, default=15),
    "hostKey": Prop(STRING),
}
CONNECTION: Final = record(
    "command:remote:Connection", **_PEER, proxy=Prop(record("command:remote:ProxyConnection", **_PEER))
)

_COMMON: Final = {
    "create": Prop(STRING),
    "update": Prop(STRING),
    "delete": Prop(STRING),
    "stdin": Prop(STRING),
    "environment": Prop(map_of(STRING)),
    "triggers": Prop(array(ANY), replaces=True),
    "addPreviousOutputInEnv": Prop(BOOLEAN, default=True),
}

REMOTE: Final = ResourceType(
    name="command:remote:Command",
    inputs={
        **_COMMON,
        "connection": Prop(CONNECTION, required=True, secret=True),
        "logging": Prop(Type("string", values=LOGGING, name="command:remote:Logging")),
    },
    outputs={"stdout": STRING, "stderr": STRING},
)

COPY: Final = ResourceType(
    name="command:remote:CopyToRemote",
    inputs={
        "connection": Prop(CONNECTION, required=True, secret=True),
        "source": Prop(ASSET, required=True),
        "remotePath": Prop(STRING, required=True),
        "triggers": Prop(array(ANY), replaces=True),
    },
    outputs={},
)

_LOCAL: Final = {
    "dir": Prop(STRING),
    "interpreter": Prop(array(STRING)),
    "assetPaths": Prop(array(STRING)),
    "archivePaths": Prop(array(STRING)),
    "logging": Prop(Type("string", values=LOGGING, name="command:local:Logging")),
}
_LOCAL_OUTPUTS: Final = {"stdout": STRING, "stderr": STRING, "assets": map_of(ASSET), "archive": ARCHIVE}
_NOT_ALWAYS: Final = ("assets", "archive")

LOCAL: Final = ResourceType(
    name="command:local:Command",
    inputs={**_COMMON, **_LOCAL},
    outputs=_LOCAL_OUTPUTS,
    optional=_NOT_ALWAYS,
)

RUN: Final = FunctionType(
    name="command:local:run",
    inputs={
        "command": Prop(STRING, required=True),
        "stdin": Prop(STRING),
        "environment": Prop(map_of(STRING)),
        "addPreviousOutputInEnv": Prop(BOOLEAN, default=True),
        **_LOCAL,
    },
    outputs=_LOCAL_OUTPUTS,
    optional=_NOT_ALWAYS,
)
