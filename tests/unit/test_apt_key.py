"""The check of an apt repository's key: whole fingerprints, and no key but the wanted one."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "templates/common/apt_key.py"
FIXTURES = Path(__file__).parents[1] / "fixtures/apt_repository"
# As GnuPG prints them.
SIGNER = "8F7F1BDD068C7D8A84577D1C9367CC58309EBC1A"
OTHER = "B545148E55206B0090AB3F7D40DE2934BCA88F73"


@pytest.fixture(scope="module")
def keys() -> Callable[[bytes], list[list[object]]]:
    found: Callable[[bytes], list[list[object]]] = runpy.run_path(str(SCRIPT))["keys"]
    return found


@pytest.mark.parametrize(
    ("file", "fingerprints"),
    [("key.gpg", [SIGNER]), ("other.asc", [OTHER]), ("two-keys.asc", [SIGNER, OTHER])],
)
def test_fingerprints_are_those_that_gnupg_prints(
    keys: Callable[[bytes], list[list[object]]], file: str, fingerprints: list[str]
) -> None:
    assert [one for one, _ in keys((FIXTURES / file).read_bytes())] == fingerprints


def test_a_key_is_taken_out_of_a_file_alone(keys: Callable[[bytes], list[list[object]]]) -> None:
    (_, signer), _ = keys((FIXTURES / "two-keys.asc").read_bytes())
    assert signer == (FIXTURES / "key.gpg").read_bytes()


def test_several_blocks_count_as_one_file(keys: Callable[[bytes], list[list[object]]]) -> None:
    block = (FIXTURES / "other.asc").read_bytes()
    assert [one for one, _ in keys(block + b"\n" + block)] == [OTHER, OTHER]


@pytest.mark.parametrize(
    "content",
    [
        b"<html>not found</html>",
        (FIXTURES / "key.gpg").read_bytes()[:-1],
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nno base64!\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ],
    ids=["html", "cut off", "no base64"],
)
def test_anything_else_is_refused(keys: Callable[[bytes], list[list[object]]], content: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        keys(content)


def test_an_empty_file_holds_no_key(keys: Callable[[bytes], list[list[object]]]) -> None:
    assert keys(b"") == []
