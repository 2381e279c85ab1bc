"""An apt repository on a node: its key's whole fingerprint decides, and a refused one leaves nothing."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.apt_repository import repository_lines
from components.rendering import render
from settings import flat
from settings.artifact import AptRepository
from tests.nodes.node import Done, Node
from tests.waiting import wait_until

FIXTURES = Path(__file__).parents[1] / "fixtures/apt_repository"
SERVER = "http://127.0.0.1:8999"
SIGNER = "8F7F1BDD068C7D8A84577D1C9367CC58309EBC1A"
OTHER = "B545148E55206B0090AB3F7D40DE2934BCA88F73"
_PARTS = ("prelude.sh", "host.sh", "record.sh", "apt.sh", "repository_read.sh", "repository.sh")
# The probe reads the keys of all keyrings at once; here is one.
_FACTS = """
declare -A keys_of=()
keyring=$(repository_keyring test)
if [[ -e $keyring ]]; then
  keys_of[$keyring]=$(apt_key "$keyring" | xargs)
fi
fact() { printf "%s=%s\\n" "$1" "$2"; }
repository_facts test
"""


def _repository(**changes: str) -> AptRepository:
    values = {
        "url": f"{SERVER}/",
        "suite": "test",
        "components": ("main",),
        "key_url": f"{SERVER}/two-keys.asc",
        "key_fingerprint": SIGNER,
    }
    return AptRepository.model_validate({**values, **changes})


def _script(node: Node, repository: AptRepository | None, body: str) -> Done:
    text = "set -euo pipefail\n" + "".join(render(f"common/{part}") for part in _PARTS)
    lines = flat.render(repository_lines(repository))
    return node.script(f"{text}\nstep=test.repository\nrecord_read\n{body}", lines)


def _set(node: Node, repository: AptRepository | None) -> Done:
    return _script(node, repository, "repository_set test\n")


def _facts(node: Node) -> Mapping[str, str]:
    done = _script(node, None, _FACTS)
    assert done.status == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def served(node: Node) -> Node:
    """Return the node with the fixture's repository served on it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(FIXTURES, arcname=".")
    node.script(
        "mkdir /srv/repository && base64 -d | tar -C /srv/repository -x",
        base64.b64encode(packed.getvalue()).decode(),
    )
    node.run(
        "systemd-run --quiet --unit test-repository "
        "python3 -m http.server --bind 127.0.0.1 --directory /srv/repository 8999"
    )
    wait_until(
        lambda: node.script("exec 3<>/dev/tcp/127.0.0.1/8999").status == 0, 20, "the test's web server"
    )
    return node


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key_fingerprint": "0" * 40}, f"is not {'0' * 40}: it holds {SIGNER} {OTHER}."),
        ({"key_fingerprint": OTHER}, "apt cannot use the repository"),
        ({"key_url": f"{SERVER}/hello.deb"}, "not an OpenPGP key file"),
        ({"key_url": f"{SERVER}/none.asc"}, "cannot be fetched"),
        ({"suite": "other"}, "apt cannot use the repository"),
        ({"url": "http://127.0.0.1:9/"}, "apt cannot use the repository"),
    ],
    ids=["wrong key", "another's key", "no key", "no key file", "no suite", "no server"],
)
def test_what_cannot_be_trusted_or_used_leaves_nothing(
    served: Node, changes: dict[str, str], says: str
) -> None:
    before = served.photograph()
    done = _set(served, _repository(**changes))
    assert done.status == 1
    assert says in done.stderr
    assert "Hint: " in done.stderr
    assert served.photograph() == before
    assert _facts(served) == {"repository": "none", "repository_key": "none"}


def test_a_repository_is_set_once_and_can_be_taken_back(served: Node) -> None:
    before = served.photograph()
    lists = served.run("ls /var/lib/apt/lists")
    done = _set(served, _repository())
    assert done.status == 0, done.stderr
    # apt trusts the one key, not its neighbour in the file; the lists of this repository are there.
    assert _facts(served) == {"repository": f"{SERVER}/ test main", "repository_key": SIGNER}
    assert "Candidate: 1.0" in served.run("apt-cache policy rocestack-hello")
    set_once = served.run(
        "stat -c '%n %Z' /etc/apt/keyrings/* /etc/apt/sources.list.d/* /var/lib/apt/lists/*"
    )
    assert _set(served, _repository()).status == 0
    again = served.run("stat -c '%n %Z' /etc/apt/keyrings/* /etc/apt/sources.list.d/* /var/lib/apt/lists/*")
    assert again == set_once
    assert _set(served, None).status == 0
    assert served.photograph() == before
    assert served.run("ls /var/lib/apt/lists") == lists


def test_another_key_in_the_keyring_is_seen_and_repaired(served: Node) -> None:
    assert _set(served, _repository()).status == 0
    served.run("cp /srv/repository/two-keys.asc /etc/apt/keyrings/rocestack-test.gpg")
    assert _facts(served)["repository_key"] == f"{SIGNER} {OTHER}"
    assert _set(served, _repository()).status == 0
    assert _facts(served)["repository_key"] == SIGNER
    assert _set(served, None).status == 0


def test_a_repository_that_somebody_lists_is_not_touched(served: Node) -> None:
    served.run(f"echo 'deb [trusted=yes] {SERVER} test main' >/etc/apt/sources.list.d/mine.list")
    done = _set(served, _repository())
    assert done.status == 1
    assert "/etc/apt/sources.list.d/mine.list on this host already lists" in done.stderr
    served.run("rm /etc/apt/sources.list.d/mine.list")
