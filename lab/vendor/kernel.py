"""The lab's kernel: packages of a distribution's archive for a kernel that no node ever really boots.

A node shares the kernel of the machine below it, which has no modules. With these packages the node has a
kernel version of its own, module files, headers, and an initramfs that update-initramfs really builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.hardware.elf import module
from lab.vendor.deb import File, Package, package_from, write_flat

PACKAGES = Path(__file__).parent / "packages"
# What a node runs, and a newer one in the archive that a node may get.
KERNEL = "6.1.0-41-lab"
NEWER_KERNEL = "6.1.0-42-lab"
_VERSIONS = {KERNEL: "6.1.158-1", NEWER_KERNEL: "6.1.162-1"}
# The distribution's modules: folder below kernel/drivers, what each needs, and which devices it drives.
_MODULES: Mapping[str, tuple[str, str, str]] = {
    "nouveau": ("gpu/drm/nouveau", "drm", "pci:v000010DEd*sv*sd*bc03sc*i*"),
    "drm": ("gpu/drm", "", ""),
    "mlx5_core": ("net/ethernet/mellanox/mlx5/core", "mlxfw", "pci:v000015B3d00001019sv*sd*bc*sc*i*"),
    "mlxfw": ("net/ethernet/mellanox/mlxfw", "", ""),
    "mlx5_ib": ("infiniband/hw/mlx5", "ib_uverbs,ib_core,mlx5_core", ""),
    "ib_core": ("infiniband/core", "", ""),
    "ib_uverbs": ("infiniband/core", "ib_core", ""),
    "ib_cm": ("infiniband/core", "ib_core", ""),
    "iw_cm": ("infiniband/core", "ib_core", ""),
    "rdma_cm": ("infiniband/core", "iw_cm,ib_cm,ib_core", ""),
    "rdma_ucm": ("infiniband/core", "ib_uverbs,rdma_cm,ib_core", ""),
}
# What the kernel below has in it anyway: modprobe then has nothing to do and says so by its status.
_BUILT_IN = (
    "fs/overlayfs/overlay", "net/bridge/bridge", "net/bridge/br_netfilter", "drivers/net/veth",
    "net/ipv4/netfilter/ip_tables", "net/ipv4/netfilter/iptable_nat", "net/ipv4/netfilter/iptable_filter",
    "net/ipv6/netfilter/ip6_tables", "net/netfilter/nf_conntrack", "net/netfilter/nf_nat",
    "net/netfilter/xt_conntrack", "net/netfilter/xt_addrtype", "net/netfilter/xt_MASQUERADE",
    "net/netfilter/nf_conntrack_netlink", "fs/configfs/configfs", "drivers/block/loop",
)  # fmt: skip


def archive() -> list[Package]:
    """Return the packages of the distribution that stand in for its kernel and its build tools."""
    found = []
    for release, version in _VERSIONS.items():
        values = {"KERNEL": release, "VERSION": version}
        found.append(package_from(PACKAGES / "linux-image", values, _image_files(release)))
        found.append(package_from(PACKAGES / "linux-headers", values))
    latest = {"KERNEL": KERNEL, "VERSION": _VERSIONS[KERNEL]}
    names = ("linux-headers-generic", "dkms", "build-essential")
    return found + [package_from(PACKAGES / name, latest) for name in names]


def write_archive(folder: Path) -> None:
    """Write the archive as an apt repository of plain files."""
    write_flat(folder, archive(), "Lab")


def _image_files(release: str) -> dict[str, File]:
    modules = f"lib/modules/{release}"
    order, files = [], {}
    for name, (folder, needs, alias) in _MODULES.items():
        info = {"license": "GPL", "depends": needs, "intree": "Y", "name": name, "signer": "Lab kernel key",
                "vermagic": f"{release} SMP preempt mod_unload modversions"}  # fmt: skip
        info |= {"alias": alias} if alias else {}
        path = f"kernel/drivers/{folder}/{name}.ko"
        order.append(path)
        files[f"{modules}/{path}"] = File(module(info))
    lists = {
        "modules.order": order,
        "modules.builtin": [f"kernel/{path}.ko" for path in _BUILT_IN],
        "modules.builtin.modinfo": [],
    }
    for name, lines in lists.items():
        files[f"{modules}/{name}"] = File("".join(f"{line}\n" for line in lines).encode())
    config = ("CONFIG_MODULES=y", "CONFIG_RD_GZIP=y", "CONFIG_RD_ZSTD=y", "CONFIG_MODULE_SIG=y")
    files[f"boot/config-{release}"] = File("".join(f"{line}\n" for line in config).encode())
    files[f"boot/vmlinuz-{release}"] = File(b"A stand-in: nothing boots this file.\n")
    files[f"boot/System.map-{release}"] = File(
        b"ffffffffffffffff B The real System.map is in the debug package\n"
    )
    return files
