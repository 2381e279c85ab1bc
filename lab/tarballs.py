"""Makes the lab's archives of labelled images: patches of real photographs, in ImageNet's layout.

One photograph is one class. Training patches come from its left half and validation patches from its right
half, so they share no pixel. Places, encoding and the archives' heads are fixed: the same photographs and the
same Pillow give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import PIL
from PIL import Image

from lab.errors import LabError
from lab.files import LabFiles, digest
from lab.photographs import PHOTOGRAPHS, ensure_photographs
from lab.progress import Reporter

PATCH_PIXELS = 192  # the narrowest half; the trainer's crops are a part of it
TRAIN_PATCHES, VAL_PATCHES = 120, 24  # of each photograph
_SEED = 1512
ARCHIVES = {
    "train": "photographs_img_train.tar",
    "val": "photographs_img_val.tar",
    "lists": "photographs_lists.tar.gz",
}


@dataclass(frozen=True)
class ImageClass:
    """One class: `synset` names it as WordNet's numbers name ImageNet's, `word` is for a person."""

    synset: str
    word: str
    train: tuple[bytes, ...]
    val: tuple[bytes, ...]


def ensure_tarballs(files: LabFiles, reporter: Reporter) -> bool:
    """Have the photographs and the archives in `.lab/dataset`; return whether these had to be made.

    Raises LabError for a photograph that cannot be had or used.
    """
    ensure_photographs(files, reporter)
    stamp = f"{digest([files.photographs, Path(__file__)])} Pillow {PIL.__version__}"
    kept = files.dataset / "stamp"
    if kept.is_file() and kept.read_text() == stamp:
        return False
    new = files.dataset.with_name("dataset.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    classes = [cut_class(number, files.photographs / name) for number, name in enumerate(sorted(PHOTOGRAPHS))]
    write_archives(classes, new)
    (new / "stamp").write_text(stamp)
    shutil.rmtree(files.dataset, ignore_errors=True)
    os.replace(new, files.dataset)
    images = sum(len(one.train) + len(one.val) for one in classes)
    reporter.say("dataset", f"{images} labelled images of {len(classes)} photographs, as class tarballs")
    return True


def cut_class(number: int, path: Path) -> ImageClass:
    """Return the class of one photograph, whose label is `number`. Raises LabError for an unusable one."""
    word = path.stem
    try:
        with Image.open(path) as photo:
            whole = photo.convert("RGB")
    except OSError as error:
        raise LabError(f"{path} is no photograph: {error}", "remove it, then run `make setup`.") from None
    middle = whole.width // 2

    def patches(half: str, left: int, right: int, count: int) -> tuple[bytes, ...]:
        places = cut(right - left, whole.height, count, f"{_SEED}/{word}/{half}")
        return tuple(_jpeg(whole.crop((left + x, y, left + x + side, y + side))) for x, y, side in places)

    try:
        return ImageClass(
            synset=f"n{number + 1:08d}",
            word=word,
            train=patches("left", 0, middle, TRAIN_PATCHES),
            val=patches("right", middle, whole.width, VAL_PATCHES),
        )
    except ValueError:
        raise LabError(f"A half of {path} is smaller than {PATCH_PIXELS} pixels.") from None


def cut(width: int, height: int, count: int, seed: str) -> Iterator[tuple[int, int, int]]:
    """Yield `count` fixed random squares of a picture: x, y and side in pixels.

    Raises ValueError for a picture that is too small.
    """
    place = random.Random(seed)  # noqa: S311  (places, not secrets)
    for _ in range(count):
        x = place.randint(0, width - PATCH_PIXELS)
        yield x, place.randint(0, height - PATCH_PIXELS), PATCH_PIXELS


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def write_archives(classes: Iterable[ImageClass], folder: Path) -> None:
    """Write the archives in ImageNet's layout: class tarballs in one, validation images, Caffe's lists."""
    outer: dict[str, bytes] = {}
    flat: dict[str, bytes] = {}
    synsets, words, train, val = "", "", "", ""
    for label, one in enumerate(classes):
        images = {f"{one.synset}_{number}.JPEG": image for number, image in enumerate(one.train)}
        outer[f"{one.synset}.tar"] = tar_of(images)
        synsets += f"{one.synset}\n"
        words += f"{one.synset} {one.word}\n"
        train += "".join(f"{one.synset}/{name} {label}\n" for name in images)
        for image in one.val:
            name = f"photographs_val_{len(flat) + 1:08d}.JPEG"
            flat[name] = image
            val += f"{name} {label}\n"
    lists = {"synsets.txt": synsets, "synset_words.txt": words, "train.txt": train, "val.txt": val}
    (folder / ARCHIVES["train"]).write_bytes(tar_of(outer))
    (folder / ARCHIVES["val"]).write_bytes(tar_of(flat))
    packed = tar_of({name: text.encode() for name, text in lists.items()})
    (folder / ARCHIVES["lists"]).write_bytes(gzip.compress(packed, mtime=0))


def tar_of(members: dict[str, bytes]) -> bytes:
    """Return a tarball of these files; the same files give the same bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))
    return file.getvalue()


def archives(files: LabFiles, site: str) -> dict[str, dict[str, str]]:
    """Return the archives as `settings.dataset` names them, their addresses below the URL `site`."""
    return {
        kind: {
            "source": f"{site}/{name}",
            "md5": hashlib.md5((files.dataset / name).read_bytes(), usedforsecurity=False).hexdigest(),
        }
        for kind, name in ARCHIVES.items()
    }
