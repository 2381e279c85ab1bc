"""What `make lab` ends with."""

from __future__ import annotations

from lab.summary import summarise

OUTPUTS = {
    "hosts": {"clx-mld-41": "root@127.0.0.1 port 22401"},
    "switch": "admin@127.0.0.1 port 22400",
    "image": "registry:5000/rocestack/caffe2:1",
    "training": {
        "transport": "tcp",
        "shards": {"0": {"top1_accuracy": [0.5, 0.75], "images_per_second": 30.5}},
    },
    "standins": ["mlnx_qos", "kernel package"],
}


def test_all_that_is_known_is_shown() -> None:
    lines = summarise(OUTPUTS).splitlines()
    assert "  clx-mld-41     root@127.0.0.1 port 22401" in lines
    assert "  switch         admin@127.0.0.1 port 22400" in lines
    assert "  transport                tcp" in lines
    assert "      top1 accuracy            0.5, 0.75" in lines
    assert "      images per second        30.5" in lines
    assert "  image                    registry:5000/rocestack/caffe2:1" in lines
    assert lines[-1] == "Stand-ins for hardware (lab/README.md): mlnx_qos, kernel package"


def test_outputs_that_are_not_there_are_left_out() -> None:
    assert summarise({"switch": "here"}) == "\nThe cluster\n  switch         here\n"


def test_no_outputs() -> None:
    assert summarise({}).startswith("The lab is not up")
