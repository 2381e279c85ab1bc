"""The command plugin's files: patterns, assets, what is copied and where it goes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.command import globs, source, spec
from engine.plugins.command.copy import what_counts
from engine.plugins.command.gather import gather, restored
from engine.plugins.command.transfer import target
from engine.plugins.common import diff, schema, wire
from engine.plugins.common.errors import PluginError


def asset(**fields: Any) -> dict[str, Any]:
    return {wire.SIGNATURE_KEY: wire.ASSET_SIGNATURE, **fields}


def archive(**fields: Any) -> dict[str, Any]:
    return {wire.SIGNATURE_KEY: wire.ARCHIVE_SIGNATURE, **fields}


PATHS = ["assets/logos/logo.svg", "src/index.js", "src/lib/a.js", "src/secret.js", "top.js"]


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["assets/**", "src/**.js", "!**secret.*"], PATHS[:3]),
        (["*.js"], ["top.js"]),
        (["**.js", "!**.js"], []),
        (["!**.js", "**.js"], PATHS[1:]),
        (["src/?ndex.js"], ["src/index.js"]),
        (["src?index.js"], []),
        (["src/{index,secret}.js"], ["src/index.js", "src/secret.js"]),
        (["[s-t]*/index.js", "[!a-s]op.js"], ["src/index.js", "top.js"]),
        (["[xt]op.js"], ["top.js"]),
        (["top\\.js", "\\*"], ["top.js"]),
        ([], []),
    ],
)
def test_patterns_choose(patterns: list[str], chosen: list[str]) -> None:
    assert globs.select(reversed(PATHS), patterns) == chosen


@pytest.mark.parametrize("pattern", ["a[", "a{b", "[]", "[z-a]"])
def test_patterns_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(globs.BadPattern, match="the pattern"):
        globs.compiled(pattern)


def test_assets_have_hash_and_path(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("one")
    (tmp_path / "b" / "c").write_text("two")
    found = gather({"dir": str(tmp_path), "assetPaths": ["a"], "archivePaths": ["**"]})
    one = asset(path=str(tmp_path / "a"), hash=hashlib.sha256(b"one").hexdigest())
    assert found["assets"] == {"a": one}
    assert sorted(found["archive"]["assets"]) == ["a", "b/c"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # What the engine 3.259 recorded for an archive with these two files.
        (
            {"out/a.txt": "one", "out/d/b.txt": "two"},
            "b8a577aca26cbdd974d91bf50f8b1f37faadfc3b6c4e70373d763bb03cad2b17",
        ),
    ],
)
def test_an_archive_has_the_engines_hash(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert gather({"dir": str(tmp_path), "archivePaths": ["**"]})["archive"]["hash"] == expected


def test_an_archive_with_a_long_name_has_a_hash_too(tmp_path: Path) -> None:
    (tmp_path / ("n" * 200)).write_text("x")
    assert len(gather({"dir": str(tmp_path), "archivePaths": ["**"]})["archive"]["hash"]) == 64


def test_what_the_engine_left_out_of_recorded_assets_is_restored(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    values = {"dir": str(tmp_path), "assetPaths": ["a"], "archivePaths": ["a"]}
    made = gather(values)
    sent = {
        "stdout": "",
        "assets": {"a": asset(hash=made["assets"]["a"]["hash"])},
        "archive": archive(hash=made["archive"]["hash"]),
    }
    assert restored(values, sent) == made
    assert restored(values, {"stdout": ""}) == {}
    (tmp_path / "a").write_text("two")
    assert restored(values, sent) == {"assets": made["assets"], "archive": sent["archive"]}


def test_without_patterns_there_are_no_assets() -> None:
    assert gather({}) == {}


def test_sources_are_read_with_all_their_entries(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "f").write_text("f")
    file = source.read(asset(path=str(tree / "sub" / "f")))
    assert (file.kind, file.name) == ("file", "f")
    assert file.entries == (source.Entry("", tree / "sub" / "f"),)
    assert source.read(asset(text="t")).entries == (source.Entry("", b"t"),)
    assert source.read(asset(hash="of nothing")).entries == (source.Entry("", b""),)
    entries = (source.Entry("", None), source.Entry("sub", None), source.Entry("sub/f", tree / "sub" / "f"))
    assert source.read(archive(path=str(tree))) == source.Source("folder", "tree", entries)
    assert source.read(archive(path=f"{tree}/")) == source.Source("folder", "", entries)
    several = source.read(archive(assets={"x/y": asset(text="y"), "t": archive(path=str(tree))}))
    assert (several.kind, [entry.path for entry in several.entries]) == (
        "assets",
        ["t", "t/sub", "t/sub/f", "x/y"],
    )


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (asset(path="{}/none"), "cannot read .*none, which is to be copied: No such file"),
        (archive(path="{}/linked"), "is a link to a folder"),
        (archive(assets={"../x": asset(text="x")}), "leads out of the archive"),
        (archive(assets={"/x": asset(text="x")}), "leads out of the archive"),
        (archive(assets={"x": archive(path="{}/file")}), "is a packed archive, which is not unpacked"),
    ],
)
def test_sources_that_cannot_be_copied(tmp_path: Path, made: dict[str, Any], reason: str) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        return value.format(tmp_path) if "{}" in value else value

    with pytest.raises(PluginError, match=reason):
        source.read(filled(made))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (asset(path="/f"), None),
        (archive(assets={"a": asset(text="x")}), None),
        (wire.UNKNOWN, None),
        (asset(uri="https://h/f"), "download it first"),
        (archive(uri="https://h/f"), "download it first"),
        (archive(assets={"a": asset(uri="https://h/f")}), "in the archive's entry 'a'"),
    ],
)
def test_addresses_are_no_sources(made: Any, reason: str | None) -> None:
    why = source.problem(made)
    assert (why is None) if reason is None else (why is not None and reason in why)


@pytest.mark.parametrize(
    ("kind", "name", "path", "there", "expected"),
    [
        ("folder", "d", "/r", "folder", "/r/d"),
        ("folder", "d", "/r", None, "/r/d"),
        ("folder", "d", "/r", "file", "is a file, and a folder"),
        ("folder", "", "/r", "folder", "/r"),
        ("folder", "", "/r", None, "/r"),
        ("file", "f", "/r", "folder", "/r/f"),
        ("file", "f", "/r", None, "/r"),
        ("file", "f", "/r", "file", "/r"),
        ("file", "f", "/r/", None, "leave the last '/' away"),
        ("text", "", "/r", "folder", "for a text it must be that of a file"),
        ("text", "", "/r", None, "/r"),
        ("text", "", "/r", "file", "/r"),
        ("assets", "", "/r", "folder", "/r"),
        ("assets", "", "/r", None, "/r"),
        ("assets", "", "/r", "file", "is a file, and a folder"),
    ],
)
def test_where_a_source_goes(kind: Any, name: str, path: str, there: str | None, expected: str) -> None:
    wanted = source.Source(kind, name, ())
    if expected.startswith("/"):
        assert target(wanted, path, there) == expected
    else:
        with pytest.raises(PluginError, match=expected):
            target(wanted, path, there)


@pytest.mark.parametrize(
    ("change", "copies"),
    [
        ({}, False),
        ({"connection": {"host": "other"}}, False),
        ({"source": asset(path="/b", hash="1")}, False),
        ({"source": wire.Secret(asset(path="/a", hash="1"))}, False),
        ({"source": asset(path="/a", hash="2")}, True),
        ({"remotePath": "/q"}, True),
    ],
)
def test_what_makes_a_copy_necessary(change: dict[str, Any], copies: bool) -> None:
    inputs = {"connection": {"host": "h"}, "source": asset(path="/a", hash="1"), "remotePath": "/r"}
    assert (what_counts(inputs) != what_counts({**inputs, **change})) is copies


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        (asset(path="/a", hash="1"), asset(path="/b", hash="1"), []),
        (asset(path="/a", hash="1"), asset(path="/a", hash="2"), ["update"]),
        (asset(path="/a"), asset(path="/b"), ["update"]),
        (asset(text="x", hash="1"), archive(path="/a", hash="1"), ["update"]),
        (None, asset(path="/a", hash="1"), ["add"]),
        (asset(path="/a", hash="1"), wire.UNKNOWN, ["update"]),
    ],
)
def test_assets_differ_by_their_content_as_a_whole(old: Any, new: Any, kinds: list[str]) -> None:
    changes = diff.compare(spec.COPY.inputs, {"source": old}, {"source": new})
    assert [(change.path, change.kind) for change in changes] == [("source", kind) for kind in kinds]


def test_the_schema_has_assets_and_the_function() -> None:
    types = {spec.COPY.name: spec.COPY, spec.LOCAL.name: spec.LOCAL}
    document = schema.package_schema("command", "1.2.1", types, {spec.RUN.name: spec.RUN})
    copy = document["resources"]["command:remote:CopyToRemote"]
    assert copy["inputProperties"]["source"] == {"$ref": "pulumi.json#/Asset"}
    assert sorted(copy["requiredInputs"]) == ["connection", "remotePath", "source"]
    local = document["resources"]["command:local:Command"]
    assert local["required"] == ["stderr", "stdout"]
    assert local["properties"]["archive"] == {"$ref": "pulumi.json#/Archive"}
    function = document["functions"]["command:local:run"]
    assert function["inputs"]["required"] == ["command"]
    assert sorted(function["outputs"]["required"]) == ["command", "stderr", "stdout"]


@pytest.mark.parametrize("value", ["text", {"path": "/a"}, ["x"]])
def test_a_source_that_is_no_asset(value: Any) -> None:
    [(path, reason)] = schema.problems({"source": spec.COPY.inputs["source"]}, {"source": value}, "it")
    assert path == "source"
    assert "must be an asset or an archive" in reason
