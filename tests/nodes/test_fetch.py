"""Artifacts fetched on a node: used only with the right sums, fetched once, gone when they are forgotten."""

from __future__ import annotations

import hashlib
import shlex

import pytest

from components.rendering import render
from tests.nodes.node import Done, Node
from tests.waiting import wait_until

SERVER = "http://127.0.0.1:8998"
CONTENT = b"an artifact of a vendor\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
CACHED = f"/var/cache/rocestack/{SHA256}/driver.deb"


def _run(node: Node, command: str) -> Done:
    text = "set -euo pipefail\n" + render("common/host.sh") + render("common/fetch.sh")
    return node.script(f"{text}\n{command}\n")


def _fetch(node: Node, source: str, sha256: str = SHA256, md5: str = MD5) -> Done:
    return _run(node, f"fetch {shlex.quote(source)} {sha256} '{md5}'\nprintf '%s' \"$REPLY\"")


@pytest.fixture(scope="module")
def served(node: Node) -> Node:
    """Return the node with the artifact served on it."""
    node.script("mkdir /srv/vendor && cat >/srv/vendor/driver.deb", CONTENT.decode())
    node.run(
        "systemd-run --quiet --unit test-vendor "
        "python3 -m http.server --bind 127.0.0.1 --directory /srv/vendor 8998"
    )
    wait_until(lambda: node.script("exec 3<>/dev/tcp/127.0.0.1/8998").status == 0, 20, "the web server")
    return node


@pytest.mark.parametrize(
    ("source", "sums", "says"),
    [
        (f"{SERVER}/driver.deb", {"sha256": "0" * 64}, f"its sha256 is {SHA256}, not {'0' * 64}"),
        (f"{SERVER}/driver.deb", {"md5": "0" * 32}, f"its md5 is {MD5}, not {'0' * 32}"),
        (f"{SERVER}/none.deb", {}, "cannot be fetched: E: Failed to fetch"),
        ("http://127.0.0.1:9/driver.deb", {}, "cannot be fetched: E: Failed to fetch"),
        ("/srv/none.deb", {}, "/srv/none.deb is not on this host"),
        ("/srv/vendor/driver.deb", {"sha256": "0" * 64}, "is not what the stack names: its sha256"),
    ],
)
def test_what_is_not_the_artifact_is_not_used(
    served: Node, source: str, sums: dict[str, str], says: str
) -> None:
    done = _fetch(served, source, **sums)
    assert done.status == 1
    assert done.stdout == ""
    assert says in done.stderr
    assert "Hint: " in done.stderr
    assert served.script(f"test -e {CACHED}").status != 0
    assert served.run("ls /srv/vendor").split() == ["driver.deb"]


def test_it_is_fetched_once_and_forgotten(served: Node) -> None:
    assert _fetch(served, f"{SERVER}/driver.deb").stdout == CACHED
    once = served.run(f"stat -c '%n %Z %i' {CACHED}")
    served.run("mv /srv/vendor/driver.deb /srv/vendor/away")
    # Without the server's file, and without an md5 to compare with.
    assert _fetch(served, f"{SERVER}/driver.deb", md5="").stdout == CACHED
    assert served.run(f"stat -c '%n %Z %i' {CACHED}") == once
    served.run("mv /srv/vendor/away /srv/vendor/driver.deb")
    for _ in range(2):
        assert _run(served, f"fetch_forget {SHA256}").status == 0
    assert served.script("test -e /var/cache/rocestack").status != 0


def test_a_spoilt_copy_is_fetched_again(served: Node) -> None:
    assert _fetch(served, f"{SERVER}/driver.deb").status == 0
    served.run(f"echo spoilt >{CACHED}")
    assert _fetch(served, f"{SERVER}/driver.deb").stdout == CACHED
    assert served.run(f"cat {CACHED}").encode() == CONTENT


def test_what_an_interrupted_run_left_is_no_artifact(served: Node) -> None:
    served.run(f"rm -f {CACHED} && mkdir -p {CACHED.rpartition('/')[0]}")
    served.run(f"printf 'an arti' >{CACHED}.part")
    assert _fetch(served, f"{SERVER}/driver.deb").stdout == CACHED
    assert served.run(f"cat {CACHED}").encode() == CONTENT


def test_a_path_is_used_where_it_is(served: Node) -> None:
    assert _fetch(served, "/srv/vendor/driver.deb").stdout == "/srv/vendor/driver.deb"
