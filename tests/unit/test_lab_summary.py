"""What `make lab` ends with."""

from __future__ import annotations

from lab.summary import summarise

SHARD = {
    "bytes_sent": 2_469_000_000,
    "final_top1": 0.7969,
    "host": "clx-mld-41",
    "images_per_second": 20.18,
    "shard": 0,
    "top1_per_epoch": [0.6042, 0.7969],
}
OUTPUTS = {
    "hosts": {"clx-mld-41": "root@127.0.0.1 port 22401"},
    "switches": {"swx-mld-1-2": "admin@127.0.0.1 port 22400"},
    "image": "31.31.31.41:5000/rocestack/caffe2:1",
    "job": "ResNet-18 on photographs",
    "training": {
        "final_top1": 0.7969,
        "images_per_second": 20.18,
        "interface": "enp1f0",
        "run_id": "72e5",
        "shards": [SHARD],
        "transport": "tcp",
    },
    "standins": ["mlnx_qos", "kernel package"],
}


def test_all_that_is_known_is_shown() -> None:
    lines = summarise(OUTPUTS).splitlines()
    assert "  clx-mld-41     root@127.0.0.1 port 22401" in lines
    assert "  swx-mld-1-2    admin@127.0.0.1 port 22400" in lines
    assert "  job            ResNet-18 on photographs" in lines
    assert (
        "  shard 0        clx-mld-41: top-1 0.797 (per epoch 0.60 0.80), 20.2 images/s, 2.47 GB sent" in lines
    )
    assert "  together       top-1 0.797, 20.2 images/s, transport tcp on enp1f0, run 72e5" in lines
    assert "  image          31.31.31.41:5000/rocestack/caffe2:1" in lines
    assert lines[-1] == "Stand-ins for hardware (lab/README.md): mlnx_qos, kernel package"


def test_outputs_that_are_not_there_are_left_out() -> None:
    assert summarise({"switches": {"swx": "here"}}) == "\nThe cluster\n  swx            here\n"


def test_figures_that_a_failed_up_left_unknown_are_left_out() -> None:
    unknown = {**OUTPUTS, "training": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}
    assert "together" in summarise(OUTPUTS)
    assert "together" not in summarise(unknown)
    assert "The cluster" in summarise(unknown)


def test_no_outputs() -> None:
    assert summarise({}).startswith("The lab is not up")


def test_a_job_that_nobody_waited_for_has_no_figures() -> None:
    text = summarise({**OUTPUTS, "training": {"run_id": "72e5", "state": "started"}})
    assert "  run            72e5, started; nobody waited for its end\n" in text
    assert "top-1" not in text


def test_the_proof_is_one_line() -> None:
    measured = [{"gbits": 9.87}, {"gbits": 10.0}]
    shown = summarise({**OUTPUTS, "proof": {"rdma": "tcp, not RDMA", "bandwidth": measured}})
    assert (
        "proof          tcp, not RDMA; measured before it (Gb/s): 9.87, 10; as a page: make report" in shown
    )
    assert "on the wire" not in shown
    bare = summarise({**OUTPUTS, "proof": {"rdma": "tcp, not RDMA", "bandwidth": []}})
    assert "measured before it (Gb/s): nothing" in bare
    assert "proof" not in summarise({**OUTPUTS, "proof": {"run_id": "r", "state": "started"}})


def test_packets_that_were_counted_are_a_line_more() -> None:
    counted = {"wire": {"marked": 325, "packets": 326}, "dscp": {"wanted": 26}}
    shown = summarise({**OUTPUTS, "proof": {"rdma": "RDMA over ibverbs", "bandwidth": [], **counted}})
    assert "on the wire    325 of 326 RoCE packets sent were IPv4 with DSCP 26" in shown
