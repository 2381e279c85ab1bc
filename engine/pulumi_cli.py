"""The Pulumi CLI and its Python language host: an installed one, the vendor's download, or a build."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import go_build, stamps, versions
from engine.bundle import Bundle
from engine.errors import EngineError
from engine.go_build import BINARIES, Pins
from engine.paths import Checkout
from engine.progress import Reporter
from engine.versions import Version

SOURCES = ("installed", "download", "build")
MODE_VARIABLE = "ENGINE_CLI"
RELEASES = "https://get.pulumi.com/releases/sdk"
CONNECT_SECONDS = 5.0
DOWNLOAD_SECONDS = 300.0
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Cli:
    """The CLI that was chosen: where it came from, where it is, and its language host."""

    source: str
    detail: str
    version: str
    program: str
    host: str
    host_version: str


def mode(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the sources to try, in order. ENGINE_CLI is `auto` (default) or one source."""
    asked = environment.get(MODE_VARIABLE) or "auto"
    if asked == "auto":
        return SOURCES
    if asked not in SOURCES:
        raise EngineError(f"{MODE_VARIABLE} is {asked!r}; allowed: auto, {', '.join(SOURCES)}.")
    return (asked,)


def usable(found: Version | None, pinned: Version) -> bool:
    """Say whether an installed CLI will do: the same major version, and not older than the pinned one."""
    return found is not None and found[0] == pinned[0] and found >= pinned


def path_without(path: str, folder: Path) -> str:
    """Return a PATH without one folder: our own CLI is not an installed one, also in an activated shell."""
    return os.pathsep.join(part for part in path.split(os.pathsep) if Path(part) != folder)


def recorded(checkout: Checkout) -> Cli | None:
    """Return the choice of the last set-up while everything it was made from and made is unchanged."""
    record = stamps.read(checkout.engine / "cli.json")
    choice = record.get("cli")
    if not isinstance(choice, dict) or record.get("key") != _key(checkout):
        return None
    cli = Cli(**choice)
    return cli if record.get("files") == stamps.fingerprint(_files(cli)) else None


def found_again(cli: Cli, path: str, own: Path) -> bool:
    """Say whether `activate` will find this CLI: an installed one counts while PATH leads to it.

    It may have been found in a shell that another checkout had set up.
    """
    return cli.source != "installed" or shutil.which(BINARIES[0], path=path_without(path, own)) == cli.program


def ensure(checkout: Checkout, reporter: Reporter, source: Bundle | None = None) -> Cli:
    """Return a CLI that works, by the first source that has one; raises EngineError when none has.

    A bundle is then the only source.
    """
    known = recorded(checkout)
    if known is not None and found_again(known, os.environ.get("PATH", ""), checkout.bin):
        reporter.say("pulumi", f"up to date: {known.version}, {known.detail}")
        return known
    found = _find(checkout, reporter) if source is None else _from_bundle(checkout, source)
    record = {"key": _key(checkout), "cli": asdict(found), "files": stamps.fingerprint(_files(found))}
    stamps.write(checkout.engine / "cli.json", record)
    reporter.say("pulumi", f"{found.version}, {found.detail}: {found.program}")
    return found


def _find(checkout: Checkout, reporter: Reporter) -> Cli:
    sources = mode(os.environ)
    reasons: list[str] = []
    for name in sources:
        found = _FINDERS[name](checkout, reporter, reasons)
        if found is not None:
            return found
    hint = f"Unset {MODE_VARIABLE} to try all sources." if len(sources) == 1 else ""
    raise EngineError(f"No Pulumi CLI by {' or '.join(sources)}: {'; '.join(reasons)}.", hint)


def _from_bundle(checkout: Checkout, source: Bundle) -> Cli:
    """Put the bundle's CLI in its place, once it has answered."""
    carried = source.manifest.cli
    answer, why = asked_version(source.folder / "bin" / BINARIES[0])
    if answer != versions.parse(carried.version):
        raise EngineError(
            f"The Pulumi CLI in {source.path} does not work here: {why or 'it says it is another version'}.",
            "Make a bundle on a machine like this one.",
        )
    go_build.place(source.folder / "bin", checkout.bin)
    return Cli(
        "bundle",
        source.origin,
        carried.version,
        str(checkout.bin / BINARIES[0]),
        str(checkout.bin / BINARIES[1]),
        carried.host_version,
    )


def asked_version(program: Path) -> tuple[Version | None, str]:
    """Ask a pulumi for its version; return it, or None and why there is no answer."""
    try:
        asked = subprocess.run(
            [str(program), "version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    return versions.parse(asked.stdout), asked.stderr.strip()


def _key(checkout: Checkout) -> str:
    return stamps.digest({"pins": Pins.of(checkout).digest(), "mode": " ".join(mode(os.environ))})


def _files(cli: Cli) -> list[Path]:
    """Return the files whose change makes the choice void; the last one exists in our own folder only."""
    program, host = Path(cli.program), Path(cli.host)
    return [program, host, host.with_name(BINARIES[2])]


def _installed(checkout: Checkout, reporter: Reporter, reasons: list[str]) -> Cli | None:
    pinned = versions.parse(Pins.of(checkout).cli_version)
    search = path_without(os.environ.get("PATH", ""), checkout.bin)
    program = shutil.which(BINARIES[0], path=search)
    if program is None or pinned is None:
        reasons.append("no pulumi on PATH")
        return None
    found, _ = asked_version(Path(program))
    beside = str(Path(program).resolve().parent)
    # Beside it, as the vendor ships it: `activate` lets the CLI take no plugin from PATH.
    host = shutil.which(BINARIES[1], path=beside)
    if not usable(found, pinned) or found is None:
        shown = versions.show(found) if found else "of no known version"
        why = f"{program} is {shown}, {versions.show(pinned)} or later of the same major version is needed"
    elif host is None:
        why = f"{program} has no {BINARIES[1]} beside it"
    else:
        text = versions.show(found)
        return Cli("installed", "installed on this machine", text, program, host, f"of {text}")
    reporter.say("pulumi", f"not used: {why}")
    reasons.append(why)
    return None


def _download(checkout: Checkout, reporter: Reporter, reasons: list[str]) -> Cli | None:
    version = Pins.of(checkout).cli_version
    machine = ARCHITECTURES.get(platform.machine())
    if machine is None:
        reasons.append(f"the vendor has no download for {platform.machine()}")
        return None
    archive = f"pulumi-v{version}-linux-{machine}.tar.gz"
    try:
        wanted = _published_digest(version, archive)
        reporter.say("pulumi", f"downloading {RELEASES}/{archive}")
        with tempfile.TemporaryDirectory(prefix="rocestack-") as name:
            path = Path(name) / archive
            got = _fetch(f"{RELEASES}/{archive}", path)
            if got != wanted:
                raise EngineError(
                    f"{archive} has SHA-256 {got}, its checksum file says {wanted}: not used.",
                    f"Try again; if it stays so: {MODE_VARIABLE}=build make setup.",
                )
            _unpack(path, Path(name))
            go_build.place(Path(name), checkout.bin)
    except (OSError, KeyError, tarfile.TarError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        why = f"{RELEASES} is not usable from here ({error})"
        reporter.say("pulumi", f"no download: {why}")
        reasons.append(why)
        return None
    return Cli(
        "download",
        "the vendor's download",
        version,
        str(checkout.bin / BINARIES[0]),
        str(checkout.bin / BINARIES[1]),
        version,
    )


def _published_digest(version: str, archive: str) -> str:
    """Return the SHA-256 that the vendor publishes for an archive; OSError when it cannot be had."""
    url = f"{RELEASES}/pulumi-{version}-checksums.txt"
    with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer:  # noqa: S310 (a constant https URL)
        text = answer.read(100_000).decode(errors="replace")
    return digest_in(text, archive)


def digest_in(checksums: str, archive: str) -> str:
    """Return an archive's SHA-256 from the text of a checksum file; OSError when it is not listed."""
    for line in checksums.splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1].lstrip("*").rsplit("/", 1)[-1] == archive:
            return fields[0].lower()
    raise OSError(f"the checksum file does not list {archive}")


def _fetch(url: str, path: Path) -> str:
    """Download to a file and return its SHA-256; OSError when the connection fails or is too slow."""
    total = hashlib.sha256()
    end = time.monotonic() + DOWNLOAD_SECONDS
    with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer, path.open("wb") as sink:  # noqa: S310
        while block := answer.read(1 << 20):
            total.update(block)
            sink.write(block)
            if time.monotonic() > end:
                raise OSError(f"not done after {DOWNLOAD_SECONDS:.0f} s")
    return total.hexdigest()


def _unpack(archive: Path, target: Path) -> None:
    """Take the CLI and the Python language host out of the vendor's archive."""
    with tarfile.open(archive) as tar:
        for name in BINARIES:
            stream = tar.extractfile(f"pulumi/{name}")
            if stream is None:
                raise tarfile.TarError(f"pulumi/{name} is not a file in {archive.name}")
            with (target / name).open("wb") as sink:
                shutil.copyfileobj(stream, sink)


def _build(checkout: Checkout, reporter: Reporter, reasons: list[str]) -> Cli | None:
    pins = Pins.of(checkout)
    detail = go_build.binaries(checkout, reporter, checkout.bin)
    return Cli(
        "build",
        detail,
        pins.cli_version,
        str(checkout.bin / BINARIES[0]),
        str(checkout.bin / BINARIES[1]),
        pins.host_version,
    )


_FINDERS = {"installed": _installed, "download": _download, "build": _build}
