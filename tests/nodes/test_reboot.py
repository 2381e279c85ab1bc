"""Reboots of a real node: scheduled once, waited for over SSH, and over whoever did them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.rendering import render
from settings import flat
from tests.nodes.node import Done, Node

ROOT = Path(__file__).parents[2]
STEP = "test.reboot"
_PARTS = ("prelude.sh", "host.sh", "record.sh", "boot_read.sh", "reboot.sh")


def _ask(node: Node, policy: str) -> Done:
    text = "set -euo pipefail\n" + "".join(render(f"common/{part}") for part in _PARTS)
    return node.script(f"{text}\nstep={STEP}\nreboot_for 'a test'\n", flat.render({"reboot": policy}))


def _boot(node: Node) -> dict[str, str]:
    return dict(line.split("=", 1) for line in node.run(render("facts/boot.sh.j2")).splitlines())


def _wait(node: Node, policy: str = "auto", deadline_s: int = 60) -> Done:
    access = node.access()
    lines = {
        "machine": access.name,
        "address": access.address,
        "port": str(access.port),
        "user": access.user,
        "host_key": access.host_key,
        "step": STEP,
        "policy": policy,
        "deadline_s": str(deadline_s),
    }
    done = subprocess.run(
        [sys.executable, "-m", "facts", "wait"],
        cwd=ROOT,
        env={**os.environ, "ROCESTACK_PRIVATE_KEY": access.private_key.get_secret_value()},
        input=flat.render(lines),
        capture_output=True,
        text=True,
        timeout=deadline_s + 60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_nothing_to_wait_for(node: Node) -> None:
    before = _boot(node)
    done = _wait(node)
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
    assert _boot(node) == before


@pytest.mark.smoke
def test_a_reboot_is_scheduled_once_and_waited_for(node: Node) -> None:
    before = _boot(node)
    for _ in range(2):
        done = _ask(node, "auto")
        assert done.status == 0, done.stderr
    assert _boot(node)["awaited"] == STEP
    done = _wait(node)
    assert done.status == 0, done.stderr
    assert "clx-mld-41 is back from its reboot for test.reboot" in done.stderr
    after = _boot(node)
    assert after["token"] != before["token"]
    assert after["awaited"] == ""
    assert after["state"] in ("running", "degraded")
    # At most once: nothing is left that would reboot it again.
    assert node.run("systemctl list-timers --all --no-legend 'rocestack*'") == ""
    assert _wait(node).stderr == ""


def test_a_reboot_that_was_cut_off_from_its_wait_counts(node: Node) -> None:
    assert _ask(node, "ask").status == 0
    assert _boot(node)["awaited"] == STEP
    node.reboot()
    assert (_wait(node, "ask").status, _boot(node)["awaited"]) == (0, "")


def test_ask_names_the_host_and_reboots_nothing(node: Node) -> None:
    before = _boot(node)["token"]
    assert _ask(node, "ask").status == 0
    done = _wait(node, "ask", deadline_s=5)
    assert done.status == 1
    assert "clx-mld-41 needs a reboot for test.reboot, and nobody rebooted it within 5 s" in done.stderr
    assert _boot(node)["token"] == before


def test_never_says_what_stays_pending(node: Node) -> None:
    node.run("rm -f /run/rocestack/reboot")
    done = _ask(node, "never")
    assert done.status == 0
    assert "stays pending until somebody reboots this host" in done.stderr
    assert _boot(node)["awaited"] == ""


def test_a_host_that_hangs_is_an_error_with_a_hint(node: Node) -> None:
    # A timer that is there already counts as scheduled; this one never comes.
    node.run("systemd-run --quiet --unit=rocestack-reboot --on-active=1h true")
    assert _ask(node, "auto").status == 0
    done = _wait(node, deadline_s=5)
    assert done.status == 1
    assert "clx-mld-41 still runs the boot that its reboot for test.reboot should have ended" in done.stderr
    assert "Hint: " in done.stderr
