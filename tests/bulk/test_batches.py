"""The rules of calls that carry many rows: their size, what cutting may cost, and where to cut. Pure."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk.many._batches import BatchSize, SpareCalls, suspects


def test_it_begins_with_what_the_vendor_advises_and_grows_to_the_most():
    size = BatchSize(100)
    seen = [size.rows]
    for _ in range(5):
        size.accepted(size.rows)
        seen.append(size.rows)
    assert seen == [50, 62, 77, 96, 100, 100]
    assert BatchSize(20).rows == 20


def test_a_call_that_was_not_full_is_no_sign_that_more_is_possible():
    size = BatchSize(100)
    size.accepted(49)
    assert size.rows == 50


def test_what_was_too_much_halves_it_once_for_a_burst_and_sets_a_ceiling():
    size = BatchSize(100)
    for _ in range(4):
        size.accepted(size.rows)
    for _ in range(4):  # four calls of one size that were open together
        size.too_much(100)
    assert size.rows == 50
    for _ in range(10):
        size.accepted(size.rows)
    assert size.rows == 75


def test_a_ceiling_is_tried_again_after_a_hundred_calls():
    size = BatchSize(100)
    size.too_much(50)
    for _ in range(99):
        size.accepted(size.rows)
    assert size.rows == 37
    for _ in range(3):
        size.accepted(size.rows)
    assert 37 < size.rows <= 46


@pytest.mark.parametrize("cap", [1, 2, 7, 33, 60, 99, 100])
def test_it_settles_below_an_unknown_cap_and_meets_it_seldom(cap: int):
    size, refused, rows = BatchSize(100), 0, 0
    for _ in range(1000):
        if size.rows > cap:
            refused += 1
            size.too_much(size.rows)
        else:
            rows += size.rows
            size.accepted(size.rows)
    assert refused <= 1000 * 0.03 + 6
    assert rows >= 1000 * cap * 0.6


@given(st.integers(1, 500), st.lists(st.tuples(st.booleans(), st.integers(1, 500)), max_size=200))
def test_it_is_always_between_one_and_the_most(most: int, story: list[tuple[bool, int]]):
    size = BatchSize(most)
    for accepted, rows in story:
        (size.accepted if accepted else size.too_much)(rows)
        assert 1 <= size.rows <= most


def test_spare_calls_are_earned_spent_whole_and_never_saved_beyond_the_most():
    spare = SpareCalls(5)
    assert spare.spend(4)
    assert not spare.spend(2)
    assert spare.left == 1
    for _ in range(10):
        spare.earn()
    assert spare.left == 5


@pytest.mark.parametrize(
    ("errors", "places"),
    [
        ({"1": "bad"}, {1}),
        ({"0": "bad", "3": ["worse"]}, {0, 3}),
        ({"1": "bad", "email": "bad", "-2": "x", "9": "beyond", "٣": "x"}, {1}),
        ({"0": 1, "1": 1, "2": 1, "3": 1}, set()),
        ({"email": "bad"}, set()),
        (["bad"], set()),
        ((), set()),
        (None, set()),
    ],
)
def test_a_refusal_may_blame_rows_by_their_place(errors: Any, places: set[int]):
    assert suspects(errors, 4) == places
