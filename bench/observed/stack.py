"""The real CLI on a stack in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.servers import BenchError
from engine.automatic_logs import switch_off

ROOT = Path(__file__).parents[2]
NAME = "bench"


@dataclass(frozen=True)
class Done:
    """A run of the CLI: its status, what it printed, and its seconds."""

    status: int
    text: str
    seconds: float


class BenchStack:
    """A stack whose program is a file of this folder; `files` lie beside it."""

    def __init__(self, folder: Path, program: str, files: Mapping[str, str], *, policies: bool) -> None:
        self.folder = folder
        self._policies = policies
        found = shutil.which("pulumi", path=f"{ROOT / '.engine' / 'bin'}:{os.environ['PATH']}")
        if found is None:
            raise BenchError("there is no pulumi: make setup")
        self._program = found
        (folder / "state").mkdir(parents=True)
        switch_off(folder / "home")
        shutil.copy(Path(__file__).with_name(f"{program}.py"), folder / "__main__.py")
        for name, text in files.items():
            (folder / name).write_text(text)
        self._plugin("bench.observed.recorder")
        self.pulumi("stack", "init", NAME)

    def record(self) -> None:
        """Record all that the program declares as applied, without doing it."""
        self._plugin("bench.observed.recorder")
        self.pulumi(
            "up", "--yes", "--skip-preview", PULUMI_SKIP_CHECKPOINTS="true", PULUMI_EXPERIMENTAL="true"
        )
        self._plugin("engine.plugins.command")

    def preview(self, *options: str, **environment: str) -> Done:
        """Run a preview; its status is the caller's to judge."""
        return self._run(["preview", *options], environment)

    def counts(self) -> dict[str, int]:
        """Return how many resources the record has: components, remote and local commands."""
        resources = json.loads(self.pulumi("stack", "export").text)["deployment"].get("resources") or []
        types = Counter(one["type"] for one in resources)
        return {
            "components": sum(count for name, count in types.items() if name.startswith("rocestack:")),
            "remote": types["command:remote:Command"],
            "local": types["command:local:Command"],
        }

    def pulumi(self, *arguments: str, **environment: str) -> Done:
        """Run the CLI, which must end well."""
        done = self._run(arguments, environment)
        if done.status != 0:
            raise BenchError(f"pulumi {' '.join(arguments)} ended with {done.status}:\n{done.text[-2000:]}")
        return done

    def _run(self, arguments: Any, environment: Mapping[str, str]) -> Done:
        begun = time.perf_counter()
        done = subprocess.run(
            [self._program, "--non-interactive", *arguments],
            cwd=self.folder,
            env={**self._environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, time.perf_counter() - begun)

    def _environment(self) -> dict[str, str]:
        """Return what `activate` would set, with a state and a home of the bench's own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        return {
            **kept,
            "PATH": f"{ROOT / '.venv' / 'bin'}:{Path(self._program).parent}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_STACK": NAME,
            "PULUMI_CONFIG_PASSPHRASE": "of the bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_CONTINUE_ON_ERROR": "true",
            "PULUMI_PARALLEL": "64",
            **({"PULUMI_OPTION_POLICY_PACK": str(ROOT / "policy" / "analyzer")} if self._policies else {}),
        }

    def _plugin(self, module: str) -> None:
        """Have `module` as the command plugin."""
        starter = self.folder / module / "pulumi-resource-command"
        if not starter.exists():
            starter.parent.mkdir()
            starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m {module} "$@"\n')
            starter.chmod(0o755)
        settings = {
            "name": "rocestack",
            "runtime": "python",
            "plugins": {"providers": [{"name": "command", "path": str(starter.parent)}]},
        }
        (self.folder / "Pulumi.yaml").write_text(json.dumps(settings))


def certificate() -> str:
    """Return a certificate of a registry that nobody pulls from."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ca.crt"
        words = ["openssl", "req", "-x509", "-newkey", "ed25519", "-noenc", "-subj", "/CN=registry"]
        subprocess.run([*words, "-keyout", os.devnull, "-out", str(path)], capture_output=True, check=True)
        return path.read_text()
