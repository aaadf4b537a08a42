"""functions/download/horizon.py: what may still come below what has been seen."""

from __future__ import annotations

from functions.download.horizon import GIVEN_UP_SECONDS, MAX_MISSING, Horizon


def test_what_comes_in_order_is_settled_at_once() -> None:
    horizon = Horizon([7, 8, 9], 0)
    assert (horizon.newest, horizon.settled, horizon.missing) == (9, 9, [])
    horizon.saw([10, 11], 1)
    assert (horizon.newest, horizon.settled, horizon.missing) == (11, 11, [])


def test_without_a_row_the_first_one_is_to_come() -> None:
    horizon = Horizon([], 0)
    assert (horizon.newest, horizon.settled) == (0, 0)
    horizon.saw([2], 1)
    assert (horizon.newest, horizon.settled, horizon.missing) == (2, 0, [1])


def test_an_id_that_is_passed_is_asked_for_until_it_comes() -> None:
    horizon = Horizon([4], 0)
    horizon.saw([5, 8], 1)
    assert (horizon.newest, horizon.settled, horizon.missing) == (8, 5, [6, 7])
    horizon.saw([7], 2)
    assert (horizon.newest, horizon.settled, horizon.missing) == (8, 5, [6])
    horizon.saw([6, 9], 3)
    assert (horizon.newest, horizon.settled, horizon.missing) == (9, 9, [])


def test_what_is_missing_at_the_start_is_asked_for_too() -> None:
    horizon = Horizon([9, 6, 4], 0)
    assert (horizon.newest, horizon.settled, horizon.missing) == (9, 4, [5, 7, 8])


def test_an_id_is_given_up_when_no_transaction_can_still_have_it() -> None:
    horizon = Horizon([4], 0)
    horizon.saw([6], 10)
    horizon.saw([], 10 + GIVEN_UP_SECONDS)
    assert horizon.missing == [5]
    horizon.saw([], 11 + GIVEN_UP_SECONDS)
    assert (horizon.settled, horizon.missing) == (6, [])


def test_however_far_ids_leap_only_so_many_are_asked_for() -> None:
    horizon = Horizon([1], 0)
    horizon.saw([10**12], 0)
    assert horizon.missing == list(range(10**12 - MAX_MISSING, 10**12))
    horizon.saw(range(10**12 + 1, 10**12 + 3 * MAX_MISSING, 2), 1)
    assert len(horizon.missing) == MAX_MISSING
    assert horizon.missing[-1] == horizon.newest - 1
