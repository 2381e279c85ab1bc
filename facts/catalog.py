"""Every setting that a component makes: how it is observed, what becomes of its drift, or why it has no fact.

docs/reference/facts.md is made of this table (`python -m facts.reference`), and tests hold it against the
settings that the components give to their steps and against what the probe tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from facts.files import FILES, RECORD, UNIT, has_unit


@dataclass(frozen=True)
class Fact:
    """How a setting is observed.

    `told` says why its drift is only told (empty: `up` repairs it). With a value in `free` the setting asks
    for nothing, so there is no fact; with `only` there is one for that value alone.
    """

    how: str
    told: str = ""
    free: tuple[str, ...] = ()
    only: str = ""

    def has(self, value: str) -> bool:
        """Return whether the probe tells this fact for a setting of that value."""
        return value not in self.free and self.only in ("", value)


@dataclass(frozen=True)
class Step:
    """One step's settings: those that are observed, and those that are not, with the reason."""

    facts: Mapping[str, Fact]
    without: Mapping[str, str] = field(default_factory=dict)


_WHERE = "says where the host's files are, and leaves nothing there"
_POLICY = "says whether a reboot may come; it is the operator's, and nothing on the host"
_SOURCE = "where it comes from; what came is seen by its version"
_SOURCE_DATA = "where it comes from; what came is seen by dataset, which has its md5"
_KEY_URL = "where the key comes from; the key itself is seen by its whole fingerprint"
_PERSON = "is for a person; `up` stops and says so"
_CHECK = "a limit of the check before a host is first touched; what comes of it the later steps show"
_LOGIN = "the way to the switch; a wrong one makes it unreachable"
_WAY = "the way to the host; a wrong one ends `up` with an error"
_SSH = ("host", "ssh_address", "ssh_port", "ssh_user", "ssh_host_key", "ssh_key")
# The same of the host that built the image.
_BUILDER = tuple(f"builder_{key}" for key in _SSH)
_OPERATOR = "of the operator's machine; what it makes is seen where it is used"

_REPOSITORY = {
    "repository": Fact("the list file, compared whole", free=("none",)),
    "repository_key": Fact("fingerprints of all keys in the keyring that apt takes for it", free=("none",)),
}
_PINNED = {
    "version": Fact("`dpkg-query`", free=("any",)),
    "hold": Fact("`dpkg-query`: selection hold, also of its parts", free=("no",)),
}

_SETTINGS: Mapping[str, Step] = {
    "gpu_host.preflight": Step(
        {"stack": Fact("the host's record of whose it is")},
        dict.fromkeys(("driver", "gpus", "driver_releases", "ofed", "ofed_releases", "space_mb"), _CHECK),
    ),
    "gpu_host.apt": Step(
        {
            "upgrade": Fact("a simulated upgrade by the lists that are on the host"),
            "kernel": Fact("`uname -r` against the installed kernel packages"),
        },
        {"reboot": _POLICY},
    ),
    "gpu_host.nouveau": Step(
        {
            "nouveau": Fact("the blacklist, whether each initramfs is younger, `lsmod`"),
            "driver": Fact(
                "`lsmod`, where no driver is wanted; else gpu_host.driver says it",
                told="a driver that somebody else installed is not removed; `up` stops and says so",
                only="none",
            ),
            "leftovers": Fact("`dpkg-query`: driver packages of another version", free=("any",)),
            "tools": Fact("`dpkg-query`", free=("none",)),
        },
        {"reboot": _POLICY},
    ),
    "gpu_host.driver": Step(
        {
            "version": Fact("version of the loaded module, and of the one on the disk"),
            "package_version": Fact("`dpkg-query`", free=("any",)),
            "package": Fact("the vendor's package with the repository, and its key", free=("none",)),
            **_REPOSITORY,
            "gpus": Fact("`nvidia-smi`", told=f"a missing GPU {_PERSON}", free=("any",)),
            "model": Fact("`nvidia-smi`", told="as for gpus", free=("any",)),
            "compute_capability": Fact("`nvidia-smi`, or a table of cards", told="as for gpus"),
        },
        {
            "source": _SOURCE,
            "package_sha256": _SOURCE,
            "package_md5": _SOURCE,
            "repository_key_url": _KEY_URL,
            "sysfs_root": _WHERE,
            "reboot": _POLICY,
        },
    ),
    "ofed_stack.packages": Step(
        {
            "flavour": Fact("`ofed_info -s`"),
            "version": Fact("`ofed_info -s`, for doca_ofed `dpkg-query`"),
            "packages": Fact("`dpkg-query`"),
            **_REPOSITORY,
            "hold": Fact("`dpkg-query`: selection hold of doca-ofed", free=("no",)),
            "card": Fact("`lspci`", told=f"a missing card {_PERSON}", free=("none",)),
            "driver": Fact("the loaded mlx5_core against the one on the disk"),
        },
        {
            "source": _SOURCE,
            "sha256": _SOURCE,
            "md5": _SOURCE,
            "flags": "arguments of the installer's one run",
            "repository_key_url": _KEY_URL,
            "sysfs_root": _WHERE,
            "reboot": _POLICY,
        },
    ),
    "ofed_stack.link_type": Step(
        {"link_type": Fact("`mlxconfig`: now and after the next boot")},
        {"interface": "names the port that is asked", "sysfs_root": _WHERE, "reboot": _POLICY},
    ),
    "ofed_stack.address": Step(
        {
            "interface": Fact("`/sys/class/net`", told=f"a missing interface {_PERSON}"),
            "address": Fact("`ip address`; the unit is enabled; the network tool's own file, compared whole"),
            "mtu": Fact("`/sys/class/net`"),
            "link": Fact("`/sys/class/net`: up, no-carrier or down"),
        }
    ),
    "ofed_stack.soft_roce": Step(
        {
            "interface": Fact("`/sys/class/net`", told="as for ofed_stack.address"),
            "device": Fact("the RDMA device that the kernel has over the interface; the unit is enabled"),
            "gid": Fact("the type that the device's GID table in sysfs has for the data address"),
            "counted_dscp": Fact("`tc filter show`: the counting filters of both directions, each compared"),
        },
        {"address": "part of gid: it is looked for there", "sysfs_root": _WHERE},
    ),
    "ofed_stack.qos": Step(
        {
            "interface": Fact("`/sys/class/net`", told="as for ofed_stack.address"),
            "dcbx": Fact("`mlnx_qos` or `dcb`"),
            "pause": Fact("`ethtool -a`"),
            "trust": Fact("`mlnx_qos` or `dcb`; the unit is enabled"),
            "dscp2prio": Fact("`mlnx_qos` or `dcb`"),
            "pfc": Fact("`mlnx_qos` or `dcb`"),
            "prio_tc": Fact("`mlnx_qos` or `dcb`"),
            "tsa": Fact("`mlnx_qos` or `dcb`"),
            "tcbw": Fact("`mlnx_qos` or `dcb`"),
            "traffic_class": Fact("the driver's file in sysfs"),
            "cma_roce_mode": Fact("`cma_roce_mode`, or RDMA-CM's configuration files"),
            "cma_roce_tos": Fact("`cma_roce_tos`, or RDMA-CM's configuration files"),
            "cnp_dscp": Fact("the driver's file in sysfs or debugfs"),
            "cnp_802p_prio": Fact("the driver's file in sysfs or debugfs"),
            "ecn_priority": Fact("the driver's files in sysfs, both points"),
            "tcp_ecn": Fact("`/proc/sys`"),
        },
        {"sysfs_root": _WHERE, "allow_unobservable": "says which of these need no answer"},
    ),
    "docker_host.engine": Step(
        {
            "package": Fact("`dpkg-query`: whose dockerd it is"),
            **_PINNED,
            **_REPOSITORY,
            "storage_driver": Fact("`docker info`, and its key in daemon.json"),
            "bip": Fact("`ip address` of docker0, and its key in daemon.json"),
            "registry": Fact("a certificate for it is there", free=("none",)),
            "registry_ca": Fact("the certificate, compared whole", free=("none",)),
            "service": Fact("`systemctl show`: active; it is enabled"),
        },
        {"repository_key_url": _KEY_URL},
    ),
    "docker_host.routes": Step(
        {
            "ip_forward": Fact("`/proc/sys`, and its file in sysctl.d is there"),
            "routes": Fact("`ip route`: ours and those to the wanted subnets; the unit is enabled"),
            "forward": Fact("`iptables -S`: our chain in filter, nat and raw, and the jumps to it"),
            "forward_policy": Fact("`iptables -S FORWARD`", free=("rules",)),
        },
        {
            "interface": "part of routes and of forward: each names it, and another one is seen there",
            "subnet": "part of forward: the rules in raw name it",
        },
    ),
    "docker_host.runtime": Step(
        {
            "runtime": Fact("`dpkg-query`"),
            **_PINNED,
            **_REPOSITORY,
            "registered": Fact("`docker info`, and its key in daemon.json"),
            "cdi": Fact(
                "the specification's device, the files that it names, its sha256 as it was made, and the "
                "key in daemon.json",
                free=("none",),
            ),
        },
        {"repository_key_url": _KEY_URL},
    ),
    "caffe2_image.certificate": Step(
        {
            "certificate": Fact(
                "sha256 of the certificate and its key as they were made, the key's owner and mode, and "
                "whether it expires within 30 days; another one is made anew, and all hosts trust it"
            )
        },
        {"address": "part of the certificate; for another address another one is made"},
    ),
    "caffe2_image.registry": Step(
        {
            "package": Fact("its program is there"),
            "data": Fact("owner and mode of `/var/lib/rocestack-registry`"),
            "service": Fact("`systemctl show`: both units active; they are enabled"),
            "certificate": Fact("sha256 of the one that is served"),
        },
        dict.fromkeys(("address", "interface", "user"), "part of the files below, which are compared"),
    ),
    "caffe2_image.pull": Step(
        {
            "image_id": Fact(
                "`docker image inspect` of the image under its digest, or its tag where it was sent"
            ),
            "registry_ca": Fact("the certificate, compared whole", free=("none",)),
        },
        {
            **dict.fromkeys(
                ("digest", "registry", "repository", "tag"),
                "part of the name under which image_id is looked for",
            ),
            "size_mb": "what a check of the free space before the pull needs",
        },
    ),
    "caffe2_image.host_check": Step(
        {},
        {
            "image_id": "the image that was looked at; it is seen by caffe2_image.pull",
            **dict.fromkeys(
                ("gpus", "needs_gpu", "needs_rdma", "runtime"),
                "what the check asks for; driver, runtime and devices have facts of their own",
            ),
        },
    ),
    "caffe2_image.stream": Step(
        {"image_id": Fact("by caffe2_image.pull, which looks for the image on the host")},
        {
            **dict.fromkeys(("image", "tag"), "part of the name under which image_id is looked for"),
            **dict.fromkeys((*_SSH, *_BUILDER), _WAY),
        },
    ),
    "training_job.dataset": Step(
        {
            "dataset": Fact(
                "the manifest's name, which is a hash of the archives and of how they are stored; every file "
                "is there, with size, time and manifest as it was made"
            ),
        },
        {
            "data_path": "where dataset is looked for",
            "image_id": "what made the data; data that is right stays when the image changes",
            "role": "what the host does to have the data",
            "from": "where the data comes from; what came is seen as dataset",
            "labels": "checked against the lists when the data is made",
            "workers": "how fast the data is made",
            **dict.fromkeys(("resize", "encoding"), "part of dataset"),
            **dict.fromkeys(("train_md5", "val_md5", "lists_md5"), "part of dataset"),
            **dict.fromkeys(("train_source", "val_source", "lists_source"), _SOURCE_DATA),
        },
    ),
    "training_job.dataset_server": Step(
        {"address": Fact("`ss`: something listens there; the unit is enabled")},
        {"data_path": "part of the settings' file, compared whole"},
    ),
    "caffe2_image.base": Step(
        {"present": Fact("as that of caffe2_image.build: what is built again needs its base")},
        {
            **dict.fromkeys(("base_image", "source", "suite"), _OPERATOR),
            **dict.fromkeys(_SSH, _WAY),
            "tag": "the image for which the base was looked for last",
        },
    ),
    "caffe2_image.build": Step(
        {
            "present": Fact(
                "the operator's engine has the image of that name and tag; on a host that builds, by "
                "caffe2_image.pull, unless the head host's registry gives it back"
            )
        },
        dict.fromkeys(_SSH, _WAY)
        | dict.fromkeys(
            (
                *("base", "context", "flavour", "image", "ofed_sha256", "ofed_source", "tag"),
                *("test", "test_module", "arg_base_image", "arg_build_jobs", "arg_caffe2_commit"),
                *("arg_caffe2_repository", "arg_cuda_arch_bin", "arg_cuda_arch_ptx"),
                *("arg_eigen_commit", "arg_eigen_repository"),
            ),
            "what the image is made of; the tag is a hash of it",
        ),
    ),
    "caffe2_image.push": Step(
        {
            "content": Fact(
                "the registry on the head host still has the image of that digest; a registry that the stack "
                "names is not asked: it serves the hosts once"
            )
        },
        {
            **dict.fromkeys(
                ("image", "image_id", "registry", "tag"),
                "what the hosts then have is seen by caffe2_image.pull",
            ),
            **dict.fromkeys(("socket", *_SSH, *_BUILDER), _WAY),
        },
    ),
    "switch_qos.roce": Step(
        {
            **{
                key: Fact("the running configuration")
                for key in (
                    *("hostname", "lldp", "pool", "pool_type", "pool_memory_percent", "roce"),
                    *("pool_switch_priority", "trust", "ecn_traffic_class", "ecn_minimum_kb"),
                    *("ecn_maximum_kb", "strict_traffic_class", "pfc_priority", "global_pause"),
                )
            },
            "ports": Fact("the ports that the switch lists", told=f"a missing port {_PERSON}"),
            "dscp_map": Fact("`show qos interface`", told="it is the switch's own, and only checked"),
            "saved": Fact("what a start of the switch would load"),
            "minimum_release": Fact("`show version`", told=f"an older release {_PERSON}"),
        },
        dict.fromkeys(
            (
                *("address", "port", "user", "host_key", "transport", "certificate_sha256"),
                *("jump_address", "jump_port", "jump_user", "jump_host_key"),
            ),
            _LOGIN,
        ),
    ),
}
# Of the containers, by `docker inspect`: facts are named CONTAINER.KEY (facts/containers.py).
CONTAINERS: Mapping[str, str] = {
    "image": "id of the image that it was made from",
    "command": "its words; the first that differs is shown",
    "entrypoint": "against the image's own",
    "user": "against the image's own",
    "env": "the stack's and the image's variables; names are shown, never values",
    "mounts": "type, source, target, and whether it may write",
    "devices": "path on the host, path inside, permissions",
    "gpus": "device requests",
    "capabilities": "what is added and dropped",
    "privileged": "",
    "security": "security options",
    "network": "network mode",
    "namespaces": "a process, IPC or user namespace that is not its own",
    "runtime": "",
    "restart": "restart policy",
    "labels": "the stack's own; names are shown",
    "root": "whether its own file system is read-only",
    "tmpfs": "path and options",
    "memory": "limit in MiB",
    "ulimits": "where the stack asks for some",
    "healthcheck": "command, times and retries, where the stack asks for one",
    "logs": "driver and options, where the stack asks for some",
}


def steps() -> Mapping[str, Step]:
    """Return each step's settings, with the files, the unit and the record that it leaves on its host."""
    return {name: _with_files(name, step) for name, step in _SETTINGS.items()}


def _with_files(name: str, step: Step) -> Step:
    if name.startswith(("caffe2_image.b", "caffe2_image.push", "caffe2_image.stream", "switch_qos")):
        return step
    more = {one.key: Fact(f"sha256 and mode of `{one.path}`") for one in FILES.get(name, ())}
    if has_unit(name):
        more[UNIT] = Fact("`systemctl show`: active")
    record = Fact(
        f"`/var/lib/rocestack/{name}` has each value as applied; one that cannot be read stops `up`, for it "
        "says what is ours"
    )
    return Step({**step.facts, **more, RECORD: record}, step.without)
