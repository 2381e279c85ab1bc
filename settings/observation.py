"""How the cluster is looked at before each preview and up."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.section import Section


class Observation(Section):
    """The look at all hosts and switches before each preview and up.

    `deadline_seconds` is for all hosts together; one that has not answered by its share of it counts as
    unreachable. With more than 256 hosts it grows, so that each still has some seconds. A switch has a second
    more for each of its ports.
    """

    deadline_seconds: Annotated[int, Field(ge=5, le=600)] = 20
