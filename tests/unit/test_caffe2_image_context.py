"""The image's tag: the same files give the same tag, and each difference another."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.image_context import content_tag, context_files, image_plan
from settings.image import Caffe2Source, Image, ImageFlavour

FILES = {"context/Dockerfile": b"FROM x", "context/a": b"1"}


def test_the_same_files_give_the_same_tag() -> None:
    assert content_tag(FILES) == content_tag(dict(reversed(FILES.items())))


@pytest.mark.parametrize(
    "changed",
    [
        {**FILES, "context/a": b"2"},
        {**FILES, "context/b": b""},
        {"context/Dockerfile": b"FROM x", "context/b": b"1"},
        {"context/Dockerfile": b"FROM x1", "context/a": b""},
        {"context/Dockerfile": b"FROM x"},
    ],
)
def test_each_difference_gives_another_tag(changed: dict[str, bytes]) -> None:
    assert content_tag(changed) != content_tag(FILES)


def test_folders_and_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "c" / "deep").mkdir(parents=True)
    (tmp_path / "c" / "Dockerfile").write_bytes(b"1")
    (tmp_path / "c" / "deep" / "x").write_bytes(b"2")
    (tmp_path / "shard.sh").write_bytes(b"3")
    assert context_files({"context": tmp_path / "c", "shard": tmp_path / "shard.sh"}) == {
        "context/Dockerfile": b"1",
        "context/deep/x": b"2",
        "shard/.": b"3",
    }


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        context_files({"photographs": tmp_path / "none"})


DIGEST = "sha256:" + "5" * 64
OFED = {"source": "/share/ofed.tgz", "sha256": "6" * 64}
SOURCE = Image(flavour=ImageFlavour.SOURCE)


def test_the_guides_image_is_built_with_the_guides_values() -> None:
    plan = image_plan(SOURCE)
    assert (plan.build["arg_cuda_arch_bin"], plan.build["arg_cuda_arch_ptx"]) == ("60 61", "61")
    assert plan.build["arg_base_image"] == "nvidia/cuda:9.2-cudnn7-devel-ubuntu16.04"
    assert plan.build["test_module"] == "caffe2.python.operator_test.relu_op_test"
    # It can only be pulled.
    assert plan.base == {
        "base_image": plan.build["arg_base_image"],
        "source": plan.build["arg_base_image"],
        "suite": "none",
    }


def test_a_digest_pins_the_base() -> None:
    image = Image.model_validate({"flavour": "source", "base": "nvidia/cuda:9.2", "base_digest": DIGEST})
    plan = image_plan(image)
    assert {plan.base["source"], plan.build["base"], plan.build["arg_base_image"]} == {
        f"nvidia/cuda@{DIGEST}"
    }


@pytest.fixture
def _checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])


@pytest.mark.usefixtures("_checkout")
@pytest.mark.parametrize(
    "change",
    [
        {"base": "nvidia/cuda:9.1-cudnn7-devel-ubuntu16.04"},
        {"base_digest": DIGEST},
        {"caffe2": Caffe2Source(commit="a" * 40)},
        {"caffe2": Caffe2Source(cuda_arch_ptx=("7.0",))},
        {"caffe2": Caffe2Source(build_jobs=4)},
        {"ofed": OFED},
        {"ofed": {"source": OFED["source"], "sha256": "7" * 64}},
    ],
)
def test_another_setting_gives_another_tag_and_the_same_one_the_same(change: dict[str, object]) -> None:
    first, again = image_plan(SOURCE).settings(), image_plan(Image(flavour=ImageFlavour.SOURCE)).settings()
    assert first == again
    changed = image_plan(Image.model_validate({"flavour": "source", **change})).settings()
    assert changed["tag"] != first["tag"]


@pytest.mark.usefixtures("_checkout")
@pytest.mark.parametrize("flavour", ImageFlavour)
def test_the_context_names_each_place_once(flavour: ImageFlavour) -> None:
    settings = image_plan(Image(flavour=flavour)).settings()
    parts = dict(part.split("=", 1) for part in settings["context"].split())
    assert parts["."] == f"templates/caffe2_image/{flavour.value}"
    assert all(Path(path).exists() for path in parts.values())


def test_a_context_without_its_files_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="not there"):
        image_plan(SOURCE).settings()
