"""The training's data: where its archives are, what is made of them, and how it comes to every host."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.artifact import Md5, Source
from settings.section import Section, TcpPort


class Distribution(StrEnum):
    """How the data comes to every host.

    `copy` makes it on the head host, and the others copy it over the data network. `shared` makes it there
    too, in a `training.data_path` that is one file system for all hosts. `each` makes it on every host.
    """

    COPY = "copy"
    SHARED = "shared"
    EACH = "each"


class Encoding(StrEnum):
    """How a record holds its picture: `raw` is the guide's (192 KiB at 256 pixels), `jpeg` takes a tenth."""

    RAW = "raw"
    JPEG = "jpeg"


class Archive(Section):
    """One archive of a set of images; `source` is a URL or a path on the host that makes the data."""

    source: Source
    md5: Md5


class Dataset(Section):
    """Labelled images in ImageNet's layout, and the LMDBs that are made of them (guide: Appendix A).

    `train` holds one tarball a class, `val` the validation images, `lists` Caffe's `synsets.txt`,
    `train.txt` and `val.txt`. A lab brings its own archives. `resize` is the side of a stored image in
    pixels, `workers` how many classes are unpacked, and then pictures decoded, at once. On `port` the head
    host hands out the data where the others copy it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")] = "photographs"
    train: Archive | None = None
    val: Archive | None = None
    lists: Archive | None = None
    resize: Annotated[int, Field(ge=32, le=1024)] = 256
    encoding: Encoding = Encoding.RAW
    distribution: Distribution = Distribution.COPY
    port: TcpPort = 5556
    workers: Annotated[int, Field(ge=1, le=64)] = 4

    @property
    def identity(self) -> str:
        """The name of just this data: ``photographs-3b1f0c9d2a47``; other archives or sizes give another."""
        archives = {"train": self.train, "val": self.val, "lists": self.lists}
        made_of = {
            **{name: one.md5 if one is not None else "" for name, one in archives.items()},
            "resize": self.resize,
            "encoding": self.encoding.value,
        }
        text = json.dumps(made_of, sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
