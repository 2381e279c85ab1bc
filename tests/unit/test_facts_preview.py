"""Preview for machines: what is made of the CLI's status and of the report that its program wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facts import preview, report
from facts.report import Exit, Finding, Machine, Report

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
CLEAN = Report(stack="lab", run="preview", at=NOW, machines=(Machine(name="h1", in_sync=9),))
DRIFT = CLEAN.model_copy(
    update={"machines": (Machine(name="h1", drift={"q.pfc": Finding(found="0", wanted="1")}),)}
)
DEAD = CLEAN.model_copy(update={"machines": (Machine(name="h1", state="unreachable", reason="no answer"),)})


@pytest.mark.parametrize(
    ("written", "status", "changes", "error"),
    [
        (CLEAN, 0, False, None),
        (DRIFT, 7, True, None),
        (CLEAN.model_copy(update={"at": NOW + timedelta(seconds=9)}), 0, False, None),
        (None, 0, None, "its program wrote no report"),
        (CLEAN.model_copy(update={"at": NOW - timedelta(seconds=1)}), 0, None, "its program wrote no report"),
        (CLEAN.model_copy(update={"stack": "other"}), 7, None, "its program wrote no report"),
        (CLEAN, 255, None, "`pulumi preview` ended with status 255; its own message is above"),
        (CLEAN, "`pulumi preview` took longer than 600 s", None, "`pulumi preview` took longer than 600 s"),
    ],
)
def test_only_a_fresh_report_of_a_whole_preview_counts(
    written: Report | None, status: int | str, changes: bool | None, error: str | None
) -> None:
    found = preview.judge("lab", written, NOW, status)
    assert (found.changes, found.error) == (changes, error)
    assert found.machines == (() if error or written is None else written.machines)


def _runs(
    monkeypatch: pytest.MonkeyPatch, written: Report | None, status: int | str
) -> list[tuple[str, Sequence[str]]]:
    """Let the preview be one whose program writes `written` and which ends with `status`."""
    ran: list[tuple[str, Sequence[str]]] = []

    def run(stack: str, path: Path, options: Sequence[str], deadline: float) -> int | str:
        assert path.is_absolute()
        assert deadline == 600.0
        ran.append((stack, options))
        if written is not None:
            report.write_whole(path, report.as_json(written))
        return status

    monkeypatch.setattr(preview, "_preview", run)
    monkeypatch.setattr(report, "now", lambda: NOW)
    return ran


@pytest.mark.parametrize(
    ("written", "status", "code", "said"),
    [
        (CLEAN, 0, Exit.IN_SYNC, "lab: in sync."),
        (DRIFT, 7, Exit.CHANGES, "lab: there is drift; `pulumi up` repairs it."),
        (CLEAN, 7, Exit.CHANGES, "lab: no drift, but the settings are not applied yet"),
        (DEAD, 0, Exit.UNKNOWN, "lab: no drift was seen, but not all is known to be in sync: h1."),
        (None, 255, Exit.FAILED, "lab: the preview failed, so nothing is known"),
    ],
)
def test_code_words_and_files_say_the_same(
    written: Report | None,
    status: int,
    code: Exit,
    said: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = _runs(monkeypatch, written, status)
    files = [tmp_path / "report.json", tmp_path / "rocestack.prom"]
    given = ["lab", "--json", str(files[0]), "--textfile", str(files[1]), "--config-file", "x.yaml"]
    assert preview.main(given) == code
    assert ran == [("lab", ["--config-file", "x.yaml"])]
    assert said in capsys.readouterr().err
    document = json.loads(files[0].read_text())
    assert document.get("changes") == (None if status == 255 else status == 7)
    assert f'rocestack_preview_ok{{stack="lab"}} {int(code is not Exit.FAILED)}\n' in files[1].read_text()


def test_a_failed_preview_takes_back_what_an_earlier_one_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "report.json", tmp_path / "rocestack.prom"]
    given = ["lab", "--json", str(files[0]), "--textfile", str(files[1])]
    _runs(monkeypatch, DRIFT, 7)
    assert preview.main(given) == Exit.CHANGES
    assert "rocestack_drift{" in files[1].read_text()
    _runs(monkeypatch, None, 255)
    assert preview.main(given) == Exit.FAILED
    assert "rocestack_drift{" not in files[1].read_text()
    assert json.loads(files[0].read_text())["machines"] == []


def test_files_that_cannot_be_written_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _runs(monkeypatch, CLEAN, 0)
    (tmp_path / "file").touch()
    given = ["lab", "--json", str(tmp_path / "report.json"), "--textfile", str(tmp_path / "file" / "x.prom")]
    assert preview.main(given) == Exit.FAILED
    assert "lab: the report could not be written:" in capsys.readouterr().err


def test_without_a_pulumi_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("facts.preview.subprocess.Popen", missing)
    assert preview.main(["lab", "--json", str(tmp_path / "report.json")]) == Exit.FAILED
    assert "pulumi cannot be run (No such file or directory); is the shell activated?" in (
        capsys.readouterr().err
    )


class _Process:
    """A preview that hangs until it was told `stubborn` times to end."""

    def __init__(self, stubborn: int) -> None:
        self.left = stubborn
        self.told: list[str] = []

    def wait(self, timeout: float | None = None) -> int:
        if self.left:
            raise preview.subprocess.TimeoutExpired("pulumi", timeout or 0)
        return 0

    def poll(self) -> int | None:
        return None if self.left else 0

    def send_signal(self, number: int) -> None:
        self.told.append(preview.signal.Signals(number).name)
        self.left -= 1

    def kill(self) -> None:
        self.send_signal(preview.signal.SIGKILL)


@pytest.mark.parametrize(("stubborn", "told"), [(1, ["SIGINT"]), (2, ["SIGINT", "SIGKILL"])])
def test_a_preview_that_hangs_is_ended(
    stubborn: int,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    process = _Process(stubborn)
    start: Callable[..., _Process] = lambda *_, **__: process  # noqa: E731
    monkeypatch.setattr("facts.preview.subprocess.Popen", start)
    given = ["lab", "--json", str(tmp_path / "report.json"), "--deadline", "1.5"]
    assert preview.main(given) == Exit.FAILED
    assert process.told == told
    assert "`pulumi preview` took longer than 1.5 s" in capsys.readouterr().err
