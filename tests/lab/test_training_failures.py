"""The job's failures on the lab: a sentence and a remedy each, nothing left running, and a fresh run after.

The runs that fail are short ones; each failure stands on the lab that the one before it left in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.conftest import LabCluster, stack_file_with
from tests.lab.drifts import HEAD, NODE
from tests.waiting import wait_until
from training.bandwidth import SERVER

pytestmark = pytest.mark.full

_SHARD = "caffe2-shard-1"
# What is promised: from a shard's death to the end of `up`, all other shards stopped.
_NOTICED_WITHIN_S = 30
_SHORT = {"num_epochs": 1, "epoch_size": 160, "test_epoch_size": 32, "barrier_seconds": 10}
_LONGER = {"num_epochs": 1, "epoch_size": 640, "test_epoch_size": 32}
_REDIS = "31.31.31.41:5555"
_REDIS_CLI = ("docker", "exec", "redis", "redis-cli", "-h", "31.31.31.41", "-p", "5555")


class Runs:
    """Runs of a short job with a name each, on the one lab of this file."""

    def __init__(self, lab: LabCluster, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self._count = 0

    def settings(self, **training: object) -> tuple[str, str]:
        """Return the option of `up` for the settings of another run."""
        self._count += 1
        named = {**_SHORT, "run": f"try-{self._count}", **training}
        return "--config-file", stack_file_with(self._folder, training=named)

    def again(self, option: tuple[str, str]) -> None:
        """Run `up` once more: the same run's name, another identity, and this time it ends well."""
        failed = self.run_id()
        self.lab.up(*option)
        training = self.lab.outputs()["training"]
        assert training["run_id"] != failed
        assert len(training["shards"]) == 2

    def run_id(self) -> str:
        """Return the identity of the run that the head host's shard was made for."""
        label = '{{index .Config.Labels "rocestack.run_id"}}'
        return self.lab.on(HEAD, "docker", "inspect", "-f", label, "caffe2-shard-0").strip()

    def nothing_runs(self) -> bool:
        """Return whether no shard, no measurement and nobody who waits for them is left."""
        for node in (HEAD, NODE):
            names = self.lab.on(node, "docker", "ps", "--format", "{{.Names}}").split()
            if set(names) - {"redis"}:
                return False
        waiting = self.lab.run("pgrep", "-f", "^python -m training (wait|verify)", check=False)
        return waiting.stdout == ""


@pytest.fixture(scope="module")
def runs(lab: LabCluster, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    made = Runs(lab, tmp_path_factory.mktemp("stack"))
    lab.up(*made.settings())
    return made


@pytest.fixture(autouse=True)
def _ends_in_order(runs: Runs) -> Iterator[None]:
    yield
    assert runs.nothing_runs()


def _fails(runs: Runs, option: tuple[str, str], meanwhile: Callable[[], None] | None = None) -> str:
    """Run an `up` that fails, with what happens meanwhile; return all that it said. Nothing runs then."""
    with ThreadPoolExecutor(1) as pool:
        up = pool.submit(runs.lab.up, *option, check=False)
        if meanwhile is not None:
            meanwhile()
        done = up.result()
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert runs.nothing_runs(), said
    return said


def _trains(lab: LabCluster, old: str) -> bool:
    is_new = lab.on(NODE, "docker", "inspect", "-f", "{{.Id}}", _SHARD, check=False) != old
    return is_new and "Finished iteration 2/" in lab.on(NODE, "docker", "logs", _SHARD, check=False)


def test_a_killed_shard_ends_the_job_and_the_next_up_is_a_fresh_run(runs: Runs, lab: LabCluster) -> None:
    old = lab.on(NODE, "docker", "inspect", "-f", "{{.Id}}", _SHARD)
    option = runs.settings(**_LONGER)
    with ThreadPoolExecutor(1) as pool:
        up = pool.submit(lab.up, *option, check=False)
        wait_until(lambda: _trains(lab, old), 300, "a step of the new run")
        lab.on(NODE, "docker", "kill", _SHARD)
        done = up.result(timeout=_NOTICED_WITHIN_S)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"Shard 1 on {NODE} failed with exit status 137: It was killed from outside." in said, said
    assert f"Shard 0 on {HEAD} " in said, said
    assert runs.nothing_runs()
    runs.again(option)
    assert lab.is_clean(*option)


def test_a_redis_that_cannot_come_up_says_why(runs: Runs, lab: LabCluster) -> None:
    image = lab.on(HEAD, "docker", "inspect", "-f", "{{.Image}}", "redis").strip()
    lab.on(HEAD, "docker", "rm", "--force", "redis")
    other = ("docker", "run", "--detach", "--name", "other", "--network", "host", image)
    lab.on(HEAD, *other, "redis-server", "--port", "5555", "--bind", "31.31.31.41")
    option = runs.settings()
    try:
        done = lab.up(*option, check=False)
    finally:
        lab.on(HEAD, "docker", "rm", "--force", "other")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"Redis on {HEAD} (root@127.0.0.1 port 22401) did not come up. It says: " in said, said
    assert "something else has that port there" in said, said
    assert lab.on(HEAD, "docker", "ps", "--quiet").strip() == ""
    lab.up(*option)
    assert lab.is_clean(*option)


def test_a_host_that_does_not_reach_redis(runs: Runs, lab: LabCluster) -> None:
    rule = ("OUTPUT", "-p", "tcp", "-d", "31.31.31.41", "--dport", "5555", "-j", "DROP")
    lab.on(NODE, "iptables", "-I", *rule)
    option = runs.settings()
    try:
        said = _fails(runs, option)
    finally:
        lab.on(NODE, "iptables", "-D", *rule)
    assert (
        f"Shard 1 on {NODE} failed with exit status 91: Redis at {_REDIS} did not answer within 10 s" in said
    )
    assert "Hint: Is the Redis container running on the head host, and does the data network carry" in said, (
        said
    )
    runs.again(option)


def test_a_redis_that_dies_while_the_shards_meet(runs: Runs, lab: LabCluster) -> None:
    rule = ("OUTPUT", "-p", "tcp", "-d", "31.31.31.41", "--dport", "5555", "-j", "DROP")
    lab.on(NODE, "iptables", "-I", *rule)
    option = runs.settings(barrier_seconds=60)
    before = runs.run_id()

    def kill_redis() -> None:
        def has_come() -> bool:
            run = runs.run_id() if "caffe2-shard-0" in lab.on(HEAD, "docker", "ps") else before
            return run != before and "1" in lab.on(HEAD, *_REDIS_CLI, "HLEN", f"{run}:barrier", check=False)

        wait_until(has_come, 120, "shard 0 in Redis")
        lab.on(HEAD, "docker", "kill", "redis")

    try:
        said = _fails(runs, option, kill_redis)
    finally:
        lab.on(NODE, "iptables", "-D", *rule)
    assert f"Shard 0 on {HEAD} failed with exit status 91: Redis at {_REDIS} went away" in said, said
    runs.again(option)


def test_a_redis_that_dies_in_the_training_is_not_missed(runs: Runs, lab: LabCluster) -> None:
    old = lab.on(NODE, "docker", "inspect", "-f", "{{.Id}}", _SHARD)
    option = runs.settings(**_LONGER)
    with ThreadPoolExecutor(1) as pool:
        up = pool.submit(lab.up, *option)
        wait_until(lambda: _trains(lab, old), 300, "a step of the new run")
        lab.on(HEAD, "docker", "kill", "redis")
        up.result()
    # The shards have met, and nothing of the run is in Redis that they need; the next look finds it missing.
    assert lab.outputs()["proof"]["problems"] == []
    assert set(lab.planned(*option)) == {f"{HEAD}/redis"}
    lab.up(*option)
    assert lab.is_clean(*option)


def test_a_run_id_that_was_used_before(runs: Runs, lab: LabCluster) -> None:
    option = runs.settings()
    steps = json.loads(lab.preview("--json", *option).stdout)["steps"]
    shard = next(one["newState"]["inputs"] for one in steps if one["urn"].endswith("/caffe2-shard-0"))
    run = next(one["value"] for one in shard["labels"] if one["label"] == "rocestack.run_id")
    for number in ("0", "1"):
        assert lab.on(HEAD, *_REDIS_CLI, "HSETNX", f"{run}:barrier", number, "x").strip() == "1"
    said = _fails(runs, option)
    assert (
        f"failed with exit status 93: Shard 0 of run {run} was here before: a new try needs a new run" in said
    )
    assert "Hint: Run `pulumi up` again: it takes a new run id." in said, said
    runs.again(option)


def _while_the_network_is_measured(lab: LabCluster, *command: str) -> Callable[[], None]:
    """Return what runs a command on the second node after its data was looked at, before its shard starts."""

    def act() -> None:
        measures = ("docker", "ps", "--quiet", "--filter", f"name={SERVER}")
        wait_until(lambda: lab.on(NODE, *measures) != "", 180, "the measurement before the run")
        lab.on(NODE, *command)

    return act


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            ("mv", "/data/train_lmdb", "/data/elsewhere"),
            "There is no training data at /data/train_lmdb on this host.",
        ),
        (
            ("truncate", "--size", "1M", "/data/train_lmdb/data.mdb"),
            "/data/train_lmdb/data.mdb is cut off: it has 1048576 bytes of ",
        ),
    ],
    ids=["missing", "truncated"],
)
def test_data_that_is_gone_when_the_shard_starts(
    runs: Runs, lab: LabCluster, command: tuple[str, ...], sentence: str
) -> None:
    option = runs.settings()
    said = _fails(runs, option, _while_the_network_is_measured(lab, *command))
    lab.on(NODE, "rm", "-rf", "/data/elsewhere")
    assert f"Shard 1 on {NODE} failed with exit status 95: {sentence}" in said, said
    assert "Hint: Run `pulumi up` again: the data set is made anew where it is not as it was made." in said, (
        said
    )
    runs.again(option)


def test_data_that_is_not_shared_as_the_stack_says(runs: Runs, lab: LabCluster) -> None:
    training = {**_SHORT, "run": "shared", "data_path": "/shared"}
    stack = stack_file_with(
        Path(runs.settings()[1]).parent, training=training, dataset={"distribution": "shared"}
    )
    said = _fails(runs, ("--config-file", stack))
    assert f"{NODE} does not see photographs" in said, said
    assert "mount it here, or choose copy." in said, said
    lab.up(*runs.settings())


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (HEAD, "{} has no room in /small for "),
        (NODE, "{} has no room in /small: 4 MB are free, and the copy takes "),
    ],
)
def test_a_disk_without_room_for_the_data(runs: Runs, lab: LabCluster, host: str, says: str) -> None:
    lab.on(host, "mkdir", "/small")
    lab.on(host, "mount", "-t", "tmpfs", "-o", "size=4m", "none", "/small")
    option = runs.settings(data_path="/small")
    try:
        said = _fails(runs, option)
    finally:
        lab.on(host, "umount", "/small")
        lab.on(host, "rmdir", "/small")
    assert says.format(host) in said, said
    lab.up(*runs.settings())
    assert lab.on(HEAD, "bash", "-c", "ls -d /small 2>/dev/null || true") == ""


def test_a_disk_without_room_for_the_image(runs: Runs, lab: LabCluster) -> None:
    # An engine on a small disk of its own, as after a move of its folder; the old one's folder is under it.
    small = "systemctl stop docker.socket docker; {}; systemctl start docker"
    lab.on(NODE, "bash", "-euc", small.format("mount -t tmpfs -o size=64m none /var/lib/docker"))
    option = runs.settings()
    try:
        done = lab.up(*option, check=False)
    finally:
        lab.on(NODE, "bash", "-euc", small.format("umount /var/lib/docker"))
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert re.search(rf"{NODE} has \d+ MB free for images, and the image needs about \d+ MB\.", said), said
    assert "make room under /var/lib/docker on that host" in said, said
    assert runs.nothing_runs()
    lab.up(*option)
    assert lab.is_clean(*option)


def test_a_shard_that_cannot_be_made_leaves_no_other_waiting(runs: Runs, lab: LabCluster) -> None:
    image = lab.on(NODE, "docker", "inspect", "-f", "{{.Image}}", _SHARD).strip()
    lab.on(NODE, "docker", "rm", "--force", _SHARD)
    lab.on(NODE, "docker", "create", "--name", _SHARD, image, "true")
    option = runs.settings()
    try:
        said = _fails(runs, option)
    finally:
        lab.on(NODE, "docker", "rm", "--force", _SHARD)
    assert f"{NODE} has a container {_SHARD} that is not ours, so ours cannot be made." in said, said
    assert f"rename it, or remove it: docker rm -f {_SHARD}" in said, said
    lab.up(*option)
    assert lab.is_clean(*option)
