"""The job on the lab: a shard that dies ends all of it soon, and the next `up` starts a fresh run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.conftest import LabCluster, wait_until
from tests.lab.drifts import HEAD, NODE

pytestmark = pytest.mark.full

_SHARD = "caffe2-shard-1"
# What is promised: from a shard's death to the end of `up`, all other shards stopped.
_NOTICED_WITHIN_S = 30


def _running(lab: LabCluster) -> list[str]:
    """Return the shards that run on any node."""
    ask = ("docker", "ps", "--quiet", "--filter", "name=caffe2-shard")
    return [line for node in (HEAD, NODE) for line in lab.on(node, *ask).split()]


def test_a_killed_shard_ends_the_job_and_the_next_up_is_a_fresh_run(lab: LabCluster) -> None:
    lab.up()
    before = lab.outputs()["training"]["run_id"]
    old = lab.on(NODE, "docker", "inspect", "-f", "{{.Id}}", _SHARD)
    lab.on(NODE, "docker", "rm", "--force", _SHARD)

    def trains() -> bool:
        is_new = lab.on(NODE, "docker", "inspect", "-f", "{{.Id}}", _SHARD, check=False) != old
        return is_new and "Finished iteration 2/" in lab.on(NODE, "docker", "logs", _SHARD, check=False)

    with ThreadPoolExecutor(1) as pool:
        up = pool.submit(lab.up, check=False)
        wait_until(trains, 300, "a step of the new run")
        lab.on(NODE, "docker", "kill", _SHARD)
        done = up.result(timeout=_NOTICED_WITHIN_S)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"Shard 1 on {NODE} failed with exit status 137: It was killed from outside." in said
    assert f"Shard 0 on {HEAD} " in said
    assert _running(lab) == []

    lab.up()
    after = lab.outputs()["training"]
    assert after["run_id"] != before
    assert after["final_top1"] > 0.5
    assert lab.is_clean()
