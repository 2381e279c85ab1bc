"""Makes the vendors' artifacts: ``python3 -m lab.vendor.build OUT KEYS``, in a container of the node image.

It needs gpg and xorriso and no network. `OUT` becomes the root of http://vendor/, with a manifest; `KEYS`
keeps the signing keys from one build to the next, so that a change of contents changes no fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.vendor import deb
from lab.vendor.deb import File, Package, package_from
from lab.vendor.kernel import PACKAGES

SITE = "http://vendor"
ISO = Path(__file__).parent / "iso"
# The tools of the card that are plain programs, as the node image has them.
TOOLS = Path("/usr/lib/rocestack-lab/tools")
DRIVERS = ("390.12", "390.46")
MLNX_OFED = "4.2-1.2.0.0"
DOCA = "2.9.1-0.1.4"
TOOLKIT = "1.17.4"
NVIDIA_DOCKER = "2.0.3+docker18.03.0-1"
OFED_VALUES: Mapping[str, Mapping[str, str]] = {
    "mlnx_ofed": {
        "OFED_NAME": f"MLNX_OFED_LINUX-{MLNX_OFED}",
        "OFED_NUMBER": MLNX_OFED,
        "OFED_PACKAGE": "4.2-OFED.4.2.1.2.0.1.gf8de107",
        "OFED_MODULE": "4.2-1.2.0",
        "MFT_PACKAGE": "4.8.0-26",
    },
    "doca_ofed": {
        "OFED_NAME": "OFED-internal-24.10-1.1.4",
        "OFED_NUMBER": "24.10-1.1.4",
        "OFED_PACKAGE": "24.10.OFED.24.10.1.1.4.1",
        "OFED_MODULE": "24.10-1.1.4",
        "MFT_PACKAGE": "4.30.1-113",
    },
}
_OFED_PACKAGES = ("mlnx-ofed-kernel-dkms", "mlnx-ofed-kernel-utils", "ofed-scripts", "mft")
# What the distribution's engine is called by its own vendor, and which of its packages are in each.
_ENGINE = {"containerd.io": ("containerd", "runc"), "docker-ce": ("docker.io",), "docker-ce-cli": ()}
_CLIENT = ("usr/bin/docker", "usr/share/bash-completion/completions/docker")


def main(arguments: Sequence[str]) -> int:
    """Build everything into the first folder, with the keys in the second."""
    out, keys = map(Path, arguments)
    os.environ["SOURCE_DATE_EPOCH"] = str(deb.EPOCH)
    manifest = {
        "driver": _driver(out, keys),
        "mlnx_ofed": _mlnx_ofed(out),
        "doca_ofed": _doca_ofed(out, keys),
        "docker": _docker(out, keys),
        "runtime": _runtime(out, keys),
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return 0


def _driver(out: Path, keys: Path) -> dict[str, Any]:
    """The driver as a package with a repository in it, and as a repository of its own with two versions."""
    key = Key(keys, "nvidia", "NVIDIA stand-in (lab)")
    folder = out / "nvidia"
    folder.mkdir(parents=True)
    values = {"DRIVER": DRIVERS[0]}
    names = ("nvidia-390", "cuda-drivers")
    packages = {
        driver: [package_from(PACKAGES / name, {"DRIVER": driver}) for name in names] for driver in DRIVERS
    }
    with tempfile.TemporaryDirectory() as scratch:
        local = Path(scratch) / "repository"
        key.sign(deb.write_flat(local, packages[DRIVERS[0]], "NVIDIA"))
        files = {
            f"var/nvidia-driver-local-repo-{DRIVERS[0]}/{path.name}": File(path.read_bytes())
            for path in local.iterdir()
        }
    keyring = f"usr/share/keyrings/nvidia-driver-local-{DRIVERS[0]}-keyring.gpg"
    files[keyring] = File(key.public())
    package = package_from(PACKAGES / "nvidia-driver-local-repo", values, files)
    file = folder / f"nvidia-driver-local-repo-debian12-{DRIVERS[0]}_1.0-1_amd64.deb"
    file.write_bytes(deb.build(package))
    repository = folder / "debian12"
    key.sign(deb.write_flat(repository, [one for some in packages.values() for one in some], "NVIDIA"))
    return {
        "version": DRIVERS[0],
        "versions": list(DRIVERS),
        "package": _artifact(out, file),
        "package_version": f"{DRIVERS[0]}-1",
        "package_versions": [f"{driver}-1" for driver in DRIVERS],
        "repository": key.repository(out, repository, "./"),
    }


def _ofed(flavour: str) -> list[Package]:
    tools = {
        "usr/bin/mlnx_qos": File((TOOLS / "mlnx_qos.py").read_bytes(), 0o755),
        "usr/sbin/cma_roce_mode": File((TOOLS / "cma_roce").read_bytes(), 0o755),
        "usr/sbin/cma_roce_tos": File((TOOLS / "cma_roce").read_bytes(), 0o755),
    }
    return [
        package_from(
            PACKAGES / name, OFED_VALUES[flavour], tools if name == "mlnx-ofed-kernel-utils" else None
        )
        for name in _OFED_PACKAGES
    ]


def _mlnx_ofed(out: Path) -> dict[str, Any]:
    values = OFED_VALUES["mlnx_ofed"]
    file = out / "mlnx_ofed" / f"{values['OFED_NAME']}-debian12-x86_64.iso"
    file.parent.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        (tree / "DEBS").mkdir(parents=True)
        for package in _ofed("mlnx_ofed"):
            (tree / "DEBS" / package.file_name).write_bytes(deb.build(package))
        for path in ISO.iterdir():
            text = path.read_text()
            for name, value in values.items():
                text = text.replace(f"@{name}@", value)
            (tree / path.name).write_text(text)
            (tree / path.name).chmod(0o755)
        (tree / "distro").write_text("debian12\n")
        (tree / ".mlnx").write_text(f"{values['OFED_NAME']} (OFED-{values['OFED_MODULE']})\n")
        _iso(tree, file, "MLNX_OFED_LINUX")
    return {"version": MLNX_OFED, "iso": _artifact(out, file)}


def _iso(tree: Path, file: Path, label: str) -> None:
    for path in (tree, *tree.rglob("*")):
        os.utime(path, (deb.EPOCH, deb.EPOCH))
    options = ["-as", "mkisofs", "-quiet", "-R", "-J", "-V", label, "-o", str(file)]
    subprocess.run(["xorriso", *options, str(tree)], check=True)


def _doca_ofed(out: Path, keys: Path) -> dict[str, Any]:
    key = Key(keys, "doca", "Mellanox stand-in (lab)")
    meta = package_from(PACKAGES / "doca-ofed", {"DOCA": DOCA})
    repository = out / "doca" / "debian12" / "x86_64"
    key.sign(deb.write_flat(repository, [meta, *_ofed("doca_ofed")], "Mellanox"))
    return {
        "version": OFED_VALUES["doca_ofed"]["OFED_NUMBER"],
        "package_version": DOCA,
        "repository": key.repository(out, repository, "./", key_file=out / "doca" / "GPG-KEY-Mellanox.pub"),
    }


def _docker(out: Path, keys: Path) -> dict[str, Any]:
    """The distribution's engine, as it is installed here, under the names of docker-ce's packages."""
    key = Key(keys, "docker", "Docker stand-in (lab)")
    version = _said("dpkg-query", "-W", "-f", "${Version}", "docker.io").split("+", 1)[0].split(":")[-1]
    # As docker-ce counts: an epoch, then the build for this release of the distribution.
    versions = {
        "docker-ce": f"5:{version}~3-0~debian-bookworm",
        "docker-ce-cli": f"5:{version}~3-0~debian-bookworm",
        "containerd.io": _said("dpkg-query", "-W", "-f", "${Version}", "containerd").split("~", 1)[0] + "-1",
    }
    contents = {name: _installed_files(parts) for name, parts in _ENGINE.items()}
    for path in _CLIENT:
        if path in contents["docker-ce"]:
            contents["docker-ce-cli"][path] = contents["docker-ce"].pop(path)
    architecture = _said("dpkg", "--print-architecture")
    built = []
    for name, files in contents.items():
        values = {"VERSION": versions[name], "ARCHITECTURE": architecture}
        package = package_from(PACKAGES / name, values, files)
        built.append((package, deb.build(package)))
    folder = out / "linux" / "debian"
    key.sign(deb.write_suite(folder, built, "Docker", "bookworm", "stable"))
    return {
        "version": versions["docker-ce"],
        "versions": versions,
        "repository": key.repository(out, folder, "bookworm", ["stable"], key_file=folder / "gpg"),
    }


def _installed_files(packages: Sequence[str]) -> dict[str, File]:
    """Return the programs, units and settings of installed packages, by their path."""
    found = {}
    for package in packages:
        for line in _said("dpkg", "-L", package).splitlines():
            path = Path(line)
            if not re.match(r"/(usr/s?bin|usr/lib|lib|etc|usr/libexec)/", line) or path.is_dir():
                continue
            # The distribution's own start script would be a second service of that name.
            if line.startswith(("/etc/init.d/", "/usr/lib/python")):
                continue
            name = line.lstrip("/")
            if path.is_symlink():
                found[name] = File(link=str(path.readlink()))
            elif path.is_file():
                found[name] = File(path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    for name, one in found.items():
        target = Path("/", name).parent / one.link
        if one.link and str(target.resolve()).lstrip("/") not in found:
            # It leads into another package, which need not be there.
            found[name] = File(target.read_bytes(), stat.S_IMODE(target.stat().st_mode))
    return found


def _runtime(out: Path, keys: Path) -> dict[str, Any]:
    key = Key(keys, "nvidia-container", "NVIDIA container stand-in (lab)")
    values = {"TOOLKIT": TOOLKIT, "NVIDIA_DOCKER": NVIDIA_DOCKER, "NVIDIA_RUNTIME": "2.0.0+docker18.03.0-1"}
    names = ("nvidia-container-toolkit", "nvidia-container-runtime", "nvidia-docker2")
    folder = out / "libnvidia-container" / "stable" / "deb" / "amd64"
    key.sign(deb.write_flat(folder, [package_from(PACKAGES / name, values) for name in names], "NVIDIA"))
    return {
        "container-toolkit": f"{TOOLKIT}-1",
        "nvidia-docker": NVIDIA_DOCKER,
        "repository": key.repository(out, folder, "./", key_file=out / "libnvidia-container" / "gpgkey"),
    }


class Key:
    """A vendor's signing key, made at the first build and kept in `keys`."""

    def __init__(self, keys: Path, name: str, person: str) -> None:
        self._home = keys / name
        self._person = person
        if not self._home.exists():
            # A half-made key is no key: it gets its name when it is whole.
            making = keys / f"{name}.new"
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True, mode=0o700)
            self._gpg("--quick-generate-key", person, "rsa3072", "sign", "never", home=making)
            # Its agent knows the folder by its old name.
            subprocess.run(["gpgconf", "--homedir", str(making), "--kill", "gpg-agent"], check=True)
            making.rename(self._home)
        listed = self._gpg("--list-keys", "--with-colons").decode()
        found = re.search(r"^pub:(?:[^:]*:){4}(\d+):.*\nfpr:+([0-9A-F]{40}):", listed, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"{self._home} holds no key; remove it and build again")
        self._made, self.fingerprint = int(found[1]), found[2]

    def _gpg(self, *arguments: str, home: Path | None = None) -> bytes:
        command = ["gpg", "--homedir", str(home or self._home), "--batch", "--quiet", "--no-tty"]
        command += ["--pinentry-mode", "loopback", "--passphrase", ""]
        done = subprocess.run([*command, *arguments], capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"gpg {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def public(self, *, armored: bool = False) -> bytes:
        """Return the public key, as apt's keyrings hold it or as vendors publish it."""
        return self._gpg("--export", *(["--armor"] if armored else []))

    def sign(self, release: Path) -> None:
        """Write a Release file's signatures, dated as the key: the same files give the same bytes."""
        when = ("--faked-system-time", f"{self._made + 1}!")
        for name, mode in (("InRelease", "--clearsign"), ("Release.gpg", "--detach-sign")):
            target = release.with_name(name)
            self._gpg(
                *when,
                "--yes",
                "--digest-algo",
                "SHA512",
                "--armor",
                "--output",
                str(target),
                mode,
                str(release),
            )

    def repository(
        self,
        out: Path,
        folder: Path,
        suite: str,
        components: Sequence[str] = (),
        key_file: Path | None = None,
    ) -> dict[str, Any]:
        """Publish the key and return the repository as settings.artifact.AptRepository names its parts."""
        key_file = key_file or folder / "key.asc"
        key_file.write_bytes(self.public(armored=True))
        return {
            "url": f"{SITE}/{folder.relative_to(out)}",
            "suite": suite,
            "components": list(components),
            "key_url": f"{SITE}/{key_file.relative_to(out)}",
            "key_fingerprint": self.fingerprint,
        }


def _artifact(out: Path, file: Path) -> dict[str, str]:
    content = file.read_bytes()
    return {
        "source": f"{SITE}/{file.relative_to(out)}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
