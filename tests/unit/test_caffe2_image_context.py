"""The image's tag: the same files give the same tag, and each difference another."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.image_context import content_tag, context_files

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
