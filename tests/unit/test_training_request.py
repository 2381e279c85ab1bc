"""What the wait is asked for: flat lines to a request, and all faults at once."""

from __future__ import annotations

import pytest

from settings import flat
from training.request import Access, RequestError, Shard, WaitRequest, parse_request


def lines(**changed: str | None) -> str:
    """A good request for two shards with some keys changed, or left out by None."""
    values: dict[str, str | None] = {
        "run_id": "abc",
        "transport": "tcp",
        "interface": "enp1f0",
        "deadline_seconds": "600",
        "shards": "2",
    }
    for index in (0, 1):
        values |= {
            f"shard_{index}_container": f"caffe2-shard-{index}",
            f"shard_{index}_host": f"clx-mld-4{index + 1}",
            f"shard_{index}_address": "127.0.0.1",
            f"shard_{index}_port": f"2240{index + 1}",
            f"shard_{index}_user": "root",
            f"shard_{index}_host_key": "ssh-ed25519 AAAA",
            f"shard_{index}_private_key_file": "keys/o'client",
        }
    values |= changed
    return flat.render({key: value for key, value in values.items() if value is not None})


def test_a_request() -> None:
    request = parse_request(lines(generation="1"))
    access = Access("127.0.0.1", 22402, "root", "ssh-ed25519 AAAA", "keys/o'client")
    assert request == WaitRequest(
        run_id="abc",
        transport="tcp",
        interface="enp1f0",
        deadline_s=600.0,
        shards=(request.shards[0], Shard(1, "clx-mld-42", "caffe2-shard-1", access)),
    )
    assert str(request.shards[1]) == "shard 1 on clx-mld-42"


def test_a_job_that_is_only_started() -> None:
    assert [parse_request(lines(wait=text)).waits for text in ("false", "true", None)] == [False, True, True]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"run_id": None}, "run_id is missing"),
        ({"run_id": ""}, "run_id is missing"),
        ({"shards": "0"}, "shards must be a whole number from 1 to 1024, found '0'"),
        ({"shards": "1025"}, "shards must be a whole number from 1 to 1024, found '1025'"),
        ({"shards": "two"}, "shards must be a whole number from 1 to 1024, found 'two'"),
        ({"shards": "3"}, "shard_2_host is missing"),
        ({"shard_1_port": "70000"}, "shard_1_port must be a whole number from 1 to 65535, found '70000'"),
        ({"wait": "no"}, "wait must be true or false, found 'no'"),
        ({"deadline_seconds": "-1"}, "deadline_seconds must be a whole number above 0, found '-1'"),
        ({"shard_0_host_key": None}, "shard_0_host_key is missing"),
    ],
)
def test_a_fault(changed: dict[str, str | None], words: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(lines(**changed))
    assert words in str(caught.value)


def test_all_faults_at_once() -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(lines(run_id=None, shard_0_port="x", shard_1_user=None))
    assert str(caught.value) == (
        "run_id is missing; shard_0_port must be a whole number from 1 to 65535, found 'x'; "
        "shard_1_user is missing"
    )


def test_a_line_that_is_none() -> None:
    with pytest.raises(RequestError, match="line 1 is not a setting line"):
        parse_request("shards = 2\n")
