"""The rules about RDMA in software: what goes with it, and what would only look like a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from settings.ofed import KERNEL_FILES, Ofed, OfedFlavour
from settings.problem import Problem
from settings.training import Training, Transport
from settings.validation import Pairs, Validation


def _soft_roce_is_the_kernels(ofed: Ofed) -> Iterable[Problem]:
    """The device is the running kernel's: no vendor's stack brings it, and no stand-in shows its files."""
    if not ofed.soft_roce:
        return
    if ofed.flavour is not OfedFlavour.INBOX:
        yield Problem(
            "ofed.soft_roce",
            True,
            f"is the kernel's own device in place of a card; allowed with ofed.flavour inbox, not "
            f"{ofed.flavour.value}",
        )
    if ofed.sysfs_root != KERNEL_FILES:
        yield Problem(
            "ofed.sysfs_root",
            ofed.sysfs_root,
            f"is not where the kernel shows its devices; allowed with ofed.soft_roce: {KERNEL_FILES}",
        )


def _soft_roce_is_no_bandwidth(ofed: Ofed, validation: Validation) -> Iterable[Problem]:
    """A figure of it tells how fast a processor copies, and would stand where a network's belongs."""
    if ofed.soft_roce and validation.pairs is not Pairs.NONE:
        yield Problem(
            "validation.pairs",
            validation.pairs.value,
            "would measure the processors and not a network; allowed with ofed.soft_roce: none",
        )


def _each_packet_is_on_the_wire(ofed: Ofed, training: Training) -> Iterable[Problem]:
    """Two shards of one host meet inside the device, where no packet is counted."""
    if ofed.soft_roce and training.transport is Transport.IBVERBS and training.shards_per_host > 1:
        yield Problem(
            "training.shards_per_host",
            training.shards_per_host,
            "would keep packets off the wire; allowed with ofed.soft_roce over ibverbs: 1",
        )


SOFT_ROCE_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("ofed",), _soft_roce_is_the_kernels),
    (("ofed", "validation"), _soft_roce_is_no_bandwidth),
    (("ofed", "training"), _each_packet_is_on_the_wire),
)
