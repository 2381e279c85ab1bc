"""Whether and how the data network is measured before a training starts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from settings.section import Section, TcpPort


class Pairs(StrEnum):
    """Which hosts send to which: each to its next one, every one to every other one, or nobody."""

    RING = "ring"
    ALL = "all"
    NONE = "none"


class Validation(Section):
    """The measurement between hosts before each run, in containers of the training image.

    With `ibverbs` it is `ib_write_bw` over the host's RoCE v2 GID, and less than `minimum_percent` of the
    link's speed stops the run. With `tcp` it is `iperf3`, and its figure is only told. Each pair takes
    `seconds`; pairs without a common host go side by side. `port` is a TCP port that is free on all hosts.
    """

    pairs: Pairs = Pairs.RING
    seconds: Annotated[int, Field(ge=1, le=60)] = 2
    minimum_percent: Annotated[float, Field(gt=0, le=100)] = 90.0
    port: TcpPort = 18515
