"""The vendors' artifacts: packages are reproducible, and what the stack leaves open is filled in."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.vendor import deb, kernel
from lab.vendor.completion import complete
from lab.vendor.deb import File, Package
from settings.dataset import Archive, Dataset
from settings.docker import Docker, DockerFlavour, GpuRuntime
from settings.gpu import Gpu, GpuDriver
from settings.loader import load_file
from settings.models import Stack
from settings.ofed import Ofed, OfedFlavour

STACK_FILE = Path(__file__).parents[2] / "Pulumi.lab.yaml"
MANIFEST = json.loads((Path(__file__).parents[1] / "fixtures/vendor/manifest.json").read_text())
PACKAGE = Package(
    control="Package: tool\nVersion: 1:2.0-1\nArchitecture: all\nDescription: a tool\n that does nothing\n",
    scripts={"postinst": "#!/bin/sh\n"},
    files={
        "usr/bin/tool": File(b"#!/bin/sh\n", 0o755),
        "usr/bin/alias": File(link="tool"),
        "etc/tool.conf": File(b"x=1\n"),
    },
)


def _members(archive: bytes) -> dict[str, bytes]:
    found, at = {}, 8
    assert archive[:8] == b"!<arch>\n"
    while at < len(archive):
        size = int(archive[at + 48 : at + 58])
        found[archive[at : at + 16].decode().strip()] = archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def test_a_package_holds_its_files_scripts_and_settings() -> None:
    members = _members(deb.build(PACKAGE))
    assert list(members) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(members["data.tar.gz"])) as data:
        tool, alias = data.getmember("./usr/bin/tool"), data.getmember("./usr/bin/alias")
        assert (tool.mode, alias.linkname) == (0o755, "tool")
        assert {entry.uname for entry in data} == {"root"}
    with tarfile.open(fileobj=io.BytesIO(members["control.tar.gz"])) as control:
        assert control.extractfile("./conffiles").read() == b"/etc/tool.conf\n"  # type: ignore[union-attr]
        assert control.getmember("./postinst").mode == 0o755


def test_the_same_files_give_the_same_bytes() -> None:
    assert deb.build(PACKAGE) == deb.build(PACKAGE)


def test_an_index_says_where_each_package_is() -> None:
    content = deb.build(PACKAGE)
    lines = deb.packages_index([(PACKAGE, content)], "pool/stable").splitlines()
    assert "Filename: pool/stable/tool_2.0-1_all.deb" in lines
    assert f"SHA256: {hashlib.sha256(content).hexdigest()}" in lines
    assert PACKAGE.fields["Description"] == "a tool\n that does nothing"


def test_a_release_lists_its_indexes() -> None:
    text = deb.release({"Packages": b"x"}, "Docker", "bookworm", ["stable"])
    assert "Codename: bookworm\nComponents: stable\n" in text
    assert f" {hashlib.sha256(b'x').hexdigest()} {1:>16} Packages\n" in text


def test_placeholders_are_filled_in_names_and_texts(tmp_path: Path) -> None:
    (tmp_path / "root/usr/src/nvidia-@DRIVER@").mkdir(parents=True)
    (tmp_path / "root/usr/src/nvidia-@DRIVER@/dkms.conf").write_text("@DRIVER@")
    (tmp_path / "control").write_text("Package: nvidia\nVersion: @DRIVER@\n")
    package = deb.package_from(tmp_path, {"DRIVER": "390.12"})
    assert package.files["usr/src/nvidia-390.12/dkms.conf"].content == b"390.12"
    assert package.fields["Version"] == "390.12"


def test_no_package_of_the_kernel_has_a_placeholder_left() -> None:
    packages = kernel.archive()
    assert {one.fields["Package"] for one in packages} >= {
        f"linux-image-{kernel.KERNEL}",
        f"linux-headers-{kernel.KERNEL}",
        f"linux-image-{kernel.NEWER_KERNEL}",
        "dkms",
    }
    for package in packages:
        assert "@" not in package.control.replace("@localhost", "")
        assert not any("@" in name for name in package.files)


@pytest.fixture
def stack() -> Stack:
    return load_file(STACK_FILE)


def _with(stack: Stack, **sections: Any) -> Stack:
    return complete(stack.model_copy(update=sections), MANIFEST)


def test_what_needs_no_vendor_stays_as_it_is(stack: Stack) -> None:
    images = {
        name: Archive(source=f"/archives/{name}.tar", md5="1" * 32) for name in ("train", "val", "lists")
    }
    bare = stack.model_copy(
        update={"gpu": Gpu(), "ofed": Ofed(), "docker": Docker(), "dataset": Dataset(**images)}
    )
    assert complete(bare, MANIFEST) == bare


def test_the_images_archives_come_from_the_labs_publisher(stack: Stack) -> None:
    found = complete(stack, MANIFEST).dataset
    assert found.train is not None
    assert found.train.source == "http://vendor/dataset/photographs_img_train.tar"
    assert found.identity != stack.dataset.identity


def test_the_guides_flavours_get_their_artifacts(stack: Stack) -> None:
    found = _with(
        stack,
        gpu=Gpu(driver=GpuDriver.LOCAL_REPO),
        ofed=Ofed(flavour=OfedFlavour.MLNX_OFED),
        docker=Docker(flavour=DockerFlavour.CE, runtime=GpuRuntime.NVIDIA_DOCKER),
    )
    assert found.gpu.package is not None
    assert found.gpu.package.source.startswith("http://vendor/nvidia/")
    assert (found.gpu.version, found.gpu.count, found.gpu.model) == ("390.12", 4, "Tesla P100-PCIE-16GB")
    assert found.gpu.repository is None
    assert found.ofed.iso is not None
    assert found.ofed.iso.md5 == MANIFEST["mlnx_ofed"]["iso"]["md5"]
    assert found.docker.repository is not None
    assert found.docker.repository.key_fingerprint == MANIFEST["docker"]["repository"]["key_fingerprint"]
    assert found.docker.runtime_version == "2.0.3+docker18.03.0-1"


def test_the_modern_flavours_get_their_repositories(stack: Stack) -> None:
    found = _with(
        stack,
        gpu=Gpu(driver=GpuDriver.REPO),
        ofed=Ofed(flavour=OfedFlavour.DOCA_OFED),
        docker=Docker(runtime=GpuRuntime.CONTAINER_TOOLKIT),
    )
    assert found.gpu.repository is not None
    assert (found.gpu.package_version, found.gpu.package) == ("390.12-1", None)
    assert found.ofed.repository is not None
    assert (found.ofed.version, found.ofed.iso) == ("2.9.1-0.1.4", None)
    assert (found.docker.repository, found.docker.runtime_version) == (None, "1.17.4-1")


def test_what_the_stack_names_wins(stack: Stack) -> None:
    found = _with(stack, gpu=Gpu(driver=GpuDriver.REPO, version="390.46", count=2))
    assert (found.gpu.version, found.gpu.package_version, found.gpu.count) == ("390.46", "390.46-1", 2)
