"""Makes a bundle: one file with all that set-up takes from registries, for a machine that reaches none."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from engine import (
    archive,
    bundle,
    docker_engine,
    lab_images,
    manifest,
    plugin_install,
    pulumi_cli,
    python_env,
    space,
)
from engine.errors import EngineError
from engine.go_build import BINARIES
from engine.manifest import Manifest
from engine.paths import Checkout
from engine.progress import Reporter

IMAGE_MODES = ("auto", "yes", "no")
# What a bundle never carries: the other side has them from its distribution.
NOT_CARRIED = "Python, make, Docker, openssh-client, openssl, and mmdebstrap for a lab without images"
PHOTOGRAPHS = "The dataset's photographs are not in .lab/photographs."
GIT_SECONDS = 30


def run(checkout: Checkout, reporter: Reporter, images: str) -> Path:
    """Write a bundle of this checkout's set-up to its root and return the file.

    `images`: auto carries those of the lab's images that are in the engine, yes wants all, no none.
    """
    cli = pulumi_cli.recorded(checkout)
    plugins = plugin_install.recorded(checkout)
    if cli is None or not plugins or not python_env.is_made(checkout):
        raise EngineError("This checkout is not set up, so there is nothing to bundle.", "Run make setup.")
    engine = docker_engine.recorded(checkout)
    chosen = _choose_images(engine.host if engine else "", reporter, images)
    size = sum(chosen.values())
    # Unpacked once aside, and once packed; compression is not counted on.
    amount = 2 * (space.WHEELS + space.CLI + size + (space.PLUGINS if plugins == "official" else 0))
    space.check([space.Need(checkout.engine, amount, "the bundle and its parts")])
    for left in checkout.engine.glob(".bundling-*"):  # of a run that was killed
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(dir=checkout.engine, prefix=".bundling-"))
    try:
        sources = _collect(checkout, reporter, folder, cli, plugins)
        if engine and chosen:
            reporter.say("images", f"saving {', '.join(chosen)}")
            sources[bundle.IMAGES] = _made(folder / bundle.IMAGES)
            lab_images.save(engine.host, chosen, sources[bundle.IMAGES])
        reporter.say("bundle", "digests")
        found = _manifest(checkout, cli, plugins, chosen, sources)
        return _write(checkout, reporter, found, sources, folder / "bundle.tar.gz")
    finally:
        shutil.rmtree(folder)


def _write(
    checkout: Checkout, reporter: Reporter, found: Manifest, sources: dict[str, Path], fresh: Path
) -> Path:
    def tick(text: str) -> None:
        reporter.say("bundle", text)

    tick(f"packing {len(sources)} files, {space.show(found.unpacked)}")
    archive.pack(found, sources, fresh, tick)
    tick("reading it back")
    archive.unpack(fresh, None, tick)
    digest = archive.entry(fresh)
    target = checkout.root / manifest.archive_name(found, manifest.project_version(checkout.root))
    os.replace(fresh, target)
    for line in summary(found, digest.size):
        tick(line)
    tick(f"SHA-256 {digest.sha256}")
    tick(f"{target}; on the other side: make setup BUNDLE={target.name}")
    return target


def summary(found: Manifest, packed: int) -> list[str]:
    """Return what a bundle holds, in lines for a person; `packed` is its file's size in bytes."""
    parts: dict[str, int] = {}
    for name, entry in found.files.items():
        room = name.split("/")[0]
        parts[room] = parts.get(room, 0) + entry.size
    held = ", ".join(f"{room} {space.show(size)}" for room, size in sorted(parts.items()))
    plugins = "official" if found.plugins == "official" else "our drop-ins, which lie in the checkout"
    lines = [
        f"holds {held}; packed {space.show(packed)}",
        f"fits {found.machine.platform}, {found.machine.python}, glibc {found.machine.glibc} or later; "
        f"Pulumi CLI {found.cli.version}; plugins: {plugins}",
    ]
    lines += [f"image {tag}, {space.show(size)} in an engine" for tag, size in sorted(found.images.items())]
    absent = sorted(set(lab_images.REPOSITORIES) - {tag.rpartition(":")[0] for tag in found.images})
    if absent:
        lines.append(f"not in it: {', '.join(absent)}; the other side's lab makes them from a package mirror")
    return [*lines, f"not in it, to be had from the other side's distribution: {NOT_CARRIED}"]


def _choose_images(host: str, reporter: Reporter, images: str) -> dict[str, int]:
    """Return tag → size in the engine of the images to carry."""
    if images == "no":
        return {}
    try:
        newest = lab_images.newest(lab_images.present(host)) if host else {}
    except OSError as error:
        raise EngineError(
            f"The Docker engine at {host} does not list its images: {error.strerror or error}.",
            "Run make setup, or leave them out: make bundle BUNDLE_IMAGES=no.",
        ) from None
    for repository, purpose in lab_images.REPOSITORIES.items():
        if repository not in newest:
            what = f"{repository} ({purpose}) is not in the engine"
            if images == "yes":
                raise EngineError(f"{what}.", "Run make lab first: it makes all images.")
            reporter.say("images", f"{what}, so not in the bundle; make lab makes it")
    return {image.tag: image.size for image in newest.values()}


def _collect(
    checkout: Checkout, reporter: Reporter, folder: Path, cli: pulumi_cli.Cli, plugins: str
) -> dict[str, Path]:
    """Return name in the bundle → file, for all but images."""
    sources = {f"bin/{name}": path for name, path in _binaries(cli).items()}
    wheels = folder / "wheels"
    wheels.mkdir()
    _wheels(checkout, reporter, wheels)
    sources |= {f"wheels/{path.name}": path for path in wheels.glob("*.whl")}
    if plugins == "official":
        for name, version in manifest.pinned(checkout).plugins.items():
            target = bundle.PLUGIN.format(name=name, version=version)
            with tarfile.open(_made(folder / target), "w:gz") as tar:
                for path in sorted(plugin_install.program(checkout, name, version).parent.iterdir()):
                    tar.add(path, arcname=path.name)
            sources[target] = folder / target
    photographs = sorted((checkout.lab / "photographs").glob("*"))
    if not photographs:
        raise EngineError(PHOTOGRAPHS, "Run make setup; it brings them.")
    return sources | {f"photographs/{path.name}": path for path in photographs}


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _binaries(cli: pulumi_cli.Cli) -> dict[str, Path]:
    """Return the three programs; an installed CLI may have its language host elsewhere."""
    host = Path(cli.host)
    found = dict(zip(BINARIES, (Path(cli.program), host, host.with_name(BINARIES[2])), strict=True))
    for path in found.values():
        if not path.is_file():
            raise EngineError(
                f"{path} is missing, and a bundle needs it.",
                "Run ENGINE_CLI=build make setup, then make bundle.",
            )
    return found


def _wheels(checkout: Checkout, reporter: Reporter, folder: Path) -> None:
    """Bring the wheels of all that is installed, in the very versions, and prove that they are enough."""
    pip = [str(checkout.python), "-m", "pip"]
    quiet = ["--disable-pip-version-check", "--no-input"]
    wanted = ["-r", str(checkout.root / python_env.REQUIREMENTS[-1])]
    listed = subprocess.run([*pip, "freeze"], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        raise EngineError(f"pip does not list what is installed: {listed.stderr.strip()}", "Run make setup.")
    constraints = folder.with_name("constraints.txt")
    constraints.write_text(listed.stdout)
    reporter.say("wheels", f"bringing {len(listed.stdout.splitlines())} packages")
    reporter.run(
        "wheels",
        [*pip, "wheel", *quiet, "--wheel-dir", str(folder), "-c", str(constraints), *wanted],
        checkout.logs / "bundle-wheels.log",
        hint="Check that pip reaches its package index (pip config list), then run the same command again.",
    )
    reporter.run(
        "wheels",
        [*pip, "install", *quiet, "--dry-run", "--ignore-installed", *python_env.offline(folder), *wanted],
        checkout.logs / "bundle-dry-run.log",
        hint="A bundle without these packages would be of no use; it was not written.",
    )


def _manifest(
    checkout: Checkout, cli: pulumi_cli.Cli, plugins: str, images: dict[str, int], sources: dict[str, Path]
) -> Manifest:
    here = manifest.machine()
    wheels = [Path(name).name for name in sources if name.startswith("wheels/")]
    return Manifest(
        commit=_commit(checkout),
        machine=manifest.Machine(here.platform, here.python, manifest.oldest_glibc(wheels)),
        pinned=manifest.pinned(checkout),
        cli=manifest.Cli(cli.version, cli.host_version, cli.detail),
        plugins=plugins,
        images=images,
        files={name: archive.entry(path) for name, path in sources.items()},
    )


def _commit(checkout: Checkout) -> str:
    """Return the commit that is checked out; empty for a copy without git."""
    git = shutil.which("git")
    if git is None:
        return ""
    asked = subprocess.run(
        [git, "-C", str(checkout.root), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        timeout=GIT_SECONDS,
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""
