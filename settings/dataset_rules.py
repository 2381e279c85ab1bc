"""The rules between the training's data and the other sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from settings.dataset import Dataset, Distribution
from settings.models import Host, Lab
from settings.problem import Problem
from settings.training import Training

ARCHIVES = ("train", "val", "lists")


def _has_its_archives(dataset: Dataset, lab: Lab | None) -> Iterable[Problem]:
    given = [name for name in ARCHIVES if getattr(dataset, name) is not None]
    if lab is not None and not given:
        return
    for name in ARCHIVES:
        if name not in given:
            why = (
                "is required; docs/how-to/imagenet.md" if lab is None else "is required beside the other two"
            )
            yield Problem(f"dataset.{name}", None, why)


def _archives_differ(dataset: Dataset) -> Iterable[Problem]:
    owner: dict[str, str] = {}
    for name in ARCHIVES:
        archive = getattr(dataset, name)
        if archive is None:
            continue
        if archive.source in owner:
            yield Problem(
                f"dataset.{name}.source",
                archive.source,
                f"is also that of dataset.{owner[archive.source]}; each archive is a file of its own",
            )
        owner[archive.source] = name


def _is_large_enough(dataset: Dataset, training: Training) -> Iterable[Problem]:
    if training.image_size > dataset.resize:
        yield Problem(
            "dataset.resize",
            dataset.resize,
            f"is less than training.image_size; allowed is at least {training.image_size}",
        )


def _has_its_port(dataset: Dataset, training: Training, hosts: tuple[Host, ...]) -> Iterable[Problem]:
    serves = dataset.distribution is Distribution.COPY and len(hosts) > 1
    if serves and dataset.port == training.redis_port:
        yield Problem("dataset.port", dataset.port, "is also training.redis_port; each needs its own")


DATASET_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("dataset", "lab"), _has_its_archives),
    (("dataset",), _archives_differ),
    (("dataset", "training"), _is_large_enough),
    (("dataset", "training", "hosts"), _has_its_port),
)
