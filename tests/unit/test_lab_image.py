"""The lab's image: what names it, and what its builders are told."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from lab import image
from lab.files import digest


def _tree(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "script").write_text("one")
    (folder / "link").symlink_to("sub/script")
    return folder


def test_a_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    first, second = _tree(tmp_path / "1" / "tree"), _tree(tmp_path / "2" / "tree")
    (second / "__pycache__").mkdir()
    (second / "__pycache__" / "x.pyc").write_text("cache")
    assert digest([first]) == digest([second])


@pytest.mark.parametrize("change", ["content", "name", "mode", "link", "added"])
def test_a_digest_sees_every_change(tmp_path: Path, change: str) -> None:
    tree = _tree(tmp_path / "tree")
    before = digest([tree])
    script = tree / "sub" / "script"
    if change == "content":
        script.write_text("two")
    elif change == "name":
        script.rename(tree / "sub" / "other")
    elif change == "mode":
        script.chmod(0o755)
    elif change == "link":
        (tree / "link").unlink()
        (tree / "link").symlink_to("sub")
    else:
        (tree / "new").write_text("")
    assert digest([tree]) != before


def test_packages() -> None:
    assert image.packages("# why\ncurl\n\niproute2  # for ip\n") == ["curl", "iproute2"]


def test_the_list_has_what_the_nodes_need() -> None:
    wanted = image.packages((image.NODE / "packages.txt").read_text())
    assert {"docker.io", "docker-registry", "openssh-server", "rdma-core", "perftest", "systemd-sysv"} <= set(
        wanted
    )
    assert wanted == sorted(wanted)


def test_mmdebstrap_takes_its_own_mirror_without_ours() -> None:
    command = image._mmdebstrap(["curl", "dbus"], Path("/x/base.tar"), [])
    assert command[:3] == ["mmdebstrap", "--variant=minbase", "--include=curl,dbus"]
    assert command[-2:] == ["bookworm", "/x/base.tar"]
    assert image._mmdebstrap(["curl"], Path("/x/base.tar"), ["deb x"])[-2:] == ["/x/base.tar", "deb x"]


def test_the_build_context_has_one_owner_and_plain_modes(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    (tree / "sub" / "script").chmod(0o700)
    (tree / "secretive").write_text("x")
    (tree / "secretive").chmod(0o600)
    with tarfile.open(fileobj=image._context([tree])) as context:
        found = {entry.name: (entry.mode, entry.uid) for entry in context if not entry.issym()}
    assert found == {
        "tree": (0o755, 0),
        "tree/sub": (0o755, 0),
        "tree/sub/script": (0o755, 0),
        "tree/secretive": (0o644, 0),
    }
