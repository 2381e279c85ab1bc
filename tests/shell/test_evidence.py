"""The script that tells of a host's data network around a training, with stand-ins for its tools."""

from __future__ import annotations

import shlex
from pathlib import Path

from facts import evidence
from facts.evidence import Evidence
from tests.shell.shell import FIXTURES, run

# What this machine may have, and a host of the stack need not.
NO_ENGINE = {"docker": "() { return 1; }", "ethtool": "() { return 1; }", "ofed_info": "() { return 1; }"}
STDIN = "containers: ''\ninterface: 'lo'\nsysfs_root: '{root}'\n"


def _tc(case: str) -> str:
    """Return a tc that lists the recorded filters, as text or as JSON with their counters."""
    folder = shlex.quote(str(FIXTURES / "wire" / case))
    return f'() {{ local form=txt; [[ $1 != -s ]] || form=json; cat {folder}/"${{!#}}.$form"; }}'


def _told(root: Path, tc: str) -> Evidence:
    tools = {**NO_ENGINE, "tc": _tc(tc)}
    return evidence.parse(run(evidence.script(), STDIN.format(root=root), tools).splitlines())


def _device(root: Path) -> Path:
    port = root / "class" / "infiniband" / "rxe0" / "ports" / "1"
    for folder in ("gids", "gid_attrs/types", "gid_attrs/ndevs", "hw_counters"):
        (port / folder).mkdir(parents=True)
    (port / "gids" / "1").write_text("0000:0000:0000:0000:0000:ffff:1f1f:1f29\n")
    (port / "gid_attrs" / "types" / "1").write_text("RoCE v2\n")
    (port / "gid_attrs" / "ndevs" / "0").write_text("lo\n")
    (port / "hw_counters" / "sent_pkts").write_text("3521\n")
    return root


def test_a_device_in_software_tells_its_gid_its_counters_and_the_wires(tmp_path: Path) -> None:
    told = _told(_device(tmp_path), "rdma-cm")
    assert told.device == "rxe0"
    gid = told.gid_of("31.31.31.41")
    assert gid is not None
    assert (gid.index, gid.kind) == (1, "RoCE v2")
    assert told.hardware == {"sent_pkts": 3521}
    assert set(told.wire) == {"egress", "ingress"}
    assert told.boot


def test_where_nothing_of_ours_counts_nothing_is_told(tmp_path: Path) -> None:
    assert _told(tmp_path, "none").wire == {}
