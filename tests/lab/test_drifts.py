"""Each fact of a host, changed by hand: one readable line at preview, repaired by one `up`, then in sync."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping

import pytest
from pulumi.runtime.rpc import UNKNOWN

from settings import flat
from tests.lab import drifts
from tests.lab.conftest import LabCluster
from tests.lab.drifts import HEAD, NODE, ROWS, SWITCH

pytestmark = pytest.mark.full


Placed = tuple[str, dict[str, str]]


def rounds() -> list[list[Placed]]:
    """Return the rows with their hosts in rounds, each with one row of a step and host: a note has one cause.

    The rows of a step take turns on the two hosts, where both have it.
    """
    queues: dict[tuple[str, str], list[Placed]] = defaultdict(list)
    alone: list[list[Placed]] = []
    seen: Counter[str] = Counter()
    for row in ROWS:
        node = HEAD if "host" in row else (NODE, HEAD)[seen[row["step"]] % 2]
        seen[row["step"]] += 1
        if "alone" in row:
            alone.append([(node, row)])
        else:
            queues[node, row["step"]].append((node, row))
    longest = max(len(rows) for rows in queues.values())
    beside = [[rows[turn] for rows in queues.values() if turn < len(rows)] for turn in range(longest)]
    return [*beside, *alone]


@pytest.fixture(scope="module")
def ready(lab: LabCluster) -> None:
    lab.up()
    assert lab.is_clean()


def _notes(lab: LabCluster) -> Mapping[str, Mapping[str, str]]:
    """Return step to its lines of stdin at preview, of the steps that would be updated."""
    planned = json.loads(lab.preview("--json").stdout)["steps"]
    found = {}
    for step in planned:
        if step["op"] != "same":
            name = step["urn"].rsplit("::", 1)[-1]
            text = step["newState"]["inputs"].get("stdin", "")
            # What follows from a step that is to be repaired is not known yet.
            found[name] = {} if text == UNKNOWN else flat.parse(text)
    return found


@pytest.mark.parametrize("turn", range(len(rounds())))
def test_a_change_by_hand_is_seen_and_repaired(lab: LabCluster, ready: None, turn: int) -> None:
    placed = rounds()[turn]
    for node, row in placed:
        drifts.make(lab, node, row)
    notes = _notes(lab)
    untold = []
    for node, row in placed:
        note = notes.get(f"{node}/{row['step']}", {}).get(f"drift_{row['key']}", "")
        if not drifts.is_told(row, note):
            untold.append((node, row, note))
    assert untold == []
    lab.up()
    assert lab.is_clean()


# As a person would copy it from `docker inspect`, with a variable more. The last word is an empty one.
_REDIS_ANEW = r"""
image=$(docker inspect -f '{{.Image}}' redis)
mapfile -t labels < <(docker inspect -f '{{range $k, $v := .Config.Labels}}--label={{$k}}={{$v}}
{{end}}' redis | sed '/^$/d')
mapfile -t words < <(docker inspect -f '{{range .Config.Cmd}}{{.}}
{{end}}' redis)
unset 'words[-1]'
docker rm -f redis
docker run -d --name redis --network host --user redis --cap-drop ALL --restart unless-stopped \
  --read-only --security-opt no-new-privileges:true --memory 256m \
  --log-driver json-file --log-opt max-size=4m --log-opt max-file=2 \
  --health-cmd true --env MODE=fast "${labels[@]}" "$image" "${words[@]}"
"""


def test_a_container_made_anew_by_hand_differs_by_name(lab: LabCluster, ready: None) -> None:
    lab.on(HEAD, "bash", "-euc", _REDIS_ANEW)
    status, report = drifts.preview(lab)
    # The command line has no way to give a health check as words, so that one is another too.
    keys = {f"training_job.redis.redis.{key}" for key in ("env", "healthcheck")}
    assert (status, drifts.findings(report)) == (7, {(HEAD, key) for key in keys})
    head = next(one for one in report["machines"] if one["name"] == HEAD)
    assert head["drift"]["training_job.redis.redis.env"] == {"found": "MODE", "wanted": "no MODE"}
    assert "fast" not in json.dumps(report)
    assert set(lab.planned()) == {f"{HEAD}/redis"}
    lab.up()
    assert lab.is_clean()
    assert "MODE=fast" not in lab.on(HEAD, "docker", "inspect", "redis")


def test_a_removed_container_is_seen_and_made_again_each_time(lab: LabCluster, ready: None) -> None:
    for _ in range(2):
        lab.on(HEAD, "docker", "rm", "--force", "redis")
        status, report = drifts.preview(lab)
        assert (status, drifts.findings(report)) == (7, {(HEAD, "training_job.redis.redis")})
        assert set(lab.planned()) == {f"{HEAD}/redis"}
        lab.up()
        assert lab.is_clean()


def _on_switch(lab: LabCluster, *lines: str) -> None:
    text = "".join(f"{line}\n" for line in ("enable", "configure terminal", *lines, "exit"))
    lab.on(SWITCH, "bash", "-euc", f"printf '%s' '{text}' | su -s /opt/onyx/cli admin")


def test_what_is_foreign_is_told_and_stays(lab: LabCluster, ready: None) -> None:
    assert drifts.foreign(drifts.preview(lab)[1]) == {}
    image = lab.on(NODE, "docker", "inspect", "-f", "{{.Image}}", "caffe2-shard-1").strip()
    lab.on(NODE, "docker", "create", "--name", "stray", image, "true")
    lab.on(NODE, "ip", "route", "add", "10.99.0.0/24", "via", "31.31.31.41", "dev", "enp1f0")
    _on_switch(lab, "traffic pool storage type lossy")
    wanted = {
        NODE: ["container stray", "route 10.99.0.0/24 via 31.31.31.41 dev enp1f0"],
        SWITCH: ["traffic pool storage"],
    }
    status, report = drifts.preview(lab)
    assert (status, drifts.findings(report), drifts.foreign(report)) == (0, set(), wanted)
    assert report["summary"].endswith("; 3 foreign")
    lab.up()
    assert drifts.foreign(drifts.preview(lab)[1]) == wanted
    lab.on(NODE, "docker", "rm", "stray")
    lab.on(NODE, "ip", "route", "del", "10.99.0.0/24")
    _on_switch(lab, "no traffic pool storage")
    assert drifts.foreign(drifts.preview(lab)[1]) == {}
