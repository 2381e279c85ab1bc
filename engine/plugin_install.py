"""The CLI's resource plugins `command` and `docker`: the official ones, or our drop-ins."""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from engine import backend, stamps, versions
from engine.bundle import Bundle
from engine.errors import EngineError
from engine.paths import Checkout
from engine.progress import Reporter
from engine.pulumi_cli import Cli

MODE_VARIABLE = "ENGINE_PLUGINS"
MODES = ("auto", "official", "dropin")
PROBES = ("https://get.pulumi.com/releases/plugins/", "https://api.github.com/repos/pulumi/pulumi-command")
PROBE_SECONDS = 4.0
INSTALL_SECONDS = 180.0
DROPIN_ORIGIN = "engine/plugins of this checkout"


def mode(environment: Mapping[str, str]) -> str:
    """Return what ENGINE_PLUGINS asks for: auto (default), official or dropin."""
    asked = environment.get(MODE_VARIABLE) or "auto"
    if asked not in MODES:
        raise EngineError(f"{MODE_VARIABLE} is {asked!r}; allowed: {', '.join(MODES)}.")
    return asked


def recorded(checkout: Checkout) -> str:
    """Return `official` or `dropin` as the last set-up chose; empty when that is not so any more."""
    record = stamps.read(_stamp(checkout))
    if record.get("key") != _key(checkout) or record.get("files") != stamps.fingerprint(programs(checkout)):
        return ""
    return str(record["chosen"])


def origin(checkout: Checkout) -> str:
    """Return where the last set-up took the plugins from, in words."""
    return str(stamps.read(_stamp(checkout)).get("origin", DROPIN_ORIGIN))


def programs(checkout: Checkout) -> list[Path]:
    """Return where the CLI looks for the plugins' programs, in the pinned versions."""
    pinned = versions.pinned_plugins(checkout.root)
    return [program(checkout, name, version) for name, version in pinned.items()]


def _stamp(checkout: Checkout) -> Path:
    return checkout.engine / "plugins.json"


def _key(checkout: Checkout) -> str:
    asked, pinned = mode(os.environ), versions.pinned_plugins(checkout.root)
    return stamps.digest({"asked": asked, "wrapper": _template(), "python": str(checkout.python), **pinned})


def ensure(checkout: Checkout, reporter: Reporter, cli: Cli, source: Bundle | None = None) -> str:
    """Install both plugins in the pinned versions; return `official` or `dropin`.

    A choice that was made stays until ENGINE_PLUGINS, a version or an installed file changes. A bundle says
    which ones are taken, and carries the official ones.
    """
    pinned = versions.pinned_plugins(checkout.root)
    chosen = recorded(checkout)
    if chosen:
        reporter.say("plugins", f"up to date: {describe(chosen, pinned)}")
        return chosen
    _stamp(checkout).unlink(missing_ok=True)
    if source is not None:
        chosen = source.manifest.plugins
        if chosen == "official":
            _install_carried(checkout, cli, pinned, source)
    elif mode(os.environ) == "dropin":
        chosen = "dropin"
    else:
        chosen = _try_official(checkout, reporter, cli, pinned)
    if chosen == "dropin":
        for name, version in pinned.items():
            _install_dropin(checkout, cli, name, version)
    reporter.say("plugins", describe(chosen, pinned))
    origin = DROPIN_ORIGIN
    if chosen == "official":
        origin = f"from {source.path.name}" if source else "downloaded by the CLI"
    files = stamps.fingerprint(programs(checkout))
    record = {"key": _key(checkout), "chosen": chosen, "origin": origin, "files": files}
    stamps.write(_stamp(checkout), record)
    return chosen


def describe(chosen: str, pinned: Mapping[str, str]) -> str:
    """Return one line such as `command 1.2.1, docker 5.2.0: our drop-ins (engine/plugins)`."""
    names = ", ".join(f"{name} {version}" for name, version in pinned.items())
    return f"{names}: {'the official ones' if chosen == 'official' else 'our drop-ins (engine/plugins)'}"


def program(checkout: Checkout, name: str, version: str) -> Path:
    """Return where the CLI looks for one plugin's program."""
    return checkout.pulumi_home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"


def _template() -> str:
    return Path(__file__).with_name("plugin.sh").read_text()


def wrapper(template: str, name: str, python: Path) -> str:
    """Return the text of the program that starts a drop-in from any folder."""
    return template.replace("@NAME@", name).replace("@PYTHON@", shlex.quote(str(python)))


def _install_carried(checkout: Checkout, cli: Cli, pinned: Mapping[str, str], source: Bundle) -> None:
    for name, version in pinned.items():
        why = _install(checkout, cli, name, version, "--file", str(source.plugin(name, version)))
        if why:
            raise EngineError(f"The CLI does not install the official {name} of {source.path}: {why}.")


def _try_official(checkout: Checkout, reporter: Reporter, cli: Cli, pinned: Mapping[str, str]) -> str:
    why = "" if any(_reachable(url) for url in PROBES) else "the vendor's download site is not reachable"
    if not why:
        for name, version in pinned.items():
            reporter.say("plugins", f"downloading the official {name} {version}")
            why = why or _install(checkout, cli, name, version)
    if not why:
        return "official"
    if mode(os.environ) == "official":
        raise EngineError(
            f"The official plugins cannot be installed: {why}.",
            f"Unset {MODE_VARIABLE} to let our drop-ins serve instead.",
        )
    reporter.say("plugins", f"no official ones: {why}")
    return "dropin"


def _reachable(url: str) -> bool:
    """Say whether a site answers at all, with whatever status, within a few seconds."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS):  # noqa: S310 (constant https URLs)
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def dropin_version(name: str) -> str:
    """Return the version of the official plugin that our drop-in has the schema of."""
    return str(importlib.import_module(f"engine.plugins.{name}").VERSION)


def _install_dropin(checkout: Checkout, cli: Cli, name: str, version: str) -> None:
    if not (checkout.root / "engine" / "plugins" / name / "__main__.py").exists():
        raise EngineError(
            f"Our drop-in for {name} is missing: engine/plugins/{name}/__main__.py.",
            "Restore the file from git.",
        )
    serves = dropin_version(name)
    if serves != version:
        raise EngineError(
            f"requirements.txt asks for the {name} plugin {version}, our drop-in serves {serves}.",
            f"Pin pulumi-{name}=={serves} there, or use the official one: {MODE_VARIABLE}=official.",
        )
    with tempfile.TemporaryDirectory(prefix="rocestack-") as folder:
        script = Path(folder) / f"pulumi-resource-{name}"
        script.write_text(wrapper(_template(), name, checkout.python))
        script.chmod(0o755)
        why = _install(checkout, cli, name, version, "--file", folder)
    if why:
        raise EngineError(f"The CLI does not install our {name} plugin: {why}.")


def _install(checkout: Checkout, cli: Cli, name: str, version: str, *more: str) -> str:
    """Let the CLI install one plugin; return why it did not, or an empty text."""
    shutil.rmtree(program(checkout, name, version).parent, ignore_errors=True)
    argv = [cli.program, "plugin", "install", "resource", name, version, "--exact", "--reinstall", *more]
    try:
        done = subprocess.run(
            argv,
            env=backend.environment(checkout, cli),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{name} {version} was not there after {INSTALL_SECONDS:.0f} s"
    if done.returncode == 0 and program(checkout, name, version).exists():
        return ""
    lines = (done.stderr or done.stdout).strip().splitlines()
    return f"{name} {version}: {lines[-1] if lines else f'status {done.returncode}'}"
