"""The RoCE profile: the guide's numbers close, and each number that does not follow is named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from settings.roce import RoceProfile


def test_the_guides_profile_closes() -> None:
    profile = RoceProfile()
    assert profile.tos == 106
    assert profile.pfc_bits == "0,0,0,1,0,0,0,0"
    assert profile.prio_tc == "0,1,2,3,4,5,6,7"
    assert profile.tsa == "ets,ets,ets,ets,ets,ets,strict,ets"
    assert profile.tcbw == "9,9,8,50,8,8,0,8"
    assert profile.dscp2prio == "26:3,48:6"


@pytest.mark.parametrize("percent", [1, 50, 70, 94])
def test_the_shares_of_a_loaded_link_sum_to_100(percent: int) -> None:
    shares = [int(share) for share in RoceProfile(bandwidth_percent=percent).tcbw.split(",")]
    assert sum(shares) == 100
    assert (shares[3], shares[6]) == (percent, 0)
    # The driver refuses an ETS class without a share.
    assert min(share for tc, share in enumerate(shares) if tc != 6) >= 1


def test_another_closed_profile() -> None:
    profile = RoceProfile(dscp=34, switch_priority=4, traffic_class=4)
    assert (profile.tos, profile.pfc_bits) == (138, "0,0,0,0,1,0,0,0")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dscp": 48}, "dscp 48 maps to switch priority 6"),
        ({"traffic_class": 4}, "traffic_class 4 does not carry switch_priority 3"),
        ({"cnp_dscp": 26}, "cnp_dscp 26 maps to priority 3"),
        ({"cnp_dscp": 26, "cnp_traffic_class": 3}, "need a strict class of their own"),
        ({"ecn": {"minimum_kb": 1500, "maximum_kb": 150}}, "must be less than"),
    ],
)
def test_an_open_profile_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        RoceProfile.model_validate(change)


def test_all_gaps_are_named_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        RoceProfile.model_validate({"dscp": 48, "cnp_dscp": 0})
    assert "dscp 48" in str(caught.value)
    assert "cnp_dscp 0" in str(caught.value)
