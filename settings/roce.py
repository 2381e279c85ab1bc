"""The RoCE profile: one set of numbers that configures the switch and the hosts alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Dscp = Annotated[int, Field(ge=0, le=63)]
Priority = Annotated[int, Field(ge=0, le=7)]

# RFC 3168: the two low bits of the IPv4 ToS byte; 2 is ECT(0), "this sender understands ECN".
ECT_0 = 2


class TrafficPool(BaseModel):
    """The switch's lossless buffer pool (guide: "Interface Ethernet buffer configuration")."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,19}$")] = "roce"
    memory_percent: Annotated[float, Field(gt=0, le=100)] = 50.0


class EcnThresholds(BaseModel):
    """Absolute queue depths between which the switch marks ECN, in KB (guide: 150 and 1500)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_kb: Annotated[int, Field(ge=1, le=100_000)] = 150
    maximum_kb: Annotated[int, Field(ge=1, le=100_000)] = 1500


class RoceProfile(BaseModel):
    """DSCP, switch priority, traffic class and pool of the RoCE traffic, proven to belong together.

    The switch trusts L3, so a packet's DSCP chooses its switch priority; with Onyx's and mlx5's default
    maps that is DSCP divided by 8. The priority chooses the traffic class and the pool, and is the one
    priority on which PFC may pause. A profile in which one of these does not follow from the other is
    refused, since such a fabric drops what it should not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dscp: Dscp = 26
    switch_priority: Priority = 3
    traffic_class: Priority = 3
    pool: TrafficPool = TrafficPool()
    ecn: EcnThresholds = EcnThresholds()
    cnp_dscp: Dscp = 48
    cnp_traffic_class: Priority = 6
    # What a loaded link guarantees to RoCE; the other classes but the strict one share the rest.
    bandwidth_percent: Annotated[int, Field(ge=1, le=94)] = 50

    @property
    def tos(self) -> int:
        """The IPv4 ToS byte of RoCE packets: DSCP in the six high bits, ECT(0) in the two low ones."""
        return self.dscp << 2 | ECT_0

    @property
    def pfc_bits(self) -> str:
        """PFC per priority as `mlnx_qos -f` takes it, for example ``0,0,0,1,0,0,0,0``."""
        return ",".join("1" if priority == self.switch_priority else "0" for priority in range(8))

    @property
    def prio_tc(self) -> str:
        """The traffic class of each priority as `mlnx_qos -p` takes it: each priority has its own."""
        return ",".join(str(priority) for priority in range(8))

    @property
    def tsa(self) -> str:
        """How each class is scheduled, as `mlnx_qos -s` takes it: notifications strictly first, else ETS."""
        return ",".join("strict" if tc == self.cnp_traffic_class else "ets" for tc in range(8))

    @property
    def tcbw(self) -> str:
        """The ETS percents of the classes as `mlnx_qos -t` takes them; they sum to 100."""
        others = [tc for tc in range(8) if tc not in (self.traffic_class, self.cnp_traffic_class)]
        each, left = divmod(100 - self.bandwidth_percent, len(others))
        share = {tc: each + (place < left) for place, tc in enumerate(others)}
        share |= {self.traffic_class: self.bandwidth_percent, self.cnp_traffic_class: 0}
        return ",".join(str(share[tc]) for tc in range(8))

    @property
    def dscp2prio(self) -> str:
        """The priorities of the profile's DSCPs, for example ``26:3,48:6``."""
        return f"{self.dscp}:{self.switch_priority},{self.cnp_dscp}:{self.cnp_traffic_class}"

    @model_validator(mode="after")
    def _closes(self) -> RoceProfile:
        problems = []
        if self.dscp >> 3 != self.switch_priority:
            first = self.switch_priority << 3
            problems.append(
                f"dscp {self.dscp} maps to switch priority {self.dscp >> 3}, not to switch_priority "
                f"{self.switch_priority}: allowed for that priority is a dscp of {first} to {first + 7}"
            )
        if self.traffic_class != self.switch_priority:
            problems.append(
                f"traffic_class {self.traffic_class} does not carry switch_priority {self.switch_priority}: "
                "the switch maps priority N to traffic class N, so both must be the same"
            )
        if self.cnp_dscp >> 3 != self.cnp_traffic_class:
            first = self.cnp_traffic_class << 3
            problems.append(
                f"cnp_dscp {self.cnp_dscp} maps to priority {self.cnp_dscp >> 3}, not to cnp_traffic_class "
                f"{self.cnp_traffic_class}: allowed is a cnp_dscp of {first} to {first + 7}"
            )
        if self.cnp_traffic_class == self.traffic_class:
            problems.append(
                f"cnp_traffic_class {self.cnp_traffic_class} is the RoCE traffic class too: congestion "
                "notifications need a strict class of their own"
            )
        if self.ecn.minimum_kb >= self.ecn.maximum_kb:
            problems.append(
                f"ecn.minimum_kb {self.ecn.minimum_kb} must be less than ecn.maximum_kb {self.ecn.maximum_kb}"
            )
        if problems:
            raise PydanticCustomError("roce_profile", "{problems}", {"problems": "; ".join(problems)})
        return self
