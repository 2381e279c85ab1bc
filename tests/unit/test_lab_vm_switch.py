"""Where a learning switch sends a frame."""

from __future__ import annotations

from lab.vm.switch import Table

A, B, C = (bytes([2, 0, 0, 0, 0, number]) for number in (1, 2, 3))
EVERYBODY = b"\xff" * 6


def _frame(to: bytes, source: bytes) -> bytes:
    return to + source + b"\x08\x00payload"


def test_a_frame_to_an_unknown_address_goes_to_all_others() -> None:
    assert Table(4).targets(2, _frame(B, A)) == [1, 3, 4]


def test_a_frame_goes_where_its_receiver_was_heard() -> None:
    table = Table(4)
    table.targets(1, _frame(EVERYBODY, A))
    table.targets(2, _frame(A, B))
    assert table.targets(1, _frame(B, A)) == [2]
    assert table.targets(3, _frame(A, C)) == [1]


def test_broadcasts_go_to_all_others_also_when_all_are_known() -> None:
    table = Table(3)
    for port, source in ((1, A), (2, B), (3, C)):
        table.targets(port, _frame(EVERYBODY, source))
    assert table.targets(3, _frame(EVERYBODY, C)) == [1, 2]


def test_a_machine_that_moved_is_found_at_its_new_port() -> None:
    table = Table(3)
    table.targets(1, _frame(EVERYBODY, A))
    table.targets(3, _frame(EVERYBODY, A))
    assert table.targets(2, _frame(A, B)) == [3]


def test_a_frame_never_goes_back() -> None:
    table = Table(2)
    table.targets(1, _frame(EVERYBODY, A))
    assert table.targets(1, _frame(A, B)) == []


def test_what_is_no_frame_goes_nowhere() -> None:
    assert Table(3).targets(1, b"short") == []
