"""Which releases of Ubuntu and Debian a vendor's software is made for.

A file that is made for one release says so in its name, as the vendors name them
(``…-ubuntu16.04-x86_64.iso``, ``nvidia-driver-local-repo-ubuntu1604-…``), and a repository in its URL. Where
neither does, the table below has what the vendor's release notes say. What neither tells is not refused:
then the software's own installer decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from settings.gpu import Gpu, GpuDriver
from settings.ofed import Ofed, OfedFlavour

ANY = "any"
# MLNX_OFED's version without its build: the releases in the vendor's list "General Support", on x86_64.
# Only lists that name a distribution completely are here; a later fix of a version adds point releases alone.
#   4.2: the deployment guide (an ISO for Ubuntu 16.04 alone is what it names)
#   4.9: docs.nvidia.com/networking/display/MLNXOFEDv494080/General+Support+in+MLNX_OFED (Debian)
#   5.3: docs.nvidia.com/networking/display/MLNXOFEDv531001/General+Support+in+MLNX_OFED (Debian)
OFED_RELEASES: Mapping[str, tuple[str, ...]] = {
    "4.2": ("ubuntu16.04",),
    "4.9": ("debian8", "debian9", "debian10"),
    "5.3": ("debian9", "debian10"),
}
_NAMED = re.compile(r"(?<![a-z])(ubuntu)(\d\d)\.?(\d\d)(?!\d)|(?<![a-z])(debian)(\d+)")


def named_release(text: str) -> str | None:
    """Return the release in a file's name or a repository's URL as ``ubuntu16.04`` or ``debian12``."""
    found = _NAMED.search(text)
    if found is None:
        return None
    ubuntu, year, month, debian, major = found.groups()
    return f"{ubuntu}{year}.{month}" if ubuntu else f"{debian}{major}"


def driver_releases(gpu: Gpu) -> str:
    """Return the releases that the stack's driver is made for, separated by blanks, or ``any``."""
    if gpu.driver is GpuDriver.LOCAL_REPO and gpu.package is not None:
        return named_release(gpu.package.source.rsplit("/", 1)[-1]) or ANY
    if gpu.driver is GpuDriver.REPO and gpu.repository is not None:
        return named_release(gpu.repository.url) or ANY
    return ANY


def ofed_releases(ofed: Ofed) -> str:
    """Return the releases that the stack's RDMA stack is made for, separated by blanks, or ``any``."""
    named = None
    if ofed.flavour is OfedFlavour.MLNX_OFED and ofed.iso is not None:
        named = named_release(ofed.iso.source.rsplit("/", 1)[-1])
    elif ofed.flavour is OfedFlavour.DOCA_OFED and ofed.repository is not None:
        named = named_release(ofed.repository.url)
    if named is not None or ofed.flavour is not OfedFlavour.MLNX_OFED:
        return named or ANY
    version = ".".join((ofed.version or "").split("-")[0].split(".")[:2])
    return " ".join(OFED_RELEASES.get(version, (ANY,)))
