"""The lines of a step's stdin that say which apt repository it needs (templates/common/repository.sh)."""

from __future__ import annotations

from settings.artifact import AptRepository

_NONE = "none"


def repository_lines(repository: AptRepository | None) -> dict[str, str]:
    """Return the keys `repository`, `repository_key` and `repository_key_url`; all ``none`` without one.

    The first is apt's own line without its options: ``<url> <suite> <component>…``.
    """
    if repository is None:
        return {"repository": _NONE, "repository_key": _NONE, "repository_key_url": _NONE}
    return {
        "repository": " ".join([repository.url, repository.suite, *repository.components]),
        "repository_key": repository.key_fingerprint,
        "repository_key_url": repository.key_url,
    }
