"""The rules between the image's distribution and the registry; see settings/rules.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from settings.image import Image
from settings.problem import Problem
from settings.registry import Distribution, Registry, RegistryServer
from settings.training import Training


def _registry_where_it_is_used(image: Image, registry: Registry | None) -> Iterable[Problem]:
    """The section is needed by one distribution, and of no use to the other."""
    if image.distribution is Distribution.REGISTRY:
        if registry is None:
            yield Problem(
                "registry",
                None,
                "is missing; image.distribution registry needs it, and server: head-host is enough in it",
            )
    elif registry is not None:
        yield Problem(
            "registry",
            registry.model_dump(exclude_none=True),
            f"is of no use with image.distribution {image.distribution.value}; leave it out",
        )


def _registry_by_its_server(registry: Registry | None) -> Iterable[Problem]:
    if registry is None:
        return
    named = registry.server is RegistryServer.NAMED
    for name in ("address", "push_address", "ca_file"):
        value = getattr(registry, name)
        if named and value is None:
            yield Problem(f"registry.{name}", None, "is required with registry.server named")
        if not named and value is not None:
            yield Problem(
                f"registry.{name}", value, "is of no use with registry.server head-host; leave it out"
            )


def _ports_of_the_head(registry: Registry | None, training: Training) -> Iterable[Problem]:
    """Redis and the registry both listen on the head host's data address."""
    if registry is None or registry.server is RegistryServer.NAMED:
        return
    if registry.port == training.redis_port:
        yield Problem(
            "registry.port",
            registry.port,
            "is also training.redis_port on the head host; allowed is any other",
        )


REGISTRY_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("image", "registry"), _registry_where_it_is_used),
    (("registry",), _registry_by_its_server),
    (("registry", "training"), _ports_of_the_head),
)
