"""Fills in what a lab's stack file leaves out: where each vendor's software is, and its sums and versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from lab.hardware.state import GPU_COUNT, TESLA_P100
from settings.artifact import AptRepository, Artifact
from settings.dataset import Archive, Dataset
from settings.docker import Docker, DockerFlavour, GpuRuntime
from settings.gpu import Gpu, GpuDriver
from settings.models import Stack
from settings.ofed import Ofed, OfedFlavour
from settings.section import Section

Manifest = Mapping[str, Any]
S = TypeVar("S", bound=Section)


def complete(stack: Stack, manifest: Manifest) -> Stack:
    """Return the stack with every source that it leaves open taken from the lab's vendors.

    What the stack file names stays as it is, and a flavour that needs no source gets none.
    """
    return stack.model_copy(
        update={
            "gpu": _gpu(stack.gpu, manifest["driver"]),
            "ofed": _ofed(stack.ofed, manifest),
            "docker": _docker(stack.docker, manifest["docker"], manifest["runtime"]),
            "dataset": _dataset(stack.dataset, manifest.get("dataset", {})),
        }
    )


def _filled(section: S, **values: Any) -> S:
    """Return the section with those values that it has none for."""
    return section.model_copy(
        update={name: value for name, value in values.items() if getattr(section, name) is None}
    )


def _repository(values: Mapping[str, Any]) -> AptRepository:
    return AptRepository.model_validate({**values, "components": tuple(values["components"])})


def _gpu(gpu: Gpu, driver: Manifest) -> Gpu:
    if gpu.driver is GpuDriver.NONE:
        return gpu
    known = _filled(gpu, version=driver["version"], count=GPU_COUNT, model=TESLA_P100.name)
    if gpu.driver is GpuDriver.LOCAL_REPO:
        return _filled(known, package=Artifact.model_validate(driver["package"]))
    return _filled(known, repository=_repository(driver["repository"]), package_version=f"{known.version}-1")


def _ofed(ofed: Ofed, manifest: Manifest) -> Ofed:
    if ofed.flavour is OfedFlavour.MLNX_OFED:
        source = manifest["mlnx_ofed"]
        return _filled(ofed, version=source["version"], iso=Artifact.model_validate(source["iso"]))
    if ofed.flavour is OfedFlavour.DOCA_OFED:
        source = manifest["doca_ofed"]
        return _filled(ofed, version=source["package_version"], repository=_repository(source["repository"]))
    return ofed


def _docker(docker: Docker, engine: Manifest, runtime: Manifest) -> Docker:
    if docker.flavour is DockerFlavour.CE:
        docker = _filled(docker, version=engine["version"], repository=_repository(engine["repository"]))
    if docker.runtime is not GpuRuntime.NONE:
        docker = _filled(
            docker,
            runtime_version=runtime[docker.runtime.value],
            runtime_repository=_repository(runtime["repository"]),
        )
    return docker


def _dataset(dataset: Dataset, archives: Manifest) -> Dataset:
    return _filled(dataset, **{name: Archive.model_validate(one) for name, one in archives.items()})
