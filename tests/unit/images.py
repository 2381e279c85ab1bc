"""A small set of labelled images in ImageNet's layout."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

SYNSETS = ("n00000001", "n00000002", "n00000003")
TRAIN_EACH, VAL_EACH, SIDE = 4, 2, 16


def picture(colour: int) -> bytes:
    """Return a small JPEG of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (24, 20), (colour, 40, 200)).save(file, "JPEG")
    return file.getvalue()


def tarball(members: Mapping[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))
    return file.getvalue()


def train_images(synset: str) -> dict[str, bytes]:
    return {f"{synset}_{number}.JPEG": picture(60 * number) for number in range(TRAIN_EACH)}


def val_images() -> dict[str, bytes]:
    return {
        f"val_{number:08d}.JPEG": picture(30 * number) for number in range(1, VAL_EACH * len(SYNSETS) + 1)
    }


def lists() -> dict[str, bytes]:
    train = "".join(
        f"{synset}/{name} {label}\n" for label, synset in enumerate(SYNSETS) for name in train_images(synset)
    )
    val = "".join(f"{name} {number % len(SYNSETS)}\n" for number, name in enumerate(val_images()))
    synsets = "".join(f"{synset}\n" for synset in SYNSETS)
    return {"synsets.txt": synsets.encode(), "train.txt": train.encode(), "val.txt": val.encode()}


def write(folder: Path, kind: str, content: bytes) -> None:
    """Write one archive (train, val or lists)."""
    (folder / f"{kind}.tar").write_bytes(content)


def write_all(folder: Path) -> None:
    folder.mkdir()
    write(folder, "train", tarball({f"{one}.tar": tarball(train_images(one)) for one in SYNSETS}))
    write(folder, "val", tarball(val_images()))
    write(folder, "lists", tarball(lists(), "w:gz"))


def arguments(folder: Path, target: Path, **changed: str) -> list[str]:
    """Return the tool's words for the archives as they are now; `changed` by option, with _ for -."""
    options = {
        "name": "small-1",
        "labels": str(len(SYNSETS)),
        "resize": str(SIDE),
        "encoding": "jpeg",
    }
    for kind in ("train", "val", "lists"):
        path = folder / f"{kind}.tar"
        options[kind] = str(path)
        content = path.read_bytes() if path.exists() else b""
        options[f"{kind}_md5"] = hashlib.md5(content).hexdigest()
    words = ["make", str(target)]
    for name, value in {**options, **changed}.items():
        words += [f"--{name.replace('_', '-')}", value]
    return words
