"""Images that the docker plugin builds and pushes: a real engine and a real registry with logins."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.common import wire
from tests.plugins.conftest import SshServer, run, wait_for_log
from tests.plugins.harness import Background, Failed, PluginProcess
from tests.plugins.test_docker_plugin import over_ssh

IMAGE = "docker:index/image:Image"
REMOTE = "docker:index/remoteImage:RemoteImage"
HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
BUILDERS = ("BuilderV1", "BuilderBuildKit")
PASSWORD = "open-sesame-7"
# The registry takes bcrypt only: this is the password above.
PASSWORD_HASH = "$2b$04$3g6IKVlJA7ognllARHQp1O5kky8sEtgRyVAVbyfA2egwovVdBokiS"
REGISTRY = """
version: 0.1
storage: {inmemory: {}}
http: {addr: ":5000"}
auth: {htpasswd: {realm: test, path: /etc/registry/htpasswd}}
"""


@pytest.fixture
def plugin() -> Iterator[PluginProcess]:
    with PluginProcess("docker", {"host": HOST}) as process:
        yield process


@pytest.fixture
def name() -> Iterator[str]:
    """Return an image name; the image and what it was pushed as are removed from the engine."""
    found = f"rocestack-test-{uuid.uuid4().hex[:8]}:1"
    yield found
    remove(found)


def remove(name: str) -> None:
    """Remove every name of the image of that name, if there is one."""
    if not run("docker", "images", "-q", name):
        return
    info = json.loads(run("docker", "image", "inspect", name))[0]
    run("docker", "rmi", "-f", info["Id"])


@pytest.fixture
def context(image: str, tmp_path: Path) -> Path:
    """Return a folder to build from: two stages, a build argument, a file that is ignored."""
    (tmp_path / "Dockerfile").write_text(
        f"FROM {image} AS first\nARG GREETING=none\nCOPY . /there/\n"
        "RUN echo said $GREETING && echo $GREETING > /greeting\n"
        "FROM first AS second\nRUN echo more > /more\n"
    )
    (tmp_path / "kept").write_text("kept\n")
    (tmp_path / "left.log").write_text("left out\n")
    (tmp_path / ".dockerignore").write_text("# comment\n*.log\n")
    return tmp_path


def inputs(name: str, context: Path, **build: Any) -> dict[str, Any]:
    return {"imageName": name, "build": {"context": str(context), **build}, "skipPush": True}


def show(image: str, command: str) -> str:
    return run("docker", "run", "--rm", "--entrypoint", "/bin/sh", image, "-c", command)


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_build_with_target_arguments_and_ignored_files(
    plugin: PluginProcess, context: Path, name: str, builder: str
) -> None:
    wanted = inputs(
        name,
        context,
        builderVersion=builder,
        target="first",
        args={"GREETING": "hello"},
        addHosts=["a:1.2.3.4"],
    )
    id_, state = plugin.create(IMAGE, wanted)
    built = json.loads(run("docker", "image", "inspect", name))[0]["Id"]
    assert (id_, state["repoDigest"], state["dockerfile"]) == (name, built, "Dockerfile")
    assert (state["context"], state["platform"]) == (str(context), "linux/amd64")
    assert show(name, "cat /greeting; ls -A /there; ls /more || echo absent") == (
        "hello\n.dockerignore\nDockerfile\nkept\nabsent"
    )
    assert any("said hello" in line for line in plugin.log.lines), plugin.log.lines
    plugin.delete(IMAGE, id_, state)
    assert run("docker", "images", "-q", name), "destroying leaves the image, as officially"


def test_only_changed_files_build_again(plugin: PluginProcess, context: Path, name: str) -> None:
    wanted = inputs(name, context)
    olds = plugin.check(IMAGE, wanted)
    id_, state = plugin.create(IMAGE, wanted)
    (context / "left.log").write_text("changed, and ignored\n")
    os.utime(context / "kept", (1, 1))
    assert plugin.diff(IMAGE, olds, wanted).changes == 1
    (context / "kept").write_text("changed\n")
    changed = plugin.diff(IMAGE, olds, wanted)
    assert (list(changed.detailedDiff), list(changed.replaces)) == (["build.contextDigest"], [])
    again = plugin.update(IMAGE, id_, state, olds, wanted)
    assert again["repoDigest"] != state["repoDigest"]
    assert show(name, "cat /there/kept") == "changed"


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_dockerfile_that_lies_elsewhere(
    plugin: PluginProcess, image: str, tmp_path: Path, name: str, builder: str
) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "file").write_text("content\n")
    (elsewhere / "my.Dockerfile").write_text(f"FROM {image}\nCOPY file /file\n")
    dockerfile = str(elsewhere / "my.Dockerfile")
    _, state = plugin.create(IMAGE, inputs(name, folder, dockerfile=dockerfile, builderVersion=builder))
    assert state["dockerfile"] == "../elsewhere/my.Dockerfile"
    assert show(name, "cat /file") == "content"


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_build_that_fails_shows_its_last_lines(
    plugin: PluginProcess, image: str, tmp_path: Path, name: str, builder: str
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nRUN echo last words && exit 3\n")
    with pytest.raises(Failed, match=f"the build of {name} failed: ") as caught:
        plugin.create(IMAGE, inputs(name, tmp_path, builderVersion=builder))
    assert "last words" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert run("docker", "images", "-q", name) == ""


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_cancelled_build_ends_in_the_engine_too(
    plugin: PluginProcess, image: str, tmp_path: Path, name: str, builder: str
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nRUN echo started && sleep 300; : {name}\n")
    building = Background(lambda: plugin.create(IMAGE, inputs(name, tmp_path, builderVersion=builder)))
    deadline = time.monotonic() + 60
    while not any("started" in line and "RUN" not in line for line in plugin.log.lines):
        assert time.monotonic() < deadline, plugin.log.lines
        time.sleep(0.1)
    begun = time.monotonic()
    plugin.cancel()
    with pytest.raises(Failed, match="cancelled"):
        building.result()
    while any(f"sleep 300; : {name}" in line for line in run("ps", "-eo", "args").splitlines()):
        assert time.monotonic() < begun + 30, "the step still runs"
        time.sleep(0.1)
    assert time.monotonic() < begun + 30


def test_what_cannot_be_built_is_said_before_anything_happens(
    plugin: PluginProcess, context: Path, name: str
) -> None:
    with pytest.raises(Failed, match=r"build\.context is '/nowhere', which is no folder here"):
        plugin.check(IMAGE, inputs(name, Path("/nowhere")))
    with pytest.raises(Failed, match=f"no such file; try build.dockerfile '{context}/Dockerfile'"):
        plugin.check(IMAGE, inputs(name, context, dockerfile="Dockerfile"))
    with pytest.raises(AssertionError, match="names no registry to push to"):
        plugin.check(IMAGE, {**inputs(name, context), "skipPush": False})
    with pytest.raises(AssertionError, match="buildOnPreview is not served"):
        plugin.check(IMAGE, {**inputs(name, context), "buildOnPreview": True})
    with pytest.raises(AssertionError, match="allowed are BuilderV1, BuilderBuildKit"):
        plugin.check(IMAGE, inputs(name, context, builderVersion="BuilderV3"))
    planned = plugin.create(IMAGE, inputs(name, context), preview=True)[1]
    assert planned["repoDigest"] is wire.UNKNOWN
    assert planned["imageName"] == name
    assert run("docker", "images", "-q", name) == ""


def test_a_local_image_that_is_gone_or_another_one(plugin: PluginProcess, context: Path, name: str) -> None:
    wanted = inputs(name, context)
    id_, state = plugin.create(IMAGE, wanted)
    recorded = plugin.check(IMAGE, wanted)
    assert wire.decode(plugin.read(IMAGE, id_, recorded, state).inputs) == recorded
    (context / "kept").write_text("somebody else's\n")
    run("docker", "build", "-q", "-t", name, str(context))
    (context / "kept").write_text("kept\n")
    seen = wire.decode(plugin.read(IMAGE, id_, recorded, state).inputs)
    assert list(plugin.diff(IMAGE, seen, wanted).detailedDiff) == ["build.contextDigest"]
    remove(name)
    assert plugin.read(IMAGE, id_, recorded, state).id == ""


@dataclass(frozen=True)
class Registry:
    """A registry that wants a login. `address` is where the engine finds it."""

    container: str
    address: str


@pytest.fixture(scope="module")
def registry(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    (folder / "config.yml").write_text(REGISTRY)
    (folder / "htpasswd").write_text(f"robot:{PASSWORD_HASH}\n")
    container = f"rocestack-test-{uuid.uuid4().hex[:8]}"
    run(
        *("docker", "run", "-d", "--name", container, "-p", "127.0.0.1::5000"),
        *("-v", f"{folder}:/etc/registry:ro", "--entrypoint", "/usr/bin/docker-registry", image),
        *("serve", "/etc/registry/config.yml"),
    )
    try:
        port = int(run("docker", "port", container, "5000/tcp").rsplit(":", 1)[1])
        wait_for_log(container, "listening on")
        yield Registry(container, f"127.0.0.1:{port}")
        # An image whose name went to another one still has its digest.
        for left in set(run("docker", "images", "-q", f"127.0.0.1:{port}/*").split()):
            run("docker", "rmi", "-f", left)
    finally:
        run("docker", "rm", "-f", "-v", container)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a folder whose image is a few bytes."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    (tmp_path / "file").write_text("content\n")
    return tmp_path


def pushed(registry: Registry, name: str, context: Path, **login: Any) -> dict[str, Any]:
    return {
        "imageName": f"{registry.address}/{name}",
        "build": {"context": str(context)},
        "registry": {"server": registry.address, **login},
    }


def test_a_push_with_the_programs_login(
    plugin: PluginProcess, registry: Registry, small: Path, name: str
) -> None:
    wanted = pushed(registry, name, small, username="robot", password=PASSWORD)
    olds = plugin.check(IMAGE, wanted)
    assert olds["registry"]["password"] == wire.Secret(PASSWORD)
    id_, state = plugin.create(IMAGE, wanted)
    repository = wanted["imageName"].rsplit(":", 1)[0]
    assert state["repoDigest"].startswith(f"{repository}@sha256:")
    assert state["registryServer"] == registry.address
    assert PASSWORD not in "".join(plugin.log.lines)
    assert PASSWORD not in str({key: value for key, value in state.items() if key != "__inputs"})
    assert wire.decode(plugin.read(IMAGE, id_, olds, state).inputs) == olds
    other = pushed(registry, name, small, username="robot", password="another")
    assert plugin.diff(IMAGE, olds, other).changes == 1, "a login makes no other image"
    # Pulled by digest, the image is the one that was built.
    remove(id_)
    with PluginProcess("docker", provider(registry, PASSWORD)) as other_plugin:
        _, pulled = other_plugin.create(REMOTE, {"name": state["repoDigest"], "pullTriggers": ["1"]})
        assert pulled["repoDigest"] == state["repoDigest"]
    remove(state["repoDigest"])


def provider(registry: Registry, password: str) -> dict[str, Any]:
    login = {"address": registry.address, "username": "robot", "password": password}
    return {"host": HOST, "registryAuth": json.dumps([login])}


def test_a_push_with_the_providers_login(registry: Registry, small: Path, name: str) -> None:
    wanted = {"imageName": f"{registry.address}/{name}", "build": {"context": str(small)}}
    with PluginProcess("docker", provider(registry, PASSWORD)) as process:
        id_, state = process.create(IMAGE, wanted)
        assert "@sha256:" in state["repoDigest"]
        recorded = process.check(IMAGE, wanted)
        # Somebody pushes another image under the same name.
        (small / "file").write_text("other\n")
        _, other = process.create(IMAGE, wanted)
        (small / "file").write_text("content\n")
        assert other["repoDigest"] != state["repoDigest"]
        seen = wire.decode(process.read(IMAGE, id_, recorded, state).inputs)
        assert list(process.diff(IMAGE, seen, wanted).detailedDiff) == ["build.contextDigest"]
    remove(id_)


def test_a_changed_trigger_pulls_again(registry: Registry, small: Path, name: str) -> None:
    wanted = {"imageName": f"{registry.address}/{name}", "build": {"context": str(small)}}
    with PluginProcess("docker", provider(registry, PASSWORD)) as process:
        process.create(IMAGE, wanted)
        first = {"name": wanted["imageName"], "pullTriggers": ["1"]}
        id_, state = process.create(REMOTE, first)
        recorded = process.check(REMOTE, first)
        assert wire.decode(process.read(REMOTE, id_, recorded, state).inputs) == recorded
        (small / "file").write_text("other\n")
        _, pushed_again = process.create(IMAGE, wanted)
        run("docker", "tag", state["imageId"], wanted["imageName"])
        second = {**first, "pullTriggers": ["2"]}
        changed = process.diff(REMOTE, recorded, second)
        assert (list(changed.replaces), changed.deleteBeforeReplace) == (["pullTriggers[0]"], True)
        process.delete(REMOTE, id_, state)
        _, again = process.create(REMOTE, second)
        assert again["repoDigest"] == pushed_again["repoDigest"]
        assert again["imageId"] != state["imageId"]
    remove(wanted["imageName"])


def test_a_build_over_ssh(sshd: SshServer, small: Path, name: str, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.keys / 'host.pub').read_text()}")
    (small / "big").write_bytes(os.urandom(5 << 20))
    with PluginProcess("docker", over_ssh(sshd, known)) as process:
        _, state = process.create(IMAGE, inputs(name, small))
        assert state["repoDigest"] == json.loads(run("docker", "image", "inspect", name))[0]["Id"]


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_push_without_the_right_login(
    plugin: PluginProcess, registry: Registry, small: Path, name: str, password: str
) -> None:
    login = {"username": "robot", "password": password} if password else {}
    wanted = pushed(registry, name, small, **login)
    with pytest.raises(Failed, match=r"cannot push .*; give registry\.username and registry\.password"):
        plugin.create(IMAGE, wanted)
    remove(wanted["imageName"])


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_base_image_that_needs_a_login(
    plugin: PluginProcess, registry: Registry, small: Path, name: str, builder: str
) -> None:
    base = f"{registry.address}/{name}"
    with PluginProcess("docker", provider(registry, PASSWORD)) as process:
        process.create(IMAGE, {"imageName": base, "build": {"context": str(small)}})
        remove(base)
        (small / "Dockerfile").write_text("ARG BASE\nFROM $BASE\nCOPY file /again\n")
        wanted = inputs(name, small, builderVersion=builder, args={"BASE": base})
        with pytest.raises(Failed, match="no basic auth credentials"):
            plugin.create(IMAGE, wanted)
        _, state = process.create(IMAGE, wanted)
        assert state["repoDigest"].startswith("sha256:")
    remove(name)
    remove(base)


def test_a_cache_from_a_registry(registry: Registry, small: Path, name: str) -> None:
    cached = f"{registry.address}/{name}"
    with PluginProcess("docker", provider(registry, PASSWORD)) as process:
        build = {"context": str(small), "args": {"BUILDKIT_INLINE_CACHE": "1"}}
        process.create(IMAGE, {"imageName": cached, "build": build})
        remove(cached)
        with_cache = {**build, "cacheFrom": {"images": [cached, f"{registry.address}/absent:1"]}}
        process.create(IMAGE, {"imageName": cached, "build": with_cache})
        assert f"importing cache manifest from {cached}" in process.log.lines
        assert any("absent:1 is not available" in line for line in process.log.lines)
    remove(cached)
