"""The lab's images in a Docker engine: which are there, saved into a bundle, loaded from one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import docker_api
from engine.errors import EngineError

NODE = "rocestack/node"
# What the lab makes, and what each is for. Made by set-up: the first two; by the first `up`: the others.
REPOSITORIES = {
    NODE: "the nodes and the switch",
    "rocestack/node-base": "what the node image is built on",
    "rocestack/bullseye": "what the training image is built on",
    "rocestack/caffe2": "the training image",
}
# Content hashes, as the lab and the program write them; any other tag was given by a person.
_OURS = re.compile(r"[0-9a-f]{12}|[0-9a-f]{16}|latest")


@dataclass(frozen=True)
class Image:
    """An image: its name with tag, when it was made (s since 1970), its size in the engine (bytes)."""

    tag: str
    created: int
    size: int


def present(host: str) -> list[Image]:
    """Return the lab's images in the engine at a DOCKER_HOST; OSError when it does not answer."""
    return parse(docker_api.images(_socket(host), list(REPOSITORIES)))


def parse(listed: Iterable[Mapping[str, object]]) -> list[Image]:
    """Return the lab's images of an engine's list, those left out that a person named."""
    found = []
    for image in listed:
        tags = image.get("RepoTags")
        for tag in tags if isinstance(tags, list) else []:
            repository, _, version = str(tag).rpartition(":")
            if repository in REPOSITORIES and _OURS.fullmatch(version):
                found.append(Image(str(tag), int(str(image["Created"])), int(str(image["Size"]))))
    return found


def newest(images: Iterable[Image]) -> dict[str, Image]:
    """Return repository → its image that was made last."""
    chosen: dict[str, Image] = {}
    for image in sorted(images, key=lambda one: one.created):
        chosen[image.tag.rpartition(":")[0]] = image
    return chosen


def save(host: str, tags: Iterable[str], target: Path) -> None:
    """Write images into one file; layers that they share are in it once."""
    try:
        with target.open("wb") as sink:
            docker_api.save_images(_socket(host), sorted(tags), sink)
    except OSError as error:
        raise EngineError(
            f"The Docker engine at {host} does not give the lab's images away: {error.strerror or error}.",
            "Check that it answers (docker images), or leave them out: make bundle BUNDLE_IMAGES=no.",
        ) from None


def load(host: str, source: Path, tags: Iterable[str]) -> None:
    """Bring images into the engine; EngineError when one of `tags` is not there afterwards."""
    try:
        with source.open("rb") as stream:
            docker_api.load_images(_socket(host), stream, source.stat().st_size)
        there = {image.tag for image in present(host)}
    except OSError as error:
        raise EngineError(
            f"The Docker engine at {host} does not take the bundle's images: {error.strerror or error}.",
            "Check its log and its disk (docker info), then run the same command again.",
        ) from None
    lost = sorted(set(tags) - there)
    if lost:
        raise EngineError(f"The Docker engine at {host} loaded the bundle's images, but has no {lost[0]}.")


def _socket(host: str) -> str:
    return host.removeprefix("unix://")
