"""The training image: how Caffe2 gets into it, and what it is built on."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.artifact import Artifact
from settings.registry import Distribution
from settings.section import Name, Section

# As `docker pull` takes it: name:tag.
ImageReference = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_.-]+$")]
ImageDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
# As CUDA writes a compute capability: 6.1.
ComputeCapability = Annotated[str, Field(pattern=r"^\d{1,2}\.\d$")]
GitRepository = Annotated[str, Field(pattern=r"^https://[A-Za-z0-9.:_-]+/[A-Za-z0-9._~/-]+$")]
GitCommit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class ImageFlavour(StrEnum):
    """How Caffe2 gets into the image.

    `debian` takes bullseye's packages (CPU). `source` is the guide's: Caffe2's sources, built on a CUDA base.
    """

    DEBIAN = "debian"
    SOURCE = "source"


class Caffe2Source(Section):
    """Caffe2's sources at one commit, and the GPUs that they are compiled for.

    The default commit is what the guide's clone of the branch master gave from April to September 2018. Its
    own copy of Eigen was taken off the net since, so that comes from another place, in the version that the
    project itself went over to.

    `cuda_arch_bin` are the compute capabilities that get machine code, `cuda_arch_ptx` those that get PTX,
    from which a driver compiles for later ones. `build_jobs` limits the compilers side by side (0: one a
    processor); one takes up to 2 GB.
    """

    repository: GitRepository = "https://github.com/facebookarchive/caffe2.git"
    commit: GitCommit = "0dd3284525079f3870df92f61bed3b94eb45ff53"
    eigen_repository: GitRepository = "https://github.com/eigenteam/eigen-git-mirror.git"
    eigen_commit: GitCommit = "e9e95489a0b241412e31f0525e85b2fab386c786"
    cuda_arch_bin: Annotated[tuple[ComputeCapability, ...], Field(min_length=1)] = ("6.0", "6.1")
    cuda_arch_ptx: tuple[ComputeCapability, ...] = ("6.1",)
    build_jobs: Annotated[int, Field(ge=0, le=256)] = 0


# The value of image.builder that names no host.
OPERATOR = "operator"


class Image(Section):
    """The training image, built once and the same on all hosts.

    `builder` says whose Docker engine builds it: `operator`, or the name of one of the stack's hosts.
    `base` is what `source` builds on, by `base_digest` where that is given. `ofed` is the vendor's archive
    (tgz) of MLNX_OFED for the base's distribution, a path or URL for the operator's machine: its user space
    goes into the image. Without it the distribution's own does.
    """

    flavour: ImageFlavour = ImageFlavour.DEBIAN
    distribution: Distribution = Distribution.REGISTRY
    builder: Name = OPERATOR
    base: ImageReference = "nvidia/cuda:9.2-cudnn7-devel-ubuntu16.04"
    base_digest: ImageDigest | None = None
    repository: Annotated[str, Field(pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$")] = "rocestack/caffe2"
    caffe2: Caffe2Source = Caffe2Source()
    ofed: Artifact | None = None

    @property
    def base_reference(self) -> str:
        """The base as it is pulled: pinned by its digest, or by its tag alone."""
        return self.base if self.base_digest is None else f"{self.base.split(':')[0]}@{self.base_digest}"
