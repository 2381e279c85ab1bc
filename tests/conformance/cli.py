"""The real CLI on a stack of its own: declares, runs, and reads what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.automatic_logs import switch_off
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PASSPHRASE = "of a throw-away stack"
PROJECT = "conformance"


@dataclass(frozen=True)
class Engine:
    """The CLI under test, and which `command` plugin it finds: `official` or `dropin`."""

    program: str
    plugin: Path
    folder: Path

    @property
    def plugins(self) -> str:
        """Whose plugin it is, told by the installed file itself: ours starts Python out of a checkout."""
        return "dropin" if b"engine.plugins" in self.plugin.read_bytes()[:4096] else "official"

    @property
    def is_dropin(self) -> bool:
        """Whether the plugin is this project's own."""
        return self.plugins == "dropin"

    def environment(self) -> dict[str, str]:
        """Return the environment of all that is run: a backend and a Pulumi home of the test's own."""
        kept = {name: item for name, item in os.environ.items() if not name.startswith("PULUMI_")}
        path = [str(ROOT / ".venv" / "bin"), str(Path(self.program).parent), kept["PATH"]]
        return {
            **kept,
            "PATH": ":".join(path),
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def processes(self) -> list[str]:
        """Return the command lines of all processes that this engine started and that still run."""
        return list(self._processes().values())

    def end_orphans(self) -> None:
        """End what a killed CLI leaves running: its language host does not notice that it is alone."""
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.processes() == [], 10, "the killed CLI's helpers end")

    def _processes(self) -> dict[int, str]:
        mark = f"PULUMI_HOME={self.folder / 'home'}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes()
                    found[int(folder.name)] = words.replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended, or is another user's
        return found


def find_engine(folder: Path) -> Engine:
    """Return the CLI on PATH (else the checkout's own) with the plugins of its PULUMI_HOME."""
    program = shutil.which("pulumi") or str(ROOT / ".engine" / "bin" / "pulumi")
    assert os.access(program, os.X_OK), "there is no pulumi on PATH and none in .engine/bin: make setup"
    homes = [Path(os.environ.get("PULUMI_HOME", ROOT / ".engine" / "home")), ROOT / ".engine" / "home"]
    found = [
        path for home in homes for path in home.glob("plugins/resource-command-v*/pulumi-resource-command")
    ]
    assert found, f"there is no command plugin in {homes[0]}: make setup"
    switch_off(folder / "home")
    (folder / "state").mkdir()
    (folder / "home" / "plugins").symlink_to(found[0].parents[1])
    return Engine(program, found[0], folder)


@dataclass(frozen=True)
class Done:
    """How a run of the CLI ended: status, all that it printed, and seconds."""

    status: int
    text: str
    stdout: str
    seconds: float


class Stack:
    """One stack in a folder of its own. What is declared is there after the next `up`."""

    def __init__(self, engine: Engine, folder: Path, name: str) -> None:
        self.engine = engine
        self.folder = folder
        self.name = name
        (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        shutil.copy(Path(__file__).with_name("program.py"), folder / "__main__.py")
        self.declare()
        self.run("stack", "init", name)

    def declare(self, *resources: Mapping[str, Any], export: Sequence[str] = ()) -> None:
        """Set what the program declares from now on."""
        (self.folder / "declared.json").write_text(json.dumps(resources), encoding="utf-8")
        (self.folder / "exported.json").write_text(json.dumps(export), encoding="utf-8")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the CLI in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [self.engine.program, "--non-interactive", *arguments],
            cwd=self.folder,
            env={**self.engine.environment(), "PULUMI_STACK": self.name, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, fails: bool = False, deadline: float = 120, **environment: str) -> Done:
        """Run the CLI to its end; the status must be as `fails` says, and there is never a traceback."""
        begun = time.monotonic()
        process = self.start(*arguments, **environment)
        try:
            text, _ = process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
            raise AssertionError(f"pulumi {' '.join(arguments)}: not within {deadline:g} s\n{text}") from None
        done = Done(process.returncode, text, text, time.monotonic() - begun)
        assert (done.status != 0) == fails, f"pulumi {' '.join(arguments)}: status {done.status}\n{text}"
        assert "Traceback" not in text, text
        return done

    def up(self, *options: str, fails: bool = False, deadline: float = 120, **environment: str) -> Done:
        """Bring the stack up without preview and question."""
        return self.run(
            "up", "--yes", "--skip-preview", *options, fails=fails, deadline=deadline, **environment
        )

    def destroy(self) -> Done:
        """Destroy the stack."""
        return self.run("destroy", "--yes", "--skip-preview")

    def planned(self) -> dict[str, tuple[str, list[str]]]:
        """Return what a preview would do: name to operation and the paths that differ, the same left out."""
        steps = json.loads(self.run("preview", "--json").stdout)["steps"]
        return {
            step["urn"].rsplit("::", 1)[-1]: (step["op"], sorted(step.get("detailedDiff") or {}))
            for step in steps
            if step["op"] != "same" and "::pulumi:" not in step["urn"]
        }

    def expects_no_changes(self) -> bool:
        """Return whether the CLI says, by its exit code, that nothing is to be done."""
        process = self.start("preview", "--expect-no-changes")
        text, _ = process.communicate(timeout=120)
        assert process.returncode in (0, 7), text
        return process.returncode == 0

    def exported(self, *options: str) -> dict[str, Any]:
        """Return the stack's state document."""
        document: dict[str, Any] = json.loads(self.run("stack", "export", *options).stdout)
        return document

    def state(self, *options: str) -> dict[str, dict[str, Any]]:
        """Return the resources in the state by name."""
        found = self.exported(*options)["deployment"].get("resources") or []
        return {one["urn"].rsplit("::", 1)[-1]: one for one in found}

    def imported(self, document: Mapping[str, Any]) -> None:
        """Replace the stack's state."""
        path = self.folder / "state.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        self.run("stack", "import", "--file", str(path))
