"""A script as it travels over SSH, read by a real bash."""

from __future__ import annotations

import subprocess

import pytest

from facts.ssh import as_sent

SCRIPT = '#!/bin/bash\n# Say what is in the input.\nIFS= read -r line\necho "script: ${line}"\ncat\n'


@pytest.mark.parametrize("stdin", ["", "key: 'v'\n", "key: 'ä'\nmore\n\nlast"])
@pytest.mark.parametrize("script", [SCRIPT, SCRIPT + "echo 'ü'\n\n\n", SCRIPT + "exit 3"])
def test_it_runs_with_the_rest_as_its_input(script: str, stdin: str) -> None:
    command, sent = as_sent(script, stdin)
    done = _run(command, sent.encode())
    plain = subprocess.run(["bash", "-c", script], input=stdin.encode(), capture_output=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (plain.stdout, plain.stderr, plain.returncode)


@pytest.mark.parametrize("missing", [2, 10, 40])
def test_half_of_it_does_nothing(missing: int) -> None:
    command, sent = as_sent("echo begun\necho done\ntrue true true", "")
    done = _run(command, sent.encode()[:-missing])
    assert done.stdout == b""
    assert done.returncode != 0


def _run(command: str, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", command], input=sent, capture_output=True, check=False)
