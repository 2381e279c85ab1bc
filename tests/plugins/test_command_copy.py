"""CopyToRemote against a real SFTP server, and what local commands hand out as assets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from engine.plugins.common import wire
from tests.plugins.command_hosts import (
    Hosts,
    assets_archive,
    file_asset,
    folder_archive,
    running,
    text_asset,
)
from tests.plugins.harness import Background, Failed, PluginProcess

COPY = "command:remote:CopyToRemote"
REMOTE = "command:remote:Command"
LOCAL = "command:local:Command"


@pytest.fixture(scope="module")
def hosts(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with running(image, tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture
def plugin() -> Iterator[PluginProcess]:
    with PluginProcess("command") as process:
        yield process


@pytest.fixture
def there(hosts: Hosts, request: pytest.FixtureRequest) -> str:
    """Return a folder of the test's own on the host."""
    path = f"/tmp/{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    hosts.inside(f"mkdir -p {path}")
    return path


def copy(hosts: Hosts, source: Any, path: str, port: int = 22, **inputs: Any) -> dict[str, Any]:
    return {"connection": hosts.connection(port), "source": source, "remotePath": path, **inputs}


def files(hosts: Hosts, path: str) -> list[str]:
    return hosts.inside(f"cd {path} && find . -type f | sort").split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a local folder `tree` with two files and an empty folder."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "empty").mkdir()
    (tree / "a.txt").write_text("a")
    (tree / "sub" / "b.bin").write_bytes(bytes(range(256)) * 100)
    return tree


def test_a_file_goes_to_a_new_path_with_its_folders(
    plugin: PluginProcess, hosts: Hosts, there: str, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"\x00big\xff" * 4_000_000)
    inputs = copy(hosts, file_asset(tmp_path / "f"), f"{there}/deep/er/name")
    id_, state = plugin.create(COPY, inputs)
    assert len(id_) == 8
    assert state["source"]["hash"] == inputs["source"]["hash"]
    assert isinstance(state["connection"], wire.Secret)
    assert hosts.inside(f"sha256sum {there}/deep/er/name").split()[0] == inputs["source"]["hash"]
    plugin.delete(COPY, id_, state)
    assert files(hosts, there) == ["./deep/er/name"], "as the official type: what was copied stays"


def test_a_file_is_overwritten_in_place_with_its_mode(
    plugin: PluginProcess, hosts: Hosts, there: str
) -> None:
    hosts.inside(f"printf longer-than-new >{there}/f; chmod 640 {there}/f")
    before = hosts.inside(f"stat -c '%i %a' {there}/f")
    plugin.create(COPY, copy(hosts, text_asset("grüße\n"), f"{there}/f"))
    assert hosts.inside(f"stat -c '%i %a' {there}/f") == before
    assert hosts.inside(f"cat {there}/f") == "grüße"


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("{}", "new", ["./new/tree/a.txt", "./new/tree/sub/b.bin"]),
        ("{}/", "new", ["./new/a.txt", "./new/sub/b.bin"]),
        ("{}", "old", ["./old/kept", "./old/tree/a.txt", "./old/tree/sub/b.bin"]),
        ("{}/", "old", ["./old/a.txt", "./old/kept", "./old/sub/b.bin"]),
        ("{}/a.txt", "old", ["./old/a.txt", "./old/kept"]),
        ("{}/a.txt", "old/kept", ["./old/kept"]),
    ],
)
def test_the_table_of_folders_and_files(
    *,
    plugin: PluginProcess,
    hosts: Hosts,
    there: str,
    folder: Path,
    source: str,
    path: str,
    expected: list[str],
) -> None:
    if path.startswith("old"):
        hosts.inside(f"mkdir {there}/old; touch {there}/old/kept")
    local = source.format(folder)
    made = file_asset(Path(local)) if local.endswith("txt") else folder_archive(local)
    plugin.create(COPY, copy(hosts, made, f"{there}/{path}"))
    assert files(hosts, there) == expected
    # Once more changes nothing: existing folders are no error.
    plugin.create(COPY, copy(hosts, made, f"{there}/{path}"))
    assert files(hosts, there) == expected or source == "{}"


def test_empty_folders_and_contents_arrive(
    plugin: PluginProcess, hosts: Hosts, there: str, folder: Path
) -> None:
    plugin.create(COPY, copy(hosts, folder_archive(f"{folder}/"), there))
    assert hosts.inside(f"test -d {there}/empty; echo $?") == "0"
    expected = hashlib.sha256((folder / "sub" / "b.bin").read_bytes()).hexdigest()
    assert hosts.inside(f"sha256sum {there}/sub/b.bin").startswith(expected)


def test_several_assets_go_below_the_path(
    plugin: PluginProcess, hosts: Hosts, there: str, folder: Path
) -> None:
    assets = {
        "conf/one": text_asset("1"),
        "two": file_asset(folder / "a.txt"),
        "all": folder_archive(str(folder)),
        "more": assets_archive({"x/y": text_asset("y")}),
    }
    plugin.create(COPY, copy(hosts, assets_archive(assets), f"{there}/new"))
    assert files(hosts, there) == [
        "./new/all/a.txt",
        "./new/all/sub/b.bin",
        "./new/conf/one",
        "./new/more/x/y",
        "./new/two",
    ]


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("file", folder_archive("{}"), "is a file, and a folder is to be copied there"),
        ("", text_asset("x"), "is a folder; for a text it must be that of a file"),
        ("new/", text_asset("x"), "is no folder there; leave the last '/' away"),
        ("file/below", text_asset("x"), r"failed: "),
        ("new", {wire.SIGNATURE_KEY: wire.ASSET_SIGNATURE, "path": "{}/none", "hash": "x"}, "cannot read"),
    ],
)
def test_what_cannot_be_copied(
    *,
    plugin: PluginProcess,
    hosts: Hosts,
    there: str,
    folder: Path,
    path: str,
    source: dict[str, Any],
    reason: str,
) -> None:
    hosts.inside(f"touch {there}/file")
    filled = {key: value.format(folder) if key == "path" else value for key, value in source.items()}
    with pytest.raises(Failed, match=reason) as caught:
        plugin.create(COPY, copy(hosts, filled, f"{there}/{path}"))
    assert "Traceback" not in str(caught.value)
    assert files(hosts, there) == ["./file"]


def test_a_refusal_of_the_host_names_host_and_path(plugin: PluginProcess, hosts: Hosts) -> None:
    with pytest.raises(Failed, match=r"copying to /proc/x/y on root@127\.0\.0\.1:\d+ failed: the folder"):
        plugin.create(COPY, copy(hosts, text_asset("x"), "/proc/x/y"))


def test_a_server_without_sftp_is_named(plugin: PluginProcess, hosts: Hosts) -> None:
    with pytest.raises(Failed, match=r"root@127\.0\.0\.1:\d+ offers no SFTP .*Subsystem sftp"):
        plugin.create(COPY, copy(hosts, text_asset("x"), "/tmp/x", port=25))


def test_only_another_content_or_path_copies_again(plugin: PluginProcess, hosts: Hosts, there: str) -> None:
    inputs = copy(hosts, text_asset("one"), f"{there}/f", triggers=["t"])
    checked = plugin.check(COPY, inputs)
    id_, state = plugin.create(COPY, inputs)
    same = plugin.diff(COPY, checked, inputs)
    assert (same.changes, list(same.detailedDiff)) == (1, [])
    hosts.inside(f"rm {there}/f")
    elsewhere = {**inputs, "connection": hosts.connection(28)}
    moved = plugin.diff(COPY, checked, elsewhere)
    assert (moved.changes, list(moved.replaces)) == (2, [])
    state = plugin.update(COPY, id_, state, checked, elsewhere)
    assert files(hosts, there) == [], "another connection alone copies nothing"
    changed = {**elsewhere, "source": text_asset("two")}
    differs = plugin.diff(COPY, plugin.check(COPY, elsewhere), changed)
    assert (list(differs.detailedDiff), list(differs.replaces)) == (["source"], [])
    state = plugin.update(COPY, id_, state, elsewhere, changed)
    assert hosts.inside(f"cat {there}/f") == "two"
    renamed = {**changed, "remotePath": f"{there}/g"}
    plugin.update(COPY, id_, state, changed, renamed)
    assert files(hosts, there) == ["./f", "./g"], "as the official type: the old path is left behind"
    triggered = plugin.diff(COPY, checked, {**inputs, "triggers": ["u"]})
    assert list(triggered.replaces) == ["triggers[0]"]


def test_the_same_content_from_another_file_is_no_change(
    plugin: PluginProcess, hosts: Hosts, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    olds = plugin.check(COPY, copy(hosts, file_asset(tmp_path / "a"), "/tmp/f"))
    assert plugin.diff(COPY, olds, copy(hosts, file_asset(tmp_path / "b"), "/tmp/f")).changes == 1


def test_copies_and_commands_share_one_login(plugin: PluginProcess, hosts: Hosts, there: str) -> None:
    before = hosts.logins(22)
    works = [
        Background(lambda n=n: plugin.create(COPY, copy(hosts, text_asset(str(n)), f"{there}/x/{n}")))
        for n in range(20)
    ]
    command = {"connection": hosts.connection(), "create": "echo also", "addPreviousOutputInEnv": False}
    works += [Background(lambda: plugin.create(REMOTE, command)) for _ in range(10)]
    for work in works:
        work.result()
    assert len(files(hosts, there)) == 20
    assert hosts.logins(22) - before == 1


def test_a_preview_copies_nothing_and_takes_unknowns(plugin: PluginProcess, hosts: Hosts) -> None:
    inputs = copy(hosts, wire.UNKNOWN, wire.UNKNOWN)
    assert plugin.create(COPY, inputs, preview=True)[1]["source"] is wire.UNKNOWN
    dead = {**copy(hosts, text_asset("x"), "/x"), "connection": {"host": "203.0.113.1"}}
    assert plugin.create(COPY, dead, preview=True)[0] == ""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("text", "the input 'source' must be an asset or an archive, not a string"),
        (
            {wire.SIGNATURE_KEY: wire.ASSET_SIGNATURE, "uri": "https://h/f", "hash": "x"},
            "download it first and give the file",
        ),
        (
            assets_archive({"n": {wire.SIGNATURE_KEY: wire.ASSET_SIGNATURE, "uri": "https://h/f"}}),
            r"in the archive's entry 'n'",
        ),
    ],
)
def test_other_sources_are_refused(plugin: PluginProcess, hosts: Hosts, source: Any, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        plugin.check(COPY, copy(hosts, source, "/tmp/x"))


# local.Command and local.run


def test_a_local_command_hands_out_assets_and_an_archive(
    plugin: PluginProcess, tmp_path: Path, hosts: Hosts, there: str
) -> None:
    inputs = {
        "create": "mkdir out; printf one >out/a.txt; printf two >out/b.log; printf s >out/secret.txt",
        "dir": str(tmp_path),
        "assetPaths": ["out/*.txt", "!**secret*"],
        "archivePaths": ["**"],
    }
    _, state = plugin.create(LOCAL, inputs)
    assert state["assets"] == {"out/a.txt": file_asset(tmp_path / "out" / "a.txt")}
    assert sorted(state["archive"]["assets"]) == ["out/a.txt", "out/b.log", "out/secret.txt"]
    plugin.create(COPY, copy(hosts, state["archive"], there))
    assert hosts.inside(f"cat {there}/out/b.log") == "two"


def test_a_bad_pattern_is_named(plugin: PluginProcess, tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"the input 'assetPaths': the pattern 'a\[' has a '\[' without '\]'"):
        plugin.create(LOCAL, {"create": "true", "dir": str(tmp_path), "assetPaths": ["a["]})


def test_the_function_run(plugin: PluginProcess, tmp_path: Path) -> None:
    args = {"command": "cat; echo $A", "stdin": "in", "environment": {"A": "b"}, "dir": str(tmp_path)}
    request = provider_pb2.InvokeRequest(tok="command:local:run", args=wire.encode(args))
    answer = wire.decode(getattr(plugin.ask("Invoke", request), "return"))
    assert answer == {**args, "stdout": "inb", "stderr": ""}
    wrong = provider_pb2.InvokeRequest(tok="command:local:run", args=wire.encode({"comand": "x"}))
    reasons = [failure.reason for failure in plugin.ask("Invoke", wrong).failures]
    assert any("did you mean 'command'" in reason for reason in reasons)
    failing = provider_pb2.InvokeRequest(tok="command:local:run", args=wire.encode({"command": "exit 3"}))
    with pytest.raises(Failed, match=r'exit status 3: running "exit 3" on this machine'):
        plugin.ask("Invoke", failing)
    with pytest.raises(Failed, match="the function 'command:local:walk' is not served"):
        plugin.ask("Invoke", provider_pb2.InvokeRequest(tok="command:local:walk"))
