"""Where a vendor's software comes from: one file with its sums, or an apt repository with its key."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.section import Section

Url = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:_-]+/[A-Za-z0-9._~/%+-]*$")]
# A URL that the host fetches, or an absolute path of a file that is already on the host.
Source = Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.:_-]+)?/[A-Za-z0-9._~/%+-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
# A whole OpenPGP v4 fingerprint: 40 hexadecimal digits, without blanks.
Fingerprint = Annotated[str, Field(pattern=r"^[0-9A-F]{40}$")]


class Artifact(Section):
    """One file of a vendor; `source` is a URL or a path on the host, and its sums must be these."""

    source: Source
    sha256: Sha256
    md5: Md5 | None = None


class AptRepository(Section):
    """An apt repository and the whole fingerprint of the key that signs it.

    `suite` and `components` are apt's: ``deb <url> <suite> <components>``; a flat repository has the suite
    ``./`` and no components.
    """

    url: Url
    suite: Annotated[str, Field(pattern=r"^[A-Za-z0-9./-]+$")]
    components: tuple[Annotated[str, Field(pattern=r"^[a-z-]+$")], ...] = ()
    key_url: Url
    key_fingerprint: Fingerprint
