"""Bundles: a good one comes out as it went in; a damaged, cut, foreign or wrong one is refused by name."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine import archive, bundle, bundle_make, lab_images, manifest
from engine.errors import EngineError
from engine.manifest import Entry, Machine, Manifest, Pinned
from engine.paths import Checkout

ROOT = Path(__file__).resolve().parents[2]
# Without repetition, as packed programs and wheels are: in zeros some bits of a packed file mean nothing.
_RANDOM = random.Random(20)
CONTENT = {
    "bin/pulumi": _RANDOM.randbytes(12_000),
    "wheels/jinja2-3.1.6-py3-none-any.whl": _RANDOM.randbytes(10_240),
}
HERE = Machine("linux-x86_64", "cpython 3.11", "2.36")
PINNED = Pinned(
    requirements={"requirements.txt": ["jinja2==3.1.6", "PyYAML==6.0.3"]},
    plugins={"command": "1.2.1", "docker": "5.2.0"},
    cli="3.259.0",
    language_host="3.78.1",
    go_modules="ab" * 32,
)


def say_nothing(_: str) -> None:
    """Take the place of the reporter."""


def made(tmp_path: Path, content: dict[str, bytes]) -> tuple[Manifest, dict[str, Path]]:
    """Return a manifest of some files, and the files."""
    sources = {}
    for name, data in content.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        sources[name] = path
    found = Manifest(
        commit="c0ffee" * 6,
        machine=replace(HERE, glibc="2.34"),
        pinned=PINNED,
        cli=manifest.Cli("3.259.0", "3.78.1", "built from Go modules with go1.26.8"),
        plugins="dropin",
        images={"rocestack/node:0123456789ab": 525_000_000},
        files={name: archive.entry(path) for name, path in sources.items()},
    )
    return found, sources


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    found, sources = made(tmp_path, CONTENT)
    target = tmp_path / "bundle.tar.gz"
    archive.pack(found, sources, target, say_nothing)
    return target


def test_a_bundle_comes_out_as_it_went_in(tmp_path: Path, packed: Path) -> None:
    folder = tmp_path / "out"
    found = archive.unpack(packed, folder, say_nothing)
    assert found == made(tmp_path, CONTENT)[0] == archive.read_manifest(packed)
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    assert (folder / "bin/pulumi").stat().st_mode & 0o777 == 0o755
    assert (folder / "wheels/jinja2-3.1.6-py3-none-any.whl").stat().st_mode & 0o777 == 0o644


def test_a_check_alone_writes_nothing(tmp_path: Path, packed: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert archive.unpack(packed, None, say_nothing).files.keys() == CONTENT.keys()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_flipped_bit_is_refused(packed: Path) -> None:
    good = packed.read_bytes()
    content = range(len(good) // 8, len(good) * 7 // 8, 211)
    for place in [*content, len(good) - 6]:  # the last one is in gzip's own checksum
        packed.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        with pytest.raises(EngineError) as caught:
            archive.unpack(packed, None, say_nothing)
        assert str(packed) in caught.value.what, place
    packed.write_bytes(good)
    assert archive.unpack(packed, None, say_nothing).files.keys() == CONTENT.keys()


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_cut_bundle_is_refused(packed: Path, part: float) -> None:
    good = packed.read_bytes()
    packed.write_bytes(good[: int(len(good) * part)])
    with pytest.raises(EngineError, match="bundle"):
        archive.unpack(packed, None, say_nothing)


def tar_of(members: dict[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda members: {**members, "bin/pulumi": b"other"},
            r"is corrupted: bin/pulumi is not what its manifest says",
        ),
        (
            lambda members: {name: data for name, data in members.items() if not name.startswith("wheels")},
            r"is incomplete: wheels/jinja2-3\.1\.6-py3-none-any\.whl is missing in it",
        ),
        (
            lambda members: {**members, "bin/more": b"x"},
            r"is not a whole bundle: bin/more is not in its manifest",
        ),
        (
            lambda members: {"bin/pulumi": members["bin/pulumi"], **members},
            r"is not a bundle of rocestack: it does not begin with a manifest",
        ),
        (lambda members: {**members, manifest.NAME: b"{}"}, r"is not one of rocestack"),
        (lambda members: {**members, manifest.NAME: b'{"format": 9}'}, r"its format is 9"),
    ],
    ids=["altered", "missing", "added", "no manifest first", "empty manifest", "other format"],
)
def test_a_rewritten_bundle_is_refused(
    tmp_path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]], message: str
) -> None:
    found, _ = made(tmp_path, CONTENT)
    members = {manifest.NAME: found.text().encode(), **CONTENT}
    path = tmp_path / "rewritten.tar.gz"
    path.write_bytes(tar_of(members))
    assert archive.unpack(path, None, say_nothing) == found
    path.write_bytes(tar_of(change(members)))
    with pytest.raises(EngineError, match=message) as caught:
        archive.unpack(path, None, say_nothing)
    assert "Nothing was changed" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "bin/../../x", "bin/", "other/x", "bin/a/b", "bin/.x"]
)
def test_a_manifest_lists_plain_names_only(tmp_path: Path, name: str) -> None:
    found, _ = made(tmp_path, CONTENT)
    evil = replace(found, files={name: Entry(1, "0" * 64)})
    with pytest.raises(ValueError, match="which no bundle holds"):
        manifest.parse(evil.text().encode())
    assert manifest.parse(found.text().encode()) == found


def test_something_else_than_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="There is no bundle"):
        archive.read_manifest(tmp_path / "absent")
    path = tmp_path / "text.tar.gz"
    path.write_text("hello")
    with pytest.raises(EngineError, match="corrupted or cut off"):
        archive.read_manifest(path)


def other(**change: object) -> Pinned:
    return replace(PINNED, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "pinned", "why"),
    [
        (HERE, PINNED, ""),
        (replace(HERE, glibc="2.34"), PINNED, ""),
        (replace(HERE, platform="linux-aarch64"), PINNED, "for linux-x86_64, this machine is linux-aarch64"),
        (replace(HERE, python="cpython 3.12"), PINNED, "for cpython 3.11, set-up runs on cpython 3.12"),
        (replace(HERE, glibc="2.31"), PINNED, "need glibc 2.34 or later, this machine has 2.31"),
        (replace(HERE, glibc=""), PINNED, "this machine has another libc"),
        (
            HERE,
            other(requirements={"requirements.txt": ["jinja2==3.2.0", "PyYAML==6.0.3"]}),
            "it has jinja2==3.1.6, requirements.txt of this checkout asks for jinja2==3.2.0",
        ),
        (
            HERE,
            other(requirements={"requirements.txt": ["PyYAML==6.0.3"]}),
            "it has jinja2==3.1.6, requirements.txt of this checkout asks for no jinja2",
        ),
        (
            HERE,
            other(plugins={"command": "1.3.0", "docker": "5.2.0"}),
            "command 1.2.1, docker 5.2.0; this checkout uses command 1.3.0",
        ),
        (HERE, other(cli="3.260.0"), "Pulumi CLI 3.259.0, language host 3.78.1; this checkout pins 3.260.0"),
        (HERE, other(go_modules="cd" * 32), "other Go modules"),
    ],
)
def test_a_bundle_that_does_not_fit_says_why(
    tmp_path: Path, machine: Machine, pinned: Pinned, why: str
) -> None:
    found, hint = manifest.misfit(made(tmp_path, CONTENT)[0], machine, pinned)
    assert why in found
    assert bool(found) is bool(hint) is bool(why)


def test_comments_are_no_difference() -> None:
    assert manifest.wanted("# why\njinja2==3.1.6  # late\n\n") == manifest.wanted("jinja2==3.1.6\n")


@pytest.mark.parametrize(
    ("wheels", "glibc"),
    [
        ([], "0"),
        (["a-1-py3-none-any.whl"], "0"),
        (["a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"], "2.17"),
        (["a-1-cp311-cp311-manylinux_2_34_x86_64.manylinux_2_5_x86_64.whl"], "2.5"),
        (["a-1-cp311-cp311-manylinux2010_x86_64.whl", "b-1-cp39-abi3-manylinux_2_28_x86_64.whl"], "2.28"),
        (["a-1-cp311-cp311-linux_x86_64.whl", "b-1-cp39-abi3-manylinux_2_9_x86_64.whl"], "2.9"),
    ],
)
def test_the_oldest_glibc_for_all_wheels(wheels: list[str], glibc: str) -> None:
    assert manifest.oldest_glibc(wheels) == glibc


def test_the_name_says_versions_and_platform(tmp_path: Path) -> None:
    name = manifest.archive_name(made(tmp_path, CONTENT)[0], "0.1.0")
    assert name == "rocestack-bundle-0.1.0-pulumi3.259.0-linux-x86_64-cp311.tar.gz"
    assert manifest.project_version(ROOT) != "0"


def test_a_checkouts_own_bundle_fits_it() -> None:
    here = manifest.pinned(Checkout(ROOT))
    assert here.requirements["requirements-dev.txt"]
    assert manifest.pinned(Checkout(ROOT)) == here


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ENGINE_CLI", "build"), ("ENGINE_CLI", "installed"), ("ENGINE_PLUGINS", "official")],
)
def test_a_wish_that_the_bundle_cannot_fulfil_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    found, sources = made(tmp_path, CONTENT)
    here = manifest.machine()
    fitting = replace(found, machine=replace(here, glibc="0"), pinned=manifest.pinned(Checkout(ROOT)))
    path = tmp_path / "fitting.tar.gz"
    archive.pack(fitting, sources, path, say_nothing)
    for name in ("ENGINE_CLI", "ENGINE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    assert bundle.check(Checkout(ROOT), path) == fitting
    monkeypatch.setenv(variable, value)
    with pytest.raises(EngineError, match=f"{variable} is '{value}', but fitting.tar.gz brings"):
        bundle.check(Checkout(ROOT), path)


LISTED = [
    {"RepoTags": ["rocestack/node:0123456789ab"], "Created": 10, "Size": 5},
    {"RepoTags": ["rocestack/node:ba9876543210", "rocestack/node:mine"], "Created": 20, "Size": 6},
    {"RepoTags": ["127.0.0.1:5000/rocestack/caffe2:0123456789abcdef"], "Created": 40, "Size": 7},
    {"RepoTags": ["rocestack/caffe2:0123456789abcdef"], "Created": 30, "Size": 7},
    {"RepoTags": None, "Created": 50, "Size": 7},
]


def test_the_newest_image_of_each_kind_is_carried_and_no_other() -> None:
    newest = lab_images.newest(lab_images.parse(LISTED))
    assert {name: image.tag for name, image in newest.items()} == {
        "rocestack/node": "rocestack/node:ba9876543210",
        "rocestack/caffe2": "rocestack/caffe2:0123456789abcdef",
    }
    assert lab_images.parse([]) == []


def test_what_is_not_carried_is_named(tmp_path: Path) -> None:
    found, _ = made(tmp_path, CONTENT)
    text = "\n".join(bundle_make.summary(found, 1000))
    assert "image rocestack/node:0123456789ab, 525 MB" in text
    assert "not in it: rocestack/bullseye, rocestack/caffe2, rocestack/node-base" in text
    assert "mmdebstrap" in text
    whole = replace(found, images={f"{name}:0123456789ab": 1 for name in lab_images.REPOSITORIES})
    assert "not in it: rocestack" not in "\n".join(bundle_make.summary(whole, 1000))


def test_the_manifest_is_readable_json(tmp_path: Path) -> None:
    found = json.loads(made(tmp_path, CONTENT)[0].text())
    assert found["files"]["bin/pulumi"]["size"] == 12000
    assert found["pinned"]["plugins"] == {"command": "1.2.1", "docker": "5.2.0"}
