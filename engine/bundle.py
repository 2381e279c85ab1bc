"""Sets up from a bundle: checked whole and unpacked aside before anything of the checkout changes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import archive, lab_images, manifest, space, stamps
from engine.errors import EngineError
from engine.manifest import Manifest
from engine.paths import Checkout
from engine.progress import Reporter

IMAGES = "images/lab.tar"
PLUGIN = "plugins/resource-{name}-v{version}.tar.gz"


@dataclass(frozen=True)
class Bundle:
    """An unpacked bundle: its file, the folder that has its files for the length of one set-up, its list."""

    path: Path
    folder: Path
    manifest: Manifest

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    @property
    def origin(self) -> str:
        """Where its CLI came from, in words."""
        return f"from {self.path.name}, {self.manifest.cli.detail}"

    def plugin(self, name: str, version: str) -> Path:
        """Return the archive of an official plugin."""
        return self.folder / PLUGIN.format(name=name, version=version)


@contextmanager
def opened(
    checkout: Checkout, reporter: Reporter, path: Path | None, complete: Callable[[], bool]
) -> Iterator[Bundle | None]:
    """Check and unpack a bundle for the time of the block; None when there is nothing to take from one.

    A bundle that was taken before is not read again while its file is the same and `complete` says that all
    that set-up makes is in place. EngineError: it does not fit, or is not whole; nothing has changed then.
    """
    if path is None:
        yield None
        return
    if _taken(checkout, path) and complete():
        reporter.say("bundle", f"up to date: {path.name}")
        yield None
        return
    found = check(checkout, path)
    images = sum(found.images.values())
    space.check(
        [
            space.Need(checkout.engine, found.unpacked, "the unpacked bundle"),
            space.Need(checkout.root, space.PYTHON_PACKAGES + space.CLI + space.PLUGINS, "what it sets up"),
        ]
    )
    carried = f"{len(found.files)} files, {space.show(found.unpacked)}"
    reporter.say("bundle", f"checking {path.name}: {carried}" + (", with images" if images else ""))
    checkout.engine.mkdir(parents=True, exist_ok=True)
    for left in checkout.engine.glob(".bundle-*"):  # of a set-up that was killed
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(dir=checkout.engine, prefix=".bundle-"))
    try:
        archive.unpack(path, folder, lambda text: reporter.say("bundle", text))
        yield Bundle(path, folder, found)
    finally:
        shutil.rmtree(folder)
    stamps.write(_stamp(checkout), {"file": stamps.fingerprint([path]), "images": sorted(found.images)})


def check(checkout: Checkout, path: Path) -> Manifest:
    """Return a bundle's manifest; EngineError when it is none, or is for another machine or version."""
    found = archive.read_manifest(path)
    why, hint = manifest.misfit(found, manifest.machine(), manifest.pinned(checkout))
    if why:
        raise EngineError(f"{path} cannot be used here: {why}.", f"{hint} Nothing was changed.")
    kind = "the official plugins" if found.plugins == "official" else "no plugins: our drop-ins are used"
    for variable, allowed, brings in (
        ("ENGINE_CLI", "auto", "a CLI"),
        ("ENGINE_PLUGINS", found.plugins, kind),
    ):
        asked = os.environ.get(variable) or "auto"
        if asked not in ("auto", allowed):
            raise EngineError(
                f"{variable} is {asked!r}, but {path.name} brings {brings}.",
                f"Unset {variable}, or set up without the bundle. Nothing was changed.",
            )
    return found


def recorded_images(checkout: Checkout) -> list[str]:
    """Return the images that the last bundle brought."""
    images = stamps.read(_stamp(checkout)).get("images")
    return [str(tag) for tag in images] if isinstance(images, list) else []


def has_photographs(checkout: Checkout) -> bool:
    """Say whether there are photographs where the lab looks for them."""
    return any((checkout.lab / "photographs").glob("*"))


def bring_photographs(checkout: Checkout, reporter: Reporter, source: Bundle) -> None:
    """Put the dataset's photographs where the lab's set-up looks for them, each where it is missing."""
    target = checkout.lab / "photographs"
    carried = sorted((source.folder / "photographs").glob("*"))
    missing = [path for path in carried if not (target / path.name).exists()]
    if not missing:
        return
    checkout.lab.mkdir(mode=0o700, exist_ok=True)
    target.mkdir(exist_ok=True)
    for path in missing:
        fresh = target / f".{path.name}.new"
        shutil.copyfile(path, fresh)
        os.replace(fresh, target / path.name)
    reporter.say("photographs", f"{len(missing)} out of the bundle")


def bring_images(host: str, reporter: Reporter, source: Bundle) -> None:
    """Load the lab's images into the engine, unless they are there."""
    tags = set(source.manifest.images)
    if not tags:
        reporter.say("images", "none in the bundle: the lab makes its own, with a package mirror")
        return
    try:
        there = {image.tag for image in lab_images.present(host)}
    except OSError as error:
        raise EngineError(f"The Docker engine at {host} does not list its images: {error}.") from None
    if tags <= there:
        reporter.say("images", f"up to date: {', '.join(sorted(tags))}")
        return
    reporter.say("images", f"loading {', '.join(sorted(tags))} (half a minute)")
    lab_images.load(host, source.folder / IMAGES, tags)


def _stamp(checkout: Checkout) -> Path:
    return checkout.engine / "bundle.json"


def _taken(checkout: Checkout, path: Path) -> bool:
    now = stamps.fingerprint([path])
    return bool(now) and stamps.read(_stamp(checkout)).get("file") == now
