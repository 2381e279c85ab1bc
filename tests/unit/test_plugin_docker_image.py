"""The docker plugin's images: the context and its digest, the request, the output, logins, the plan."""

from __future__ import annotations

import base64
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.common import diff, wire
from engine.plugins.common.errors import PluginError
from engine.plugins.common.resource import Call
from engine.plugins.docker import build_context, image_build, logins, settings
from engine.plugins.docker.build_progress import Progress
from engine.plugins.docker.host import Host
from engine.plugins.docker.image import Image
from engine.plugins.docker.remote_image import RemoteImage

RECORDED = Path(__file__).parents[1] / "fixtures" / "docker" / "build"


class Quiet:
    """A log that nobody reads."""

    def status(self, text: str) -> None:
        """Take a passing line."""

    def warning(self, text: str) -> None:
        """Take a warning."""


CALL = Call("urn:pulumi:s::p::docker:index/image:Image::it", "it", Quiet(), b"seed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a context with an ignored folder, one exception in it, and a link that leads nowhere."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("# comment\n\nlogs\n!logs/kept\n*.tmp\n")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "kept").write_text("kept")
    (tmp_path / "logs" / "left").write_text("left")
    (tmp_path / "a.tmp").write_text("left")
    (tmp_path / "a-b").write_text("1")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("2")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    return tmp_path


def found(folder: Path, dockerfile: str = "Dockerfile") -> build_context.BuildContext:
    return build_context.find(str(folder), str(folder / dockerfile))


# The context.


def test_what_belongs_to_a_build(folder: Path) -> None:
    names = build_context.files(found(folder))
    assert names == [".dockerignore", "Dockerfile", "a/file", "a-b", "link", "logs/kept"]


def test_a_dockerfiles_own_ignore_file_comes_first(folder: Path) -> None:
    (folder / "Dockerfile.dockerignore").write_text("a\n")
    assert build_context.ignore_patterns(found(folder)) == ["a"]
    assert "a.tmp" in build_context.files(found(folder))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a-b").write_text("other"),
        lambda folder: (folder / "a-b").chmod(0o755),
        lambda folder: (folder / "a-b").rename(folder / "a-c"),
        lambda folder: (folder / "new").write_text(""),
        lambda folder: (folder / "Dockerfile").write_text("FROM other\n"),
        lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("elsewhere")),
    ],
)
def test_what_changes_the_digest(folder: Path, change: Any) -> None:
    before = build_context.digest(found(folder))
    assert build_context.digest(found(folder)) == before
    change(folder)
    assert build_context.digest(found(folder)) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.tmp").write_text("other"),
        lambda folder: (folder / "logs" / "new").write_text("new"),
        lambda folder: os.utime(folder / "a-b", (1, 1)),
        lambda folder: (folder / "empty").rmdir(),
    ],
)
def test_what_does_not_change_the_digest(folder: Path, change: Any) -> None:
    before = build_context.digest(found(folder))
    change(folder)
    assert build_context.digest(found(folder)) == before


def test_the_digest_of_the_same_files_elsewhere_is_the_same(folder: Path, tmp_path: Path) -> None:
    (folder / "link").unlink()
    other = tmp_path.parent / f"{tmp_path.name}-copy"
    other.mkdir()
    for path in build_context.files(found(folder)):
        (other / path).parent.mkdir(parents=True, exist_ok=True)
        (other / path).write_bytes((folder / path).read_bytes())
        (other / path).chmod((folder / path).stat().st_mode)
    assert build_context.digest(found(other)) == build_context.digest(found(folder))


def test_the_archive_has_the_dockerfile_first_and_belongs_to_root(folder: Path) -> None:
    archive, inside = build_context.archive(found(folder))
    with archive, tarfile.open(fileobj=archive) as tar:
        entries = tar.getmembers()
    names = [entry.name for entry in entries]
    assert inside == "Dockerfile"
    assert names == [
        *("Dockerfile", ".dockerignore", "a", "a/file", "a-b"),
        *("empty", "link", "logs", "logs/kept"),
    ]
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries} == {(0, 0, "")}


def test_the_archives_first_kibibyte_is_a_plain_header(folder: Path) -> None:
    os.utime(folder / "Dockerfile", (1.25, 1.25))
    archive, _ = build_context.archive(found(folder))
    with archive:
        assert archive.read(11).rstrip(b"\0") == b"Dockerfile"


def test_a_dockerfile_that_lies_elsewhere_is_brought_along(folder: Path) -> None:
    (folder / "a" / "my").write_text("FROM other\n")
    context = build_context.find(str(folder / "logs"), str(folder / "a" / "my"))
    assert context.relative_dockerfile == "../a/my"
    archive, inside = build_context.archive(context)
    with archive, tarfile.open(fileobj=archive) as tar:
        reader = tar.extractfile(inside)
        assert reader is not None
        assert reader.read() == b"FROM other\n"
        assert set(tar.getnames()) == {inside, "kept", "left"}


@pytest.mark.parametrize(
    ("context", "dockerfile", "reason"),
    [
        ("/nowhere", "/nowhere/Dockerfile", "build.context is '/nowhere', which is no folder here"),
        ("https://example.test/a.git", "Dockerfile", "which is no folder here; give a path to one"),
        ("@", "absent", "build.dockerfile is 'absent', and there is no such file"),
        ("@", "a-b/../Dockerfile.x", "there is no such file"),
    ],
)
def test_a_context_that_is_not_there(folder: Path, context: str, dockerfile: str, reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        build_context.find(context.replace("@", str(folder)), dockerfile)
    assert reason in str(caught.value)


# The request.


def test_what_is_asked_of_the_engine() -> None:
    build = {
        "target": "first",
        "platform": "linux/arm64",
        "network": "host",
        "args": {"B": "2", "A": "1"},
        "addHosts": ["a:1.2.3.4", "b:1.2.3.5"],
        "cacheFrom": {"images": ["r/i:1"]},
        "builderVersion": "BuilderV1",
    }
    assert image_build.parameters("r/i:2", build, "Dockerfile") == {
        "t": "r/i:2",
        "dockerfile": "Dockerfile",
        "version": "1",
        "rm": "1",
        "forcerm": "1",
        "target": "first",
        "platform": "linux/arm64",
        "networkmode": "host",
        "buildargs": '{"A": "1", "B": "2"}',
        "extrahosts": "a:1.2.3.4,b:1.2.3.5",
        "cachefrom": '["r/i:1"]',
    }
    plain = image_build.parameters("i", {}, "d")
    assert plain == {"t": "i", "dockerfile": "d", "version": "2", "rm": "1", "forcerm": "1"}


@pytest.mark.parametrize(
    ("error", "lines", "name"),
    [
        (
            "failed to create LLB definition: no active sessions",
            [
                "[internal] load metadata for r:5000/a:1",
                "[internal] load metadata for r:5000/a:1: no active sessions",
            ],
            "r:5000/a:1",
        ),
        (
            "failed to solve: no active sessions",
            ["resolve image config for docker.io/docker/dockerfile:1: no active sessions"],
            "docker.io/docker/dockerfile:1",
        ),
        ("exit code: 3", ["[internal] load metadata for r:5000/a:1"], ""),
        ("no active sessions", ["something else"], ""),
    ],
)
def test_the_base_image_that_buildkit_cannot_pull(error: str, lines: list[str], name: str) -> None:
    assert image_build.missing_base(error, lines) == name


# The output, recorded from engine 20.10.


def lines(case: str) -> tuple[list[str], Progress, str]:
    progress, shown = Progress(), []
    try:
        for line in (RECORDED / f"{case}.jsonl").read_text().splitlines():
            shown += progress.take(json.loads(line))
    except PluginError as error:
        return shown, progress, str(error)
    return shown, progress, ""


@pytest.mark.parametrize(
    ("case", "some"),
    [
        ("classic", ["Step 3/3 : RUN echo said hello && cat /f", "said hello", "recorded"]),
        ("buildkit", ["[2/3] COPY f /f", "[3/3] RUN echo said hello && cat /f", "said hello", "recorded"]),
        ("buildkit-again", ["[2/3] COPY f /f: cached", "[3/3] RUN echo said hello && cat /f: cached"]),
    ],
)
def test_a_build_says_its_steps_and_their_output_once(case: str, some: list[str]) -> None:
    shown, progress, error = lines(case)
    assert error == ""
    assert [line for line in shown if line in some] == some
    assert progress.result["ID"].startswith("sha256:")


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("classic-failed", "The command '/bin/sh -c echo last words && exit 3' returned a non-zero code: 3"),
        ("buildkit-failed", "executor failed running [/bin/sh -c echo last words && exit 3]: exit code: 3"),
    ],
)
def test_a_build_that_failed(case: str, error: str) -> None:
    shown, progress, found_error = lines(case)
    assert found_error == error
    assert "last words" in shown
    assert "last words" in progress.last_lines
    assert "ID" not in progress.result


def test_a_push_gives_the_digest_and_no_progress_bars() -> None:
    progress = Progress()
    assert progress.take({"status": "Pushing", "progressDetail": {"current": 1}, "id": "a"}) == []
    assert progress.take({"status": "Pushed", "progressDetail": {}, "id": "a"}) == ["a: Pushed"]
    progress.take({"progressDetail": {}, "aux": {"Tag": "1", "Digest": "sha256:d", "Size": 5}})
    assert progress.result["Digest"] == "sha256:d"
    with pytest.raises(PluginError, match="denied"):
        progress.take({"errorDetail": {"message": "denied"}, "error": "denied"})


# Logins.


def registries(*items: dict[str, Any], **environ: str) -> tuple[settings.Registry, ...]:
    return settings.settings({"registryAuth": json.dumps(items)}, environ).registries


def file_of(user: str, password: str, address: str) -> str:
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return json.dumps({"auths": {address: {"auth": auth}}})


@pytest.mark.parametrize(
    ("item", "environ", "image", "expected"),
    [
        ({"address": "r:5000", "username": "u", "password": "p"}, {}, "r:5000/a:1", ("u", "p")),
        ({"address": "https://r:5000/v2/", "username": "u", "password": "p"}, {}, "r:5000/a/b", ("u", "p")),
        ({"address": "r:5000", "username": "u", "password": "p"}, {}, "r:5001/a:1", None),
        ({"address": "r:5000"}, {}, "r:5000/a:1", None),
        ({"address": "docker.io", "username": "u", "password": "p"}, {}, "redis:7", ("u", "p")),
        (
            {"address": "https://index.docker.io/v1/", "username": "u", "password": "p"},
            {},
            "docker.io/a/b",
            ("u", "p"),
        ),
        (
            {"address": "r:1"},
            {"DOCKER_REGISTRY_USER": "e", "DOCKER_REGISTRY_PASS": "f"},
            "r:1/a",
            ("e", "f"),
        ),
        (
            {"address": "r:1", "username": "u", "configFileContent": file_of("c", "d:e", "r:1")},
            {},
            "r:1/a",
            ("c", "d:e"),
        ),
        ({"address": "r:1", "configFileContent": file_of("c", "d", "other")}, {}, "r:1/a", None),
        ({"address": "r:1", "authDisabled": True}, {}, "r:1/a", ("username", "password")),
    ],
)
def test_which_login(
    item: dict[str, Any], environ: dict[str, str], image: str, expected: tuple[str, str] | None
) -> None:
    login = logins.login(registries(item, **environ), image)
    assert (login and (login["username"], login["password"])) == expected


def test_a_login_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(file_of("u", "p", "r:1"))
    login = logins.login(registries({"address": "r:1", "configFile": str(file)}), "r:1/a")
    assert login == {"username": "u", "password": "p", "serveraddress": "r:1"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"configFile": "/nowhere/config.json"}, "configFile /nowhere/config.json cannot be read"),
        ({"configFileContent": "no json"}, "is no docker configuration file"),
        ({"configFileContent": '{"credHelpers": {"r:1": "x"}}'}, "leaves r:1 to a credential helper"),
    ],
)
def test_login_files_that_do_not_serve(item: dict[str, Any], reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        logins.login(registries({"address": "r:1", **item}), "r:1/a")
    assert reason in str(caught.value)


def test_a_build_gets_all_logins() -> None:
    known = logins.all_of(registries({"address": "r:1", "username": "u", "password": "p"}, {"address": "s"}))
    header = json.loads(base64.urlsafe_b64decode(logins.header_of(known)))
    assert header == {"r:1": {"username": "u", "password": "p", "serveraddress": "r:1"}}


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ({"address": "r", "user": "u"}, "registryAuth[0] has no 'user'"),
        ({"username": "u"}, "registryAuth[0] must be an object with an address"),
        ("r", "registryAuth[0] must be an object with an address"),
    ],
)
def test_logins_that_are_refused(login: Any, reason: str) -> None:
    problems = settings.problems({"registryAuth": json.dumps([login])})
    assert len(problems) == 1
    assert reason in problems[0][1]


# The resource.


def checked(folder: Path, **more: Any) -> dict[str, Any]:
    return Image(Host()).check(
        CALL, {}, {"imageName": "i:1", "build": {"context": str(folder)}, "skipPush": True, **more}
    )


def test_the_recorded_inputs_are_those_of_the_official_plugin(folder: Path) -> None:
    inputs = checked(folder)
    assert set(inputs) == {"imageName", "build", "skipPush", "buildOnPreview"}
    assert set(inputs["build"]) == {"context", "dockerfile", "platform", "contextDigest"}
    assert inputs["build"]["dockerfile"] == f"{folder}/Dockerfile"
    assert inputs["build"]["platform"].startswith("linux/")


def test_unknown_paths_are_left_open(folder: Path) -> None:
    inputs = checked(folder, build={"context": wire.UNKNOWN})
    assert "contextDigest" not in inputs["build"]
    planned = Image(Host()).planned(inputs, None)
    assert planned["context"] is wire.UNKNOWN
    assert planned["repoDigest"] is wire.UNKNOWN
    assert checked(folder, build=wire.UNKNOWN)["build"] is wire.UNKNOWN


def test_a_secret_stays_one(folder: Path) -> None:
    args = wire.Secret({"TOKEN": "t"})
    inputs = checked(folder, build={"context": str(folder), "args": args}, registry={"password": "p"})
    assert inputs["build"]["args"] == args
    assert inputs["registry"]["password"] == wire.Secret("p")
    whole = checked(folder, build=wire.Secret({"context": str(folder)}))["build"]
    assert isinstance(whole, wire.Secret)
    assert "contextDigest" in whole.value


def test_another_login_alone_is_no_change(folder: Path) -> None:
    image = Image(Host())
    before = checked(folder, registry={"server": "r", "username": "u", "password": "p"})

    def changes(registry: Any) -> list[str]:
        news = checked(folder, registry=registry) if registry else checked(folder)
        return [item.path for item in image.relevant(diff.compare(image.spec.inputs, before, news))]

    assert changes({"server": "r", "username": "v", "password": "q"}) == []
    assert changes(None) == []
    assert changes({"server": "s", "username": "u", "password": "p"}) == ["registry.server"]


@pytest.mark.parametrize(
    ("name", "skip", "fits"),
    [
        ("i:1", True, True),
        ("i:1", False, False),
        ("user/i:1", False, False),
        ("docker.io/user/i:1", False, True),
        ("registry:5000/i", False, True),
        ("localhost/i", False, True),
    ],
)
def test_a_push_needs_a_registry_in_the_name(name: str, skip: bool, fits: bool) -> None:
    problems = Image(Host()).problems({"imageName": name, "skipPush": skip})
    assert (problems == []) is fits


def test_a_pulled_image_goes_before_its_successor_comes_unless_it_is_kept() -> None:
    resource = RemoteImage(Host())
    assert resource.delete_before_replace({"name": "i"})
    assert not resource.delete_before_replace({"name": "i", "keepLocally": True})
