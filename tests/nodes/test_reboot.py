"""Reboots of a real node: scheduled once, waited for over SSH, and over whoever did them."""

from __future__ import annotations

import asyncio

import pytest

from components.rendering import render
from facts.boot import REBOOT_STATUS, BootError, Wait
from facts.reboot import await_reboot
from settings import flat
from tests.nodes.node import Done, Node

STEP = "test.reboot"
_PARTS = ("prelude.sh", "host.sh", "record.sh", "boot_read.sh", "reboot.sh")


def _ask(node: Node, policy: str) -> Done:
    """Ask for a reboot as a step does that was never applied here."""
    node.run(f"rm -f /var/lib/rocestack/{STEP}")
    text = "set -euo pipefail\n" + "".join(render(f"common/{part}") for part in _PARTS)
    return node.script(
        f"{text}\nstep={STEP}\nrecord_read\nreboot_for 'a test' 'no hint'\n", flat.render({"reboot": policy})
    )


def _boot(node: Node) -> dict[str, str]:
    return dict(line.split("=", 1) for line in node.run(render("facts/boot.sh.j2")).splitlines())


def _wait(node: Node, policy: str = "auto", deadline_s: float = 60) -> list[str]:
    """Wait as the hook does, and return what it told the operator. Raises BootError."""
    told: list[str] = []
    wanted = Wait(node.hostname, STEP, policy, deadline_s)
    asyncio.run(await_reboot(node.access(), wanted, told.append))
    return told


def test_nothing_to_wait_for(node: Node) -> None:
    before = _boot(node)
    assert _wait(node) == []
    assert _boot(node) == before


@pytest.mark.smoke
def test_a_reboot_is_scheduled_once_and_waited_for(node: Node) -> None:
    before = _boot(node)
    for _ in range(2):
        done = _ask(node, "auto")
        assert done.status == REBOOT_STATUS, done.stderr
        assert "a test; this host reboots now." in done.stderr
    assert _boot(node)["awaited"] == STEP
    assert _wait(node) == ["clx-mld-41 is back from its reboot for test.reboot."]
    after = _boot(node)
    assert after["token"] != before["token"]
    assert after["awaited"] == ""
    assert after["state"] in ("running", "degraded")
    # At most once: nothing is left that would reboot it again.
    assert node.run("systemctl list-timers --all --no-legend 'rocestack*'") == ""
    assert _wait(node) == []


def test_a_reboot_that_was_cut_off_from_its_wait_counts(node: Node) -> None:
    assert _ask(node, "ask").status == REBOOT_STATUS
    assert _boot(node)["awaited"] == STEP
    node.reboot()
    assert (_wait(node, "ask"), _boot(node)["awaited"]) == ([], "")


def test_ask_names_the_host_and_reboots_nothing(node: Node) -> None:
    before = _boot(node)["token"]
    assert _ask(node, "ask").status == REBOOT_STATUS
    with pytest.raises(BootError, match="nobody rebooted it within 5 s"):
        _wait(node, "ask", deadline_s=5)
    assert _boot(node)["token"] == before


def test_never_says_what_stays_pending(node: Node) -> None:
    node.run("rm -f /run/rocestack/reboot")
    done = _ask(node, "never")
    assert done.status == 0
    assert "reboot.policy is never, so it stays so until somebody reboots this host" in done.stderr
    assert _boot(node)["awaited"] == ""


def test_a_host_that_hangs_is_an_error_with_a_hint(node: Node) -> None:
    # A timer that is there already counts as scheduled; this one never comes.
    node.run("systemd-run --quiet --unit=rocestack-reboot --on-active=1h true")
    assert _ask(node, "auto").status == REBOOT_STATUS
    with pytest.raises(BootError, match="clx-mld-41 still runs the boot that its reboot") as raised:
        _wait(node, deadline_s=5)
    assert "Hint: " in str(raised.value)
