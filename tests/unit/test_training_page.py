"""The report's page: its numbers, its curves, what it says where something is missing, and no network."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from settings.loader import load_file
from tests.training_page import ROOT, courses, page, timed
from training.chart import colour, lines, ticks
from training.curves import read, thinned
from training.page import render


class _Reader(HTMLParser):
    """Collects texts by their tag's id, all texts, all tags, and all attributes that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.by_id: dict[str, str] = {}
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self._id = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._id = dict(attrs).get("id") or ""
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")
        ]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())
            self.by_id.setdefault(self._id, data.strip())


def test_the_numbers_are_there() -> None:
    found = _Reader(page())
    assert {name: found.by_id[name] for name in ("accuracy", "rate", "shards", "transport")} == {
        "accuracy": "0.734",
        "rate": "43.0",
        "shards": "2",
        "transport": "tcp",
    }
    for text in (
        "tcp, not RDMA",
        "1 (72e5623ecbb8)",
        "9.87",
        "not judged",
        "2.47 GB",
        "cuda: none",
        "sha256:b",
    ):
        assert text in found.texts, text


def test_packets_that_were_counted_are_there() -> None:
    counted = "325 of 326 RoCE packets IPv4 with that DSCP"
    assert counted in _Reader(page(wire={"marked": 325, "packets": 326})).texts
    assert "on the wire" not in _Reader(page()).texts


def test_what_stands_in_for_hardware_is_told() -> None:
    assert (
        "an emulated processor; a bridge"
        in _Reader(page(standins=("an emulated processor", "a bridge"))).texts
    )
    assert "stands in for hardware" not in _Reader(page()).texts


def test_each_shard_has_its_curve_in_each_chart() -> None:
    text = page()
    steps = len(courses()[0].rate)
    assert steps == len(courses()[0].loss) > 10
    for shard in (0, 1):
        paths = re.findall(rf'd="M([^"]+)" fill="none" stroke="{re.escape(colour(shard))}"', text)
        assert [path.count("L") + 1 for path in paths] == [steps] * 3
    for axis in ("seconds since the start", "images/s", "Training loss"):
        assert axis in text


def test_the_page_needs_no_network_and_runs_nothing() -> None:
    found = _Reader(page())
    assert found.loads == []
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert "default-src 'none'" in page()


def test_what_others_wrote_is_only_text() -> None:
    bad = "<script>alert(1)</script>"
    text = page(missing=(bad,), problems=[bad], run=bad, dataset={"name": bad})
    assert "script" not in _Reader(text).tags
    assert "alert(1)" in text


def test_what_is_missing_is_said() -> None:
    found = _Reader(page(missing=("shard 1 on clx-mld-42: lost",), given=courses()[:1]))
    assert "Not in the curves: shard 1 on clx-mld-42: lost" in found.texts
    bare = _Reader(page(given=[], bandwidth=[], problems=["No byte."]))
    assert {"not measured", "No byte.", "What the proof lacks"} <= set(bare.texts)
    assert "Training loss" not in bare.texts


def test_no_proof_no_page() -> None:
    stack = load_file(ROOT / "Pulumi.lab.yaml")
    for outputs in ({}, {"proof": {"run_id": "r", "state": "started"}}, {"proof": "unknown"}):
        with pytest.raises(ValueError, match="no proof"):
            render("lab", stack, outputs, [], [])


def test_a_course_has_each_step_at_its_time() -> None:
    course = read(0, timed(0))
    times = [x for x, _ in course.rate]
    assert times == sorted(times)
    assert course.loss[0][0] > course.rate[0][0]
    assert all(0 <= y <= 1 for _, y in course.accuracy)
    untimed = [line.split(" ", 1)[1] for line in timed(0)]
    assert read(0, untimed).rate == ()


def test_thinned_keeps_the_means() -> None:
    points = tuple((float(x), float(x)) for x in range(1000))
    few = thinned(points, 10)
    assert len(few) == 10
    assert few[0] == (49.5, 49.5)
    assert thinned(points[:10], 10) == points[:10]


@pytest.mark.parametrize(
    ("low", "high", "first", "last"), [(0, 43, 0, 50), (0, 0.73, 0, 0.8), (0, 0, 0, 0.2), (-3, 7, -4, 8)]
)
def test_ticks_are_round_and_cover(low: float, high: float, first: float, last: float) -> None:
    found = ticks(low, high)
    assert (found[0], found[-1]) == (first, last)
    assert 2 <= len(found) <= 8


def test_nothing_to_draw() -> None:
    assert lines({"shard 0": (0, ())}, "t", "x", "y") == ""
