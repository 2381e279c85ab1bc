"""Debian packages and apt repositories, made reproducibly from folders of files."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# All times in what is made: the year of the guide, so that the same files give the same bytes.
EPOCH = 1525132800
_DATE = "Tue, 01 May 2018 00:00:00 UTC"
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


@dataclass(frozen=True)
class File:
    """One file of a package; with `link` it is a symbolic link and has no content."""

    content: bytes = b""
    mode: int = 0o644
    link: str = ""


@dataclass(frozen=True)
class Package:
    """A package: `control` is its control file, `files` are named by their path on the host, without `/`."""

    control: str
    scripts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, str]:
        """The control file's fields; lines that go on belong to the field before."""
        found: dict[str, str] = {}
        last = ""
        for line in self.control.splitlines():
            if line.startswith(" "):
                found[last] += f"\n{line}"
            elif line:
                last, _, value = line.partition(":")
                found[last] = value.strip()
        return found

    @property
    def file_name(self) -> str:
        """The usual name of the package's file; an epoch is no part of it."""
        fields = self.fields
        version = fields["Version"].split(":", 1)[-1]
        return f"{fields['Package']}_{version}_{fields['Architecture']}.deb"


def package_from(folder: Path, values: Mapping[str, str], files: Mapping[str, File] | None = None) -> Package:
    """Return the package in a folder: `control`, maintainer scripts, and `root/` with its files.

    Each `@NAME@` in any of them, file names included, becomes the value of that name.
    """
    scripts = {
        name: _filled((folder / name).read_text(), values) for name in _SCRIPTS if (folder / name).exists()
    }
    found: dict[str, File] = {}
    root = folder / "root"
    for path in sorted(root.rglob("*")):
        name = _filled(path.relative_to(root).as_posix(), values)
        if path.is_symlink():
            found[name] = File(link=_filled(str(path.readlink()), values))
        elif path.is_file():
            executable = path.stat().st_mode & stat.S_IXUSR
            text = _filled(path.read_text(), values)
            found[name] = File(text.encode(), 0o755 if executable else 0o644)
    return Package(_filled((folder / "control").read_text(), values), scripts, {**found, **(files or {})})


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _control(package: Package) -> str:
    """Return the control file; apt takes an index without the size for another build of the same version."""
    size = sum(len(one.content) for one in package.files.values())
    return package.control.rstrip("\n") + f"\nInstalled-Size: {max(1, size // 1024)}\n"


def build(package: Package) -> bytes:
    """Return the package's .deb file."""
    sums = "".join(
        f"{hashlib.md5(one.content, usedforsecurity=False).hexdigest()}  {name}\n"
        for name, one in sorted(package.files.items())
        if not one.link
    )
    members = {"control": File(_control(package).encode()), "md5sums": File(sums.encode())}
    members |= {name: File(text.encode(), 0o755) for name, text in package.scripts.items()}
    # What lies in /etc is a person's to change.
    conffiles = [
        f"/{name}\n"
        for name, one in sorted(package.files.items())
        if name.startswith("etc/") and not one.link
    ]
    if conffiles:
        members["conffiles"] = File("".join(conffiles).encode())
    return archive(
        {
            "debian-binary": b"2.0\n",
            "control.tar.gz": _tar(members),
            "data.tar.gz": _tar(package.files),
        }
    )


def archive(members: Mapping[str, bytes]) -> bytes:
    """Return an ar archive."""
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        parts.append(f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def _tar(files: Mapping[str, File]) -> bytes:
    raw = io.BytesIO()
    made: set[str] = set()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, one in sorted(files.items()):
            folders = name.split("/")[:-1]
            for depth in range(len(folders) + 1):
                folder = "/".join([".", *folders[:depth]]) + "/"
                if folder not in made:
                    made.add(folder)
                    tar.addfile(_entry(folder.rstrip("/") or ".", 0o755, tarfile.DIRTYPE))
            if one.link:
                entry = _entry(f"./{name}", 0o777, tarfile.SYMTYPE)
                entry.linkname = one.link
                tar.addfile(entry)
            else:
                entry = _entry(f"./{name}", one.mode, tarfile.REGTYPE)
                entry.size = len(one.content)
                tar.addfile(entry, io.BytesIO(one.content))
    return gzip.compress(raw.getvalue(), compresslevel=1, mtime=0)


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.mtime = mode, kind, EPOCH
    entry.uname = entry.gname = "root"
    return entry


def packages_index(packages: Sequence[tuple[Package, bytes]], folder: str = ".") -> str:
    """Return apt's index of packages that lie in `folder`, relative to the repository's root."""
    stanzas = []
    for package, content in packages:
        lines = [
            _control(package).rstrip("\n"),
            f"Filename: {folder}/{package.file_name}",
            f"Size: {len(content)}",
        ]
        lines.append(f"MD5sum: {hashlib.md5(content, usedforsecurity=False).hexdigest()}")
        lines.append(f"SHA256: {hashlib.sha256(content).hexdigest()}")
        stanzas.append("\n".join(lines) + "\n")
    return "\n".join(stanzas)


def release(
    index_files: Mapping[str, bytes], origin: str, suite: str = "", components: Sequence[str] = ()
) -> str:
    """Return a repository's Release file over its index files (path relative to it, and content)."""
    lines = [f"Origin: {origin}", f"Label: {origin}"]
    if suite:
        lines += [f"Suite: {suite}", f"Codename: {suite}", f"Components: {' '.join(components)}"]
    lines += ["Architectures: all amd64 arm64", f"Date: {_DATE}"]
    for title, algorithm in (("MD5Sum", "md5"), ("SHA256", "sha256")):
        lines.append(f"{title}:")
        for name, content in sorted(index_files.items()):
            total = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
            lines.append(f" {total} {len(content):>16} {name}")
    return "\n".join(lines) + "\n"


def write_flat(folder: Path, packages: Sequence[Package], origin: str) -> Path:
    """Write a flat repository without signatures into `folder` and return its Release file."""
    folder.mkdir(parents=True, exist_ok=True)
    built = [(package, build(package)) for package in packages]
    for package, content in built:
        (folder / package.file_name).write_bytes(content)
    index = packages_index(built).encode()
    files = {"Packages": index, "Packages.gz": gzip.compress(index, mtime=0)}
    return _write_release(folder, files, release(files, origin))


def write_suite(
    folder: Path, packages: Sequence[tuple[Package, bytes]], origin: str, suite: str, component: str
) -> Path:
    """Write a repository of one suite and one component without signatures; return its Release file."""
    pool = folder / "pool" / component
    pool.mkdir(parents=True)
    for package, content in packages:
        (pool / package.file_name).write_bytes(content)
    index = packages_index(packages, f"pool/{component}").encode()
    files = {}
    for architecture in ("all", "amd64", "arm64"):
        place = f"{component}/binary-{architecture}/Packages"
        files[place] = index
        files[f"{place}.gz"] = gzip.compress(index, mtime=0)
    return _write_release(folder / "dists" / suite, files, release(files, origin, suite, [component]))


def _write_release(folder: Path, files: Mapping[str, bytes], text: str) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    path = folder / "Release"
    path.write_text(text)
    return path
