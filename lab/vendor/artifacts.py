"""Has the vendors' artifacts under `.lab/vendor`, made anew only when what they are made from has changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ContainerError

from lab.errors import LabError
from lab.files import LAB, LabFiles, digest
from lab.progress import Reporter

_SOURCES = (LAB / "vendor", LAB / "hardware", LAB / "standins")
# Inside the container that builds.
_CODE, _OUT, _KEYS = "/src/lab", "/out", "/keys"


def ensure(client: docker.DockerClient, image: str, files: LabFiles, reporter: Reporter) -> Mapping[str, Any]:
    """Have all artifacts and return their manifest; `image` is the node image, whose tools make them.

    Raises LabError with the end of what the tools said.
    """
    from lab.tarballs import ensure_tarballs  # noqa: PLC0415  (a preview cuts no pictures)

    ensure_tarballs(files, reporter)
    stamp = f"{digest((*_SOURCES, files.dataset))} {image}"
    kept = files.vendor.parent / "stamp"
    if kept.exists() and kept.read_text() == stamp and files.vendor_manifest.exists():
        return manifest(files)
    new = files.vendor.with_name("site.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    files.vendor_keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    with reporter.long("vendors", "packages, repositories and images with stand-in contents"):
        _build(client, image, files, str(new))
    _publish(files, new)
    old = files.vendor.with_name("site.old")
    shutil.rmtree(old, ignore_errors=True)
    if files.vendor.exists():
        files.vendor.rename(old)
    new.rename(files.vendor)
    shutil.rmtree(old, ignore_errors=True)
    kept.write_text(stamp)
    return manifest(files)


def _publish(files: LabFiles, site: Path) -> None:
    """Add the archives of labelled images: their publisher is one more vendor."""
    from lab.tarballs import ARCHIVES, archives  # noqa: PLC0415
    from lab.vendor.build import SITE  # noqa: PLC0415

    folder = site / "dataset"
    folder.mkdir()
    for name in ARCHIVES.values():
        shutil.copyfile(files.dataset / name, folder / name)
    listing = site / files.vendor_manifest.name
    found = json.loads(listing.read_text())
    found["dataset"] = archives(files, f"{SITE}/{folder.name}")
    listing.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def manifest(files: LabFiles) -> Mapping[str, Any]:
    """Return what the artifacts are: URLs, sums, versions and fingerprints; LabError before set-up."""
    try:
        found: Mapping[str, Any] = json.loads(files.vendor_manifest.read_text())
    except (OSError, ValueError) as error:
        raise LabError(
            f"The lab's vendor artifacts are missing: {error}", "run `make setup`; it makes what is missing."
        ) from None
    return found


def _build(client: docker.DockerClient, image: str, files: LabFiles, out: str) -> None:
    binds = {
        str(LAB): {"bind": _CODE, "mode": "ro"},
        out: {"bind": _OUT, "mode": "rw"},
        str(files.vendor_keys): {"bind": _KEYS, "mode": "rw"},
    }
    try:
        client.containers.run(
            image,
            ["python3", "-m", "lab.vendor.build", _OUT, _KEYS],
            environment={"PYTHONPATH": "/src", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"},  # noqa: S108
            network_mode="none",
            remove=True,
            stderr=True,
            # What it makes is the operator's, as everything else in .lab.
            user=f"{os.getuid()}:{os.getgid()}",
            volumes=binds,
        )
    except ContainerError as error:
        said = error.stderr.decode(errors="replace") if isinstance(error.stderr, bytes) else str(error.stderr)
        end = "".join(f"\n    {line}" for line in said.splitlines()[-15:])
        raise LabError(f"The vendors' artifacts cannot be made:{end}") from None
    except APIError as error:
        raise LabError(f"The vendors' artifacts cannot be made: {error.explanation}") from None
