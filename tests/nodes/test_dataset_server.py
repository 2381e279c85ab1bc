"""The data that the head hands out: served by a user of its own, seen when it is not, and all of it goes."""

from __future__ import annotations

import pytest

from tests.nodes.node import Node
from tests.nodes.test_docker_host import seen

STEP = "training_job.dataset_server"
WANTED = {"address": "127.0.0.1:8799", "data_path": "/data"}
UNIT = "rocestack-dataset.service"


def test_it_serves_as_its_own_user_is_set_once_and_goes_with_it(node: Node) -> None:
    before = seen(node)
    node.apply(STEP, WANTED)
    assert node.differences(STEP, WANTED) == {}
    assert node.unseen(STEP, WANTED) == set()
    process = node.run(f"systemctl show -P MainPID {UNIT}").strip()
    assert node.run(f"stat -c %U:%G /proc/{process}").strip() == "rocestack-dataset:rocestack-dataset"
    # systemd warns of users that are not meant for a service.
    assert "pecial user" not in node.run("journalctl --no-pager")
    once = seen(node)
    node.apply(STEP, WANTED)
    assert seen(node) == once
    assert node.run(f"systemctl show -P MainPID {UNIT}").strip() == process
    node.remove(STEP, WANTED)
    assert seen(node) == before
    node.remove(STEP, WANTED)
    assert seen(node) == before


def test_another_folder_is_handed_out_at_once_and_the_same_one_without_a_restart(node: Node) -> None:
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8799/manifest').read().decode())"
    process = []
    for folder in ("/data", "/other", "/other"):
        node.run(f"mkdir -p {folder} && echo of {folder} >{folder}/manifest")
        node.apply(STEP, {**WANTED, "data_path": folder})
        assert node.run(f'python3 -c "{fetch}"').strip() == f"of {folder}"
        process.append(node.run(f"systemctl show -P MainPID {UNIT}"))
    assert process[0] != process[1] == process[2]
    node.remove(STEP, {**WANTED, "data_path": "/other"})
    node.run("rm -r /data /other")


def test_a_user_that_was_here_before_stays(node: Node) -> None:
    node.run("useradd --system --user-group rocestack-dataset")
    before = seen(node)
    node.apply(STEP, WANTED)
    node.remove(STEP, WANTED)
    assert seen(node) == before
    node.run("userdel rocestack-dataset")


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            "userdel --force rocestack-dataset",
            {"address": ("127.0.0.1:8799 (until reboot: its user is gone)", "127.0.0.1:8799")},
        ),
        (
            f"systemctl stop {UNIT}",
            {"address": ("nothing listens", "127.0.0.1:8799"), "unit": ("inactive", "active")},
        ),
        (
            f"systemctl disable -q {UNIT}",
            {"address": ("127.0.0.1:8799 (until reboot)", "127.0.0.1:8799")},
        ),
    ],
)
def test_a_drift_is_seen_and_repaired(node: Node, damage: str, found: dict[str, tuple[str, str]]) -> None:
    node.apply(STEP, WANTED)
    node.run(damage)
    assert node.differences(STEP, WANTED) == found
    node.apply(STEP, WANTED)
    assert node.differences(STEP, WANTED) == {}
