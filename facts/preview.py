"""Preview for machines: `python -m facts.preview STACK [options]`, in an activated shell.

It runs plain `pulumi preview`, whose program writes the report, and adds what monitoring needs: an exit code,
the report's file and a Prometheus textfile. Both are written also when the preview failed, so that neither
tells of an earlier run. Every option that it does not know goes to `pulumi preview`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from facts import report as reports
from facts.report import Report
from facts.textfile import textfile

# The program's variable that names the report's file (components/report.py).
FILE_VARIABLE = "ROCESTACK_REPORT"
# The CLI's own number for a preview with changes under --expect-no-changes.
_CHANGES = 7
# How long a preview that ran out of time may take to end by itself.
_GRACE_S = 15.0
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run the preview, write the files, say how it is, and return the exit code."""
    options, rest = _parser().parse_known_args(arguments)
    path = options.json or Path(f".engine/drift/{options.stack}.json")
    begun = reports.now()
    try:
        status = _preview(options.stack, path.absolute(), rest, options.deadline)
    except KeyboardInterrupt:
        return _INTERRUPTED
    found = judge(options.stack, reports.read(path), begun, status)
    code, text = reports.verdict(found)
    try:
        reports.write_whole(path, reports.as_json(found))
        if options.textfile is not None:
            reports.write_whole(options.textfile, textfile(found))
    except OSError as error:
        print(f"{options.stack}: the report could not be written: {error}.", file=sys.stderr)
        return reports.Exit.FAILED
    print(f"{options.stack}: {reports.summary(found)}", file=sys.stderr)
    print(f"{options.stack}: {text}.", file=sys.stderr)
    return code


def judge(stack: str, written: Report | None, begun: datetime, status: int | str) -> Report:
    """Return the report of a preview that began at `begun`, from what its program wrote.

    `status` is the CLI's exit status, or in words why there is none. A report of an earlier run counts for
    nothing.
    """
    fresh = written is not None and written.stack == stack and written.at >= begun
    if status in (0, _CHANGES) and written is not None and fresh:
        return written.model_copy(update={"changes": status == _CHANGES})
    if status in (0, _CHANGES):
        error = "its program wrote no report"
    elif isinstance(status, int):
        error = f"`pulumi preview` ended with status {status}; its own message is above"
    else:
        error = status
    return Report(stack=stack, run="preview", at=begun, error=error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m facts.preview",
        description="Run pulumi preview for machines; other options go to it.",
        epilog="Exit code: 0 in sync, 7 drift or changes, 10 no drift but not all is known, 1 failed.",
        allow_abbrev=False,
    )
    parser.add_argument("stack", help="the stack's name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the report (.engine/drift/STACK.json)")
    parser.add_argument("--textfile", type=Path, metavar="FILE", help="a .prom file for node_exporter")
    parser.add_argument("--deadline", type=float, default=600.0, metavar="SECONDS", help="(600)")
    return parser


def _preview(stack: str, path: Path, options: Sequence[str], deadline: float) -> int | str:
    """Run the preview with its output passed on; return its status, or in words why there is none."""
    command = ["pulumi", "--non-interactive", "preview", "--stack", stack, "--expect-no-changes", *options]
    try:
        process = subprocess.Popen(command, env={**os.environ, FILE_VARIABLE: str(path)})
    except OSError as error:
        return f"pulumi cannot be run ({error.strerror}); is the shell activated?"
    try:
        return process.wait(deadline)
    except subprocess.TimeoutExpired:
        return f"`pulumi preview` took longer than {deadline:g} s"
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a preview that still runs: first as Ctrl-C does, so that it ends its plugins too."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
