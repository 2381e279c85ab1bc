"""Has the image of all lab machines in the operator's engine: a pulled or bootstrapped base, our files."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from lab.aptlines import configured_lines
from lab.errors import LabError
from lab.files import LAB, LabFiles, digest
from lab.progress import Reporter
from lab.vendor.kernel import write_archive

NODE = LAB / "node"
STANDINS = LAB / "standins"
HARDWARE = LAB / "hardware"
VENDOR = LAB / "vendor"
UPSTREAM = ("debian", "bookworm")
REPOSITORY = "rocestack/node"
BASE_REPOSITORY = "rocestack/node-base"
# What a pull of the upstream image may take: it is only tried, and a machine without a way out must go on.
_PULL_SILENCE_S = 20
_BUILD_DEADLINE_S = 1800


def base_tag() -> str:
    """Return the name of the base image that the present package list makes."""
    return f"{BASE_REPOSITORY}:{digest([NODE / 'packages.txt', NODE / 'Dockerfile.base'])}"


def node_tag() -> str:
    """Return the name of the image that the present files make; nodes, switch and vendors all run it."""
    archive = [VENDOR / "deb.py", VENDOR / "kernel.py", VENDOR / "packages"]
    inputs = [NODE / "Dockerfile", NODE / "finish.sh", NODE / "rootfs", STANDINS, HARDWARE, *archive]
    return f"{REPOSITORY}:{digest([NODE / 'packages.txt', NODE / 'Dockerfile.base', *inputs])}"


def packages(text: str) -> list[str]:
    """Return the packages in a list with `#` comments."""
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def connect(host: str | None = None, timeout_s: int = 60) -> docker.DockerClient:
    """Return a client of the operator's engine; LabError with what to do when none answers."""
    host = host or os.environ.get("DOCKER_HOST")
    try:
        client = docker.DockerClient(base_url=host, version="auto", timeout=timeout_s)
        client.ping()
    except (DockerException, RequestException) as error:
        where = host or "the default socket"
        raise LabError(
            f"No Docker engine answers at {where}: {error}",
            "run `make setup`, which finds or starts one, and `. ./activate` in your shell.",
        ) from None
    return client


def ensure_image(
    client: docker.DockerClient, files: LabFiles, reporter: Reporter, *, sweep: bool = True
) -> str:
    """Have the present image in the engine and return its name; `sweep` removes those of older files."""
    tag = node_tag()
    if _has(client, tag):
        return tag
    base = base_tag()
    if not _has(client, base):
        _make_base(client, base, files, reporter)
    with (
        reporter.long("node image", f"{tag} from {base}"),
        tempfile.TemporaryDirectory(dir=files.folder) as scratch,
    ):
        archive = Path(scratch) / "archive"
        write_archive(archive)
        sources = [NODE / "Dockerfile", NODE / "finish.sh", NODE / "rootfs", STANDINS, HARDWARE, archive]
        _build(client, _context(sources), "Dockerfile", tag, {"BASE": base})
    if sweep:
        remove_images(client, keep={tag, base})
    return tag


def remove_images(client: docker.DockerClient, keep: set[str]) -> list[str]:
    """Remove the lab's images but those in `keep` or in use; return the names of those removed."""
    removed = []
    for repository in (REPOSITORY, BASE_REPOSITORY):
        for image in client.images.list(name=repository):
            for tag in image.tags:
                # A tag that is no content hash was given by a person.
                if tag in keep or not _is_hash(tag.rsplit(":", 1)[1]):
                    continue
                try:
                    client.images.remove(tag)
                    removed.append(tag)
                except APIError as error:
                    if error.status_code != 409:
                        raise LabError(f"Image {tag} cannot be removed: {error.explanation}") from None
    return removed


def _is_hash(text: str) -> bool:
    return len(text) == 12 and all(character in "0123456789abcdef" for character in text)


def _has(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _make_base(client: docker.DockerClient, tag: str, files: LabFiles, reporter: Reporter) -> None:
    wanted = packages((NODE / "packages.txt").read_text())
    if _pull_upstream(client, reporter):
        with reporter.long("base image", f"{tag}: {len(wanted)} packages on {':'.join(UPSTREAM)}"):
            _build(
                client,
                _context([NODE / "Dockerfile.base"]),
                "Dockerfile.base",
                tag,
                {"PACKAGES": " ".join(wanted)},
            )
        return
    _install_mmdebstrap(files, reporter)
    with tempfile.TemporaryDirectory(dir=files.folder) as scratch:
        archive = Path(scratch) / "base.tar"
        reporter.run(
            "base image",
            f"{tag}: Debian 12 with {len(wanted)} packages by mmdebstrap",
            _mmdebstrap(wanted, archive, configured_lines()),
            files.folder / "log" / "mmdebstrap.log",
            _BUILD_DEADLINE_S,
        )
        repository, version = tag.split(":")
        with reporter.long("base image", f"import of {archive.stat().st_size >> 20} MB"):
            answer = client.api.import_image_from_file(str(archive), repository=repository, tag=version)
    if not _has(client, tag):
        raise LabError(f"The engine did not import the base image: {answer}")


def _mmdebstrap(wanted: list[str], archive: Path, mirrors: list[str]) -> list[str]:
    """Return the command that makes the base; without `mirrors` it takes its own default ones."""
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    options = ["--variant=minbase", f"--include={','.join(wanted)}", *excluded]
    return ["mmdebstrap", *options, "bookworm", str(archive), *mirrors]


def _pull_upstream(client: docker.DockerClient, reporter: Reporter) -> bool:
    """Return whether the upstream image is in the engine, after a try to pull it."""
    name = ":".join(UPSTREAM)
    if _has(client, name):
        return True
    hasty = connect(timeout_s=_PULL_SILENCE_S)
    try:
        with reporter.long("base image", f"pull of {name}"):
            hasty.images.pull(*UPSTREAM)
    except (DockerException, RequestException) as error:
        reason = getattr(error, "explanation", None) or str(error)
        reporter.say("base image", f"{name} cannot be pulled here ({str(reason)[:120]})")
        return False
    finally:
        hasty.close()
    return True


def _install_mmdebstrap(files: LabFiles, reporter: Reporter) -> None:
    if shutil.which("mmdebstrap") is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(
            f"{':'.join(UPSTREAM)} cannot be pulled, and mmdebstrap, which makes the same, is missing.",
            "install the packages mmdebstrap and debian-archive-keyring.",
        )
    apt = ["apt-get", "install", "--yes", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"]
    reporter.run("base image", "installing mmdebstrap", apt, files.folder / "log" / "apt.log", 600)


def _context(paths: list[Path]) -> io.BytesIO:
    """Return a build context of files and folders, each under its own name."""
    archive = io.BytesIO()

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if "__pycache__" in entry.name:
            return None
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        # The checkout's umask is no property of the image.
        executable = entry.isdir() or bool(entry.mode & 0o100)
        entry.mode = 0o755 if executable else 0o644
        return entry

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in paths:
            tar.add(path, arcname=path.name, filter=plain)
    archive.seek(0)
    return archive


def _build(
    client: docker.DockerClient, context: io.BytesIO, dockerfile: str, tag: str, arguments: dict[str, str]
) -> None:
    try:
        client.images.build(
            fileobj=context,
            custom_context=True,
            dockerfile=dockerfile,
            tag=tag,
            buildargs=arguments,
            rm=True,
            forcerm=True,
            timeout=_BUILD_DEADLINE_S,
        )
    except BuildError as error:
        lines = [str(part.get("stream", "")).rstrip() for part in error.build_log if isinstance(part, dict)]
        end = "".join(f"\n    {line}" for line in lines[-15:] if line)
        raise LabError(f"The image {tag} cannot be built: {error.msg}{end}") from None
    except APIError as error:
        raise LabError(f"The image {tag} cannot be built: {error.explanation}") from None
