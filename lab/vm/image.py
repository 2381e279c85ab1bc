"""What guests start from, each made once and kept by its content: image, boot disc, the data's archives."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from lab.aptlines import configured_lines
from lab.errors import LabError
from lab.files import digest
from lab.image import packages
from lab.progress import Reporter
from lab.tarballs import ARCHIVES, ensure_tarballs
from lab.vm.files import SOURCES, VmFiles
from lab.vm.plan import Media

# A file of this length with holes: what nobody wrote takes no place.
DISK = "16G"
# Where a guest finds the archives of labelled images (lab/vm/guest/rootfs/etc/fstab).
DATA_FOLDER = "/srv/rocestack-data"
_DEADLINE_S = 1800
_LOADER = ("grub.cfg", "loader.sh")


def media(files: VmFiles) -> Media:
    """Return the names of the files that the present sources make."""
    image = [path for path in sorted(SOURCES.iterdir()) if path.name not in _LOADER]
    return Media(
        image=f"guest-{digest(image)}.img",
        loader=f"loader-{digest([SOURCES / name for name in _LOADER])}.iso",
        data=f"data-{digest([files.lab.dataset])}.img",
    )


def ensure_media(files: VmFiles, reporter: Reporter) -> Media:
    """Have all three, make what is missing, remove those of older sources. Raises LabError."""
    ensure_tarballs(files.lab, reporter)
    files.images.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = media(files)
    makers = ((wanted.loader, _make_loader), (wanted.data, _make_data), (wanted.image, _make_image))
    for name, make in makers:
        if not (files.images / name).exists():
            make(files, files.images / name, reporter)
    return wanted


def sweep(files: VmFiles, keep: set[str]) -> list[str]:
    """Remove what is no part of `keep`; return the names. A running guest keeps what it has open."""
    removed = []
    for path in sorted(files.images.iterdir()) if files.images.is_dir() else []:
        if path.name not in keep:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            removed.append(path.name)
    return removed


def _make_loader(files: VmFiles, disc: Path, reporter: Reporter) -> None:
    argv = [str(SOURCES / "loader.sh"), str(SOURCES / "grub.cfg"), str(disc)]
    reporter.run("boot disc", disc.name, argv, files.log / "vm-loader.log", _DEADLINE_S)


def _make_data(files: VmFiles, disk: Path, reporter: Reporter) -> None:
    with tempfile.TemporaryDirectory(dir=files.images) as scratch:
        folder, new = Path(scratch) / "data", Path(scratch) / "disk"
        folder.mkdir()
        for name in ARCHIVES.values():
            shutil.copyfile(files.lab.dataset / name, folder / name)
        size = sum(path.stat().st_size for path in folder.iterdir())
        options = ["-q", "-F", "-L", "rocestack-data", "-O", "^has_journal", "-d", str(folder)]
        argv = ["mkfs.ext4", *options, str(new), f"{(size >> 20) * 5 // 4 + 8}M"]
        reporter.run("data disk", f"{disk.name}: the archives", argv, files.log / "vm-data.log", _DEADLINE_S)
        new.replace(disk)


def _make_image(files: VmFiles, disk: Path, reporter: Reporter) -> None:
    wanted = packages((SOURCES / "packages.txt").read_text())
    with tempfile.TemporaryDirectory(dir=files.images) as scratch:
        archive, rootfs = Path(scratch) / "guest.tar", Path(scratch) / "rootfs.tar"
        _pack(SOURCES / "rootfs", rootfs)
        reporter.run(
            "guest image",
            f"{disk.name}: Debian 12 with {len(wanted)} packages and its kernel, by mmdebstrap",
            _mmdebstrap(wanted, rootfs, archive, configured_lines()),
            files.log / "vm-mmdebstrap.log",
            _DEADLINE_S,
        )
        reporter.run(
            "guest image",
            f"{disk.name}: file system of {archive.stat().st_size >> 20} MB",
            [*_as_root(), str(SOURCES / "assemble.sh"), str(archive), str(disk), DISK],
            files.log / "vm-assemble.log",
            _DEADLINE_S,
        )


def _mmdebstrap(wanted: list[str], rootfs: Path, archive: Path, mirrors: list[str]) -> list[str]:
    """Return the command that makes the root file system; without `mirrors` it takes its own default ones."""
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    # Our files come before the packages: the kernel's makes an initramfs by them.
    hooks = [
        f"--essential-hook=tar-in {rootfs} /",
        f"--customize-hook=upload {SOURCES / 'finish.sh'} /finish.sh",
        '--customize-hook=chroot "$1" /bin/bash /finish.sh',
        '--customize-hook=rm "$1/finish.sh"',
    ]
    options = ["--variant=minbase", f"--include={','.join(wanted)}", *excluded, *hooks]
    return ["mmdebstrap", *options, "bookworm", str(archive), *mirrors]


def _as_root() -> list[str]:
    """Return what to put before a program that sets files' owners: nothing for root."""
    return [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto"]


def _pack(folder: Path, archive: Path) -> None:
    """Pack our files as root's, whoever has the checkout and whatever its umask is."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    try:
        with tarfile.open(archive, "w") as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name, filter=plain)
    except OSError as error:
        raise LabError(f"{archive} cannot be written: {error.strerror}") from None
