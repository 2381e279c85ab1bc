"""The inputs and outputs of the docker plugin's resource types, as the official schema 5.2.0 has them."""

from __future__ import annotations

from typing import Final

from engine.plugins.common.schema import (
    BOOLEAN,
    INTEGER,
    STRING,
    Prop,
    ResourceType,
    Type,
    array,
    map_of,
    record,
    set_of,
)


def _new(type_: Type, **more: object) -> Prop:
    """Return a property whose change needs a new resource."""
    return Prop(type_, replaces=True, **more)  # type: ignore[arg-type]


def _label(name: str) -> Type:
    return record(name, label=Prop(STRING, required=True), value=Prop(STRING, required=True))


_CAPABILITIES: Final = record(
    "docker:index/ContainerCapabilities:ContainerCapabilities",
    adds=Prop(set_of(STRING)),
    drops=Prop(set_of(STRING)),
)
_DEVICE: Final = record(
    "docker:index/ContainerDevice:ContainerDevice",
    hostPath=Prop(STRING, required=True),
    containerPath=Prop(STRING),
    permissions=Prop(STRING),
)
_HEALTHCHECK: Final = record(
    "docker:index/ContainerHealthcheck:ContainerHealthcheck",
    tests=Prop(array(STRING)),
    interval=Prop(STRING),
    timeout=Prop(STRING),
    startPeriod=Prop(STRING),
    startInterval=Prop(STRING),
    retries=Prop(INTEGER),
)
_HOST: Final = record(
    "docker:index/ContainerHost:ContainerHost",
    host=Prop(STRING, required=True),
    ip=Prop(STRING, required=True),
)
_MOUNT: Final = record(
    "docker:index/ContainerMount:ContainerMount",
    target=Prop(STRING, required=True),
    type=Prop(Type("string", values=("bind", "volume", "tmpfs")), required=True),
    source=Prop(STRING),
    readOnly=Prop(BOOLEAN, default=False),
    bindOptions=Prop(
        record("docker:index/ContainerMountBindOptions:ContainerMountBindOptions", propagation=Prop(STRING))
    ),
    tmpfsOptions=Prop(
        record(
            "docker:index/ContainerMountTmpfsOptions:ContainerMountTmpfsOptions",
            mode=Prop(INTEGER),
            sizeBytes=Prop(INTEGER),
        )
    ),
    volumeOptions=Prop(
        record(
            "docker:index/ContainerMountVolumeOptions:ContainerMountVolumeOptions",
            noCopy=Prop(BOOLEAN),
            subpath=Prop(STRING),
            driverName=Prop(STRING),
            driverOptions=Prop(map_of(STRING)),
            labels=Prop(
                set_of(
                    _label("docker:index/ContainerMountVolumeOptionsLabel:ContainerMountVolumeOptionsLabel")
                )
            ),
        )
    ),
)
_NETWORK: Final = record(
    "docker:index/ContainerNetworksAdvanced:ContainerNetworksAdvanced",
    name=Prop(STRING, required=True),
    aliases=Prop(set_of(STRING)),
    driverOpts=Prop(set_of(STRING)),
    ipv4Address=Prop(STRING),
    ipv6Address=Prop(STRING),
    linkLocalIps=Prop(set_of(STRING)),
    macAddress=Prop(STRING),
)
_PORT: Final = record(
    "docker:index/ContainerPort:ContainerPort",
    internal=Prop(INTEGER, required=True),
    external=Prop(INTEGER),
    ip=Prop(STRING, default="0.0.0.0"),  # noqa: S104 - the official default
    protocol=Prop(STRING, default="tcp"),
)
_ULIMIT: Final = record(
    "docker:index/ContainerUlimit:ContainerUlimit",
    name=Prop(STRING, required=True),
    soft=Prop(INTEGER, required=True),
    hard=Prop(INTEGER, required=True),
)
_VOLUME: Final = record(
    "docker:index/ContainerVolume:ContainerVolume",
    containerPath=Prop(STRING),
    fromContainer=Prop(STRING),
    hostPath=Prop(STRING),
    readOnly=Prop(BOOLEAN, default=False),
    selinuxRelabel=Prop(Type("string", values=("z", "Z"))),
    volumeName=Prop(STRING),
)
_DEVICE_REQUEST: Final = record(
    "docker:index/ContainerDeviceRequest:ContainerDeviceRequest",
    driver=Prop(STRING, default="cdi"),
    count=Prop(INTEGER),
    deviceIds=Prop(array(STRING)),
    capabilities=Prop(array(STRING)),
    options=Prop(map_of(STRING)),
)
_UPLOAD: Final = record(
    "docker:index/ContainerUpload:ContainerUpload",
    file=Prop(STRING, required=True),
    content=Prop(STRING),
    contentBase64=Prop(STRING),
    source=Prop(STRING),
    sourceHash=Prop(STRING),
    executable=Prop(BOOLEAN, default=False),
    permissions=Prop(STRING),
    owner=Prop(STRING),
    group=Prop(STRING),
)
_NETWORK_DATA: Final = record(
    "docker:index/ContainerNetworkData:ContainerNetworkData",
    networkName=Prop(STRING),
    gateway=Prop(STRING),
    ipAddress=Prop(STRING),
    ipPrefixLength=Prop(INTEGER),
    ipv6Gateway=Prop(STRING),
    globalIpv6Address=Prop(STRING),
    globalIpv6PrefixLength=Prop(INTEGER),
    macAddress=Prop(STRING),
)


def _throttles(kind: str) -> Type:
    return set_of(
        record(
            f"docker:index/ContainerDevice{kind}:ContainerDevice{kind}",
            path=Prop(STRING, required=True),
            rate=Prop(INTEGER, required=True),
        )
    )


CONTAINER: Final = ResourceType(
    name="docker:index/container:Container",
    inputs={
        "name": _new(STRING, computed=True),
        "image": _new(STRING, required=True),
        "command": _new(array(STRING), computed=True),
        "entrypoints": _new(array(STRING), computed=True),
        "envs": _new(set_of(STRING), computed=True),
        "labels": _new(set_of(_label("docker:index/ContainerLabel:ContainerLabel")), computed=True),
        "workingDir": _new(STRING),
        "user": _new(STRING),
        "groupAdds": _new(set_of(STRING)),
        "hostname": _new(STRING, computed=True),
        "domainname": _new(STRING),
        "tty": _new(BOOLEAN, default=False),
        "stdinOpen": _new(BOOLEAN, default=False),
        "init": _new(BOOLEAN, computed=True),
        "stopSignal": _new(STRING, computed=True),
        "stopTimeout": _new(INTEGER, computed=True),
        "healthcheck": _new(_HEALTHCHECK, computed=True),
        "mounts": _new(set_of(_MOUNT)),
        "volumes": _new(set_of(_VOLUME)),
        "tmpfs": _new(map_of(STRING)),
        "readOnly": _new(BOOLEAN, default=False),
        "shmSize": _new(INTEGER, computed=True),
        "networkMode": _new(STRING, default="bridge"),
        "networksAdvanced": _new(set_of(_NETWORK)),
        "ports": _new(array(_PORT)),
        "publishAllPorts": _new(BOOLEAN),
        "hosts": _new(set_of(_HOST)),
        "dns": _new(set_of(STRING)),
        "dnsOpts": _new(set_of(STRING)),
        "dnsSearches": _new(set_of(STRING)),
        "privileged": _new(BOOLEAN),
        "capabilities": _new(_CAPABILITIES),
        "securityOpts": _new(set_of(STRING), computed=True),
        "devices": _new(set_of(_DEVICE)),
        "deviceCgroupRules": _new(set_of(STRING)),
        "ulimits": _new(set_of(_ULIMIT)),
        "sysctls": _new(map_of(STRING)),
        "cgroupnsMode": _new(STRING),
        "cgroupParent": _new(STRING),
        "ipcMode": _new(STRING, computed=True),
        "pidMode": _new(STRING),
        "usernsMode": _new(STRING),
        "runtime": _new(STRING, computed=True),
        "logDriver": _new(STRING, computed=True),
        "logOpts": _new(map_of(STRING)),
        "storageOpts": _new(map_of(STRING)),
        "cpus": _new(STRING),
        "gpus": _new(STRING),
        "deviceRequests": _new(array(_DEVICE_REQUEST)),
        "platform": _new(STRING),
        "uploads": _new(set_of(_UPLOAD)),
        # The official plugin takes a change of these in place, but the engine does not carry it out.
        "rm": _new(BOOLEAN),
        "deviceReadBps": _new(_throttles("ReadBp")),
        "deviceReadIops": _new(_throttles("ReadIop")),
        "deviceWriteBps": _new(_throttles("WriteBp")),
        "deviceWriteIops": _new(_throttles("WriteIop")),
        # What the engine can change on a running container.
        "restart": Prop(
            Type("string", values=("no", "on-failure", "always", "unless-stopped")), default="no"
        ),
        "maxRetryCount": Prop(INTEGER),
        "memory": Prop(INTEGER),
        "memoryReservation": Prop(INTEGER),
        "memorySwap": Prop(INTEGER),
        "cpuShares": Prop(INTEGER),
        "cpuPeriod": Prop(INTEGER),
        "cpuQuota": Prop(INTEGER),
        "cpuSet": Prop(STRING),
        # How the plugin handles the container; a change concerns no running one.
        "mustRun": Prop(BOOLEAN, default=True),
        "start": Prop(BOOLEAN, default=True),
        "attach": Prop(BOOLEAN, default=False),
        "logs": Prop(BOOLEAN, default=False),
        "wait": Prop(BOOLEAN, default=False),
        "waitTimeout": Prop(INTEGER, default=60),
        "destroyGraceSeconds": Prop(INTEGER),
        "removeVolumes": Prop(BOOLEAN, default=True),
        "containerReadRefreshTimeoutMilliseconds": Prop(INTEGER, default=15000),
    },
    outputs={
        "bridge": STRING,
        "containerLogs": STRING,
        "exitCode": INTEGER,
        "networkDatas": array(_NETWORK_DATA),
    },
)

NETWORK: Final = ResourceType(
    name="docker:index/network:Network",
    inputs={
        "name": _new(STRING, computed=True),
        "driver": _new(STRING, computed=True),
        "options": _new(map_of(STRING), computed=True),
        "internal": _new(BOOLEAN, computed=True),
        "attachable": _new(BOOLEAN),
        "ipv6": _new(BOOLEAN),
        "labels": _new(set_of(_label("docker:index/NetworkLabel:NetworkLabel"))),
        "ipamDriver": _new(STRING, default="default"),
        "ipamOptions": _new(map_of(STRING)),
        "ipamConfigs": _new(
            set_of(
                record(
                    "docker:index/NetworkIpamConfig:NetworkIpamConfig",
                    subnet=Prop(STRING),
                    gateway=Prop(STRING),
                    ipRange=Prop(STRING),
                    auxAddress=Prop(map_of(STRING)),
                )
            ),
            computed=True,
        ),
    },
    outputs={"scope": STRING},
)

VOLUME: Final = ResourceType(
    name="docker:index/volume:Volume",
    inputs={
        "name": _new(STRING, computed=True),
        "driver": _new(STRING, computed=True),
        "driverOpts": _new(map_of(STRING)),
        "labels": _new(set_of(_label("docker:index/VolumeLabel:VolumeLabel"))),
    },
    outputs={"mountpoint": STRING},
)

REMOTE_IMAGE: Final = ResourceType(
    name="docker:index/remoteImage:RemoteImage",
    inputs={
        "name": _new(STRING, required=True),
        "keepLocally": Prop(BOOLEAN),
        "forceRemove": Prop(BOOLEAN),
        "platform": _new(STRING),
        "pullTriggers": _new(set_of(STRING)),
        "triggers": _new(map_of(STRING)),
    },
    outputs={"imageId": STRING, "repoDigest": STRING},
)

IMAGE: Final = ResourceType(
    name="docker:index/image:Image",
    inputs={
        "imageName": Prop(STRING, required=True),
        "build": Prop(
            record(
                "docker:index/dockerBuild:DockerBuild",
                context=Prop(STRING),
                dockerfile=Prop(STRING),
                args=Prop(map_of(STRING)),
                target=Prop(STRING),
                platform=Prop(STRING),
                network=Prop(STRING),
                addHosts=Prop(array(STRING)),
                builderVersion=Prop(Type("string", values=("BuilderV1", "BuilderBuildKit"))),
                cacheFrom=Prop(record("docker:index/cacheFrom:CacheFrom", images=Prop(array(STRING)))),
                # Set by the check of the inputs, as officially: that is how changed files become a change.
                contextDigest=Prop(STRING),
            )
        ),
        "registry": Prop(
            record(
                "docker:index/registry:Registry",
                server=Prop(STRING),
                username=Prop(STRING),
                password=Prop(STRING, secret=True),
            )
        ),
        "skipPush": Prop(BOOLEAN, default=False),
        "buildOnPreview": Prop(BOOLEAN, default=False),
    },
    outputs={
        "baseImageName": STRING,
        "context": STRING,
        "dockerfile": STRING,
        "platform": STRING,
        "registryServer": STRING,
        "repoDigest": STRING,
    },
)
