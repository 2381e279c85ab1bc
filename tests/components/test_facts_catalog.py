"""Every setting that a component makes has its fact, or a reason why it has none."""

from __future__ import annotations

import pytest

from components.observation import HOST_STEPS
from facts.catalog import steps
from settings import flat
from settings.artifact import AptRepository
from settings.gpu import Gpu, GpuDriver, Upgrade
from settings.loader import load_file
from settings.models import Stack
from settings.ofed import Ofed, OfedFlavour
from tests.components.harness import (
    ROOT,
    Program,
    World,
    built_everywhere_stack,
    built_on,
    lab_stack,
    named_registry_stack,
    soft_roce_stack,
    streamed_stack,
    whole_lab_stack,
)

# Lines of a step's stdin that are the engine's book-keeping.
_BESIDE = ("generation", "node")
_PREFIXES = ("drift_", "former_")


def _with_repositories() -> Stack:
    repository = AptRepository(
        url="http://vendor/x", suite="./", key_url="http://vendor/key", key_fingerprint="A" * 40
    )
    gpu = Gpu(driver=GpuDriver.REPO, version="390.46", repository=repository, compute_capability="6.0")
    ofed = Ofed(flavour=OfedFlavour.DOCA_OFED, version="2.9", repository=repository)
    stack = lab_stack()
    upgrade = stack.apt.model_copy(update={"upgrade": Upgrade.FULL})
    return stack.model_copy(update={"gpu": gpu, "ofed": ofed, "apt": upgrade})


def _reference() -> Stack:
    stack = load_file(ROOT / "Pulumi.roce100g.yaml")
    registry = stack.registry.model_copy(update={"ca_file": str(ROOT / "Pulumi.yaml")})
    return stack.model_copy(update={"registry": registry})


STACKS = {
    "lab": whole_lab_stack,
    "plain": lab_stack,
    "repositories": _with_repositories,
    "reference": _reference,
    "named registry": named_registry_stack,
    "soft RoCE": soft_roce_stack,
    "streamed": streamed_stack,
    "built on the head": lambda: built_on(lab_stack(), "clx-mld-41"),
    "built everywhere": built_everywhere_stack,
    "built on a host": lambda: built_on(streamed_stack(), "clx-mld-42"),
}


def _settings(program: Program) -> dict[str, set[str]]:
    """Return each step's settings: `component.concern` to keys."""
    found: dict[str, set[str]] = {}
    for name, one in program.by_name.items():
        step = name.partition("/")[2]
        if step.count(".") != 1 or not one.type.startswith("command:"):
            continue
        keys = flat.parse(str(one.inputs["stdin"])).keys()
        found.setdefault(step, set()).update(
            key for key in keys if key not in _BESIDE and not key.startswith(_PREFIXES)
        )
    return found


@pytest.mark.parametrize("name", STACKS)
def test_each_setting_has_its_fact_or_a_reason(name: str) -> None:
    catalog = steps()
    declared = _settings(Program(World(STACKS[name]())))
    assert set(declared) - set(catalog) == set()
    missing = {
        (step, key)
        for step, keys in declared.items()
        for key in keys
        if key not in catalog[step].facts and key not in catalog[step].without
    }
    assert missing == set(), "add each to facts/catalog.py, with the way it is observed or the reason why not"


def test_the_catalog_has_no_setting_that_nothing_makes() -> None:
    declared: dict[str, set[str]] = {}
    for make in STACKS.values():
        for step, keys in _settings(Program(World(make()))).items():
            declared.setdefault(step, set()).update(keys)
    assert set(HOST_STEPS) <= set(declared)
    login = {"transport", "certificate_sha256", "jump_address", "jump_port", "jump_user", "jump_host_key"}
    for step, known in steps().items():
        unmade = {*known.facts, *known.without} - declared.get(step, set())
        assert unmade - login == set(), step
