"""The data's section: what each setting allows, and what it needs of the others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.dataset import Archive, Dataset, Encoding
from settings.loader import SettingsError, parse

Sections = dict[str, Any]
LAB_FILE = Path(__file__).parents[2] / "Pulumi.lab.yaml"
_ARCHIVES = {
    name: {"source": f"/share/{name}.tar", "md5": f"{number:032x}"}
    for number, name in enumerate(("train", "val", "lists"), start=1)
}


@pytest.fixture
def sections() -> Sections:
    config = yaml.safe_load(LAB_FILE.read_text())["config"]
    found = copy.deepcopy({key.partition(":")[2]: value for key, value in config.items()})
    found["dataset"] = copy.deepcopy(_ARCHIVES)
    return found


def _set(name: str, value: Any) -> Callable[[Sections], None]:
    return lambda sections: sections["dataset"].update({name: value})


def _archive(name: str, **values: str) -> Callable[[Sections], None]:
    return lambda sections: sections["dataset"][name].update(values)


def _drop(name: str) -> Callable[[Sections], None]:
    return lambda sections: sections["dataset"].pop(name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("name", "Image Net"), "dataset.name = 'Image Net': string should match"),
        (_archive("val", md5="29b2"), "dataset.val.md5 = '29b2': string should match"),
        (_archive("train", source="share/train.tar"), "dataset.train.source = 'share/train.tar': string"),
        (
            _archive("train", source="/share/val.tar"),
            "dataset.val.source = '/share/val.tar': is also that of",
        ),
        (_set("distribution", "nfs"), "dataset.distribution = 'nfs': input should be 'copy', 'shared' or"),
        (_set("encoding", "png"), "dataset.encoding = 'png': input should be 'raw' or 'jpeg'"),
        (_set("resize", 48), "dataset.resize = 48: is less than training.image_size; allowed is at least 64"),
        (_set("workers", 0), "dataset.workers = 0: input should be greater than or equal to 1"),
        (_set("port", 5555), "dataset.port = 5555: is also training.redis_port; each needs its own"),
        (_drop("lists"), "dataset.lists = None: is required beside the other two"),
        (_set("test", {}), "dataset.test = {}: is not a known setting"),
    ],
)
def test_one_wrong_value_is_one_clear_error(
    sections: Sections, change: Callable[[Sections], None], says: str
) -> None:
    parse(sections, "Pulumi.lab.yaml")
    change(sections)
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.lab.yaml")
    (problem,) = caught.value.problems
    assert str(problem).startswith(says)


def test_one_host_hands_out_nothing_so_needs_no_port(sections: Sections) -> None:
    sections["dataset"]["port"] = 5555
    del sections["hosts"][1]
    parse(sections, "Pulumi.lab.yaml")


def test_metal_needs_its_archives(sections: Sections) -> None:
    del sections["lab"], sections["dataset"]
    with pytest.raises(SettingsError) as caught:
        parse(sections, "Pulumi.metal.yaml")
    said = [str(problem) for problem in caught.value.problems if problem.path.startswith("dataset")]
    assert said == [
        f"dataset.{name} = None: is required; docs/how-to/imagenet.md" for name in ("train", "val", "lists")
    ]


_DATA = Dataset.model_validate(_ARCHIVES)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"val": Archive(source="/share/val.tar", md5="f" * 32)}, False),
        ({"resize": 128}, False),
        ({"encoding": Encoding.JPEG}, False),
        ({"val": Archive(source="http://mirror/val.tar", md5=f"{2:032x}")}, True),
        ({"workers": 32}, True),
        ({"port": 5557}, True),
    ],
)
def test_the_identity_is_that_of_the_records(change: dict[str, Any], same: bool) -> None:
    assert _DATA.identity.startswith("photographs-")
    assert (_DATA.model_copy(update=change).identity == _DATA.identity) is same
