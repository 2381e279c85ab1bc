"""What the training image is made of, by flavour, and its tag: a hash of everything that its build reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from settings import flat
from settings.image import Image, ImageFlavour

TEMPLATES = "templates/caffe2_image"
# The debian flavour's base has a name of ours here: it is pulled, or made from packages.
DEBIAN_BASE = "rocestack/bullseye"
# What is in every flavour: place in the build's context → path in the checkout.
_COMMON = {
    "check_dataset.py": f"{TEMPLATES}/check_dataset.py",
    "check_image.py": f"{TEMPLATES}/check_image.py",
    "dataset": f"{TEMPLATES}/dataset",
    "preload": f"{TEMPLATES}/preload",
    "shard.sh": "templates/training_job/shard.sh",
}


@dataclass(frozen=True)
class ImagePlan:
    """One image: what lies where in its context, the settings of its build, and those of its base's step.

    `build` has all of the step's settings but `context` and `tag`, which follow from the plan.
    """

    context: Mapping[str, Path]
    build: Mapping[str, str]
    base: Mapping[str, str]

    def settings(self) -> dict[str, str]:
        """Return the settings of the step caffe2_image.build. Raises OSError for a file that is not there."""
        places = " ".join(f"{place}={path}" for place, path in sorted(self.context.items()))
        return {**self.build, "context": places, "tag": self.tag()}

    def tag(self) -> str:
        """Return the tag of what the build would read now. Raises OSError for a file that is not there."""
        files = context_files({**self.context, "build": Path(f"{TEMPLATES}/build.apply.sh.j2")})
        return content_tag({**files, "settings": flat.render(self.build).encode()})


def image_plan(image: Image) -> ImagePlan:
    """Return how the image of these settings is made."""
    return _from_source(image) if image.flavour is ImageFlavour.SOURCE else _from_packages(image)


def _from_packages(image: Image) -> ImagePlan:
    """Return the plan of Debian's own Caffe2, whose operator tests are later than the guide's."""
    return ImagePlan(
        context=_context(image.flavour),
        build={
            "arg_base_image": DEBIAN_BASE,
            "base": "debian:bullseye",
            "flavour": image.flavour.value,
            "image": image.repository,
            "ofed_sha256": "none",
            "ofed_source": "none",
            # The guide's relu_op_test is not in Debian's Caffe2; its successor holds the same test.
            "test": "TestActivations.test_relu",
            "test_module": "caffe2.python.operator_test.activation_ops_test",
        },
        base={"base_image": DEBIAN_BASE, "source": "debian:bullseye", "suite": "bullseye"},
    )


def _from_source(image: Image) -> ImagePlan:
    """Return the plan of the guide's image: its base cannot be made here, only pulled."""
    sources = image.caffe2
    return ImagePlan(
        context=_context(image.flavour),
        build={
            "arg_base_image": image.base_reference,
            "arg_build_jobs": str(sources.build_jobs),
            "arg_caffe2_commit": sources.commit,
            "arg_caffe2_repository": sources.repository,
            # As the guide writes them: "60 61".
            "arg_cuda_arch_bin": " ".join(sources.cuda_arch_bin).replace(".", ""),
            "arg_cuda_arch_ptx": " ".join(sources.cuda_arch_ptx).replace(".", ""),
            "arg_eigen_commit": sources.eigen_commit,
            "arg_eigen_repository": sources.eigen_repository,
            "base": image.base_reference,
            "flavour": image.flavour.value,
            "image": image.repository,
            "ofed_sha256": image.ofed.sha256 if image.ofed is not None else "none",
            "ofed_source": image.ofed.source if image.ofed is not None else "none",
            "test": "",
            "test_module": "caffe2.python.operator_test.relu_op_test",
        },
        base={"base_image": image.base_reference, "source": image.base_reference, "suite": "none"},
    )


def _context(flavour: ImageFlavour) -> dict[str, Path]:
    places = {".": f"{TEMPLATES}/{flavour.value}", **_COMMON}
    return {place: Path(path) for place, path in places.items()}


def context_files(folders: Mapping[str, Path]) -> dict[str, bytes]:
    """Return the content of all files in `folders`, by the folder's given name and the path in it.

    A folder may also be one file. Raises OSError if one is not there.
    """
    files: dict[str, bytes] = {}
    for name, folder in folders.items():
        paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
        if not paths:
            raise FileNotFoundError(2, "is empty or not there", str(folder))
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                files[f"{name}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return files


def content_tag(files: Mapping[str, bytes]) -> str:
    """Return the tag: one change in any file's name or content gives another one."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()[:16]
