"""functions/shared/crowd.py: which connections end when there are too many, or their heads are too long."""

from __future__ import annotations

import resource
import subprocess
import sys

from functions.shared.crowd import Crowd


class Connection:
    """One that knows whether it was ended."""

    ended = False

    def crowded_out(self) -> None:
        self.ended = True


def ended(connections: list[Connection]) -> list[bool]:
    return [each.ended for each in connections]


def waiting(crowd: Crowd, count: int) -> list[Connection]:
    """So many more, one after the other."""
    made = [Connection() for _ in range(count)]
    for each in made:
        crowd.waits(each)
    return made


def test_who_has_waited_longest_makes_room() -> None:
    crowd = Crowd(most=3)
    made = waiting(crowd, 3)
    assert ended(made) == [False] * 3
    crowd.waits(Connection())
    assert ended(made) == [True, False, False]


def test_who_has_a_request_under_way_is_left_alone_and_waits_anew_after_it() -> None:
    crowd = Crowd(most=3)
    made = waiting(crowd, 3)
    crowd.goes_on(made[0])
    crowd.waits(Connection())
    assert ended(made) == [False, True, False]
    crowd.waits(made[0])
    crowd.waits(Connection())
    assert ended(made) == [False, True, True]


def test_for_each_that_is_too_many_one_ends_though_it_takes_its_time() -> None:
    crowd = Crowd(most=3)
    made = waiting(crowd, 8)
    assert ended(made) == [True] * 5 + [False] * 3
    for each in made[:6]:
        crowd.left(each)
    assert ended([*made, *waiting(crowd, 1)]) == [True] * 5 + [False] * 4


def test_when_all_others_are_at_work_a_new_one_is_not_taken() -> None:
    crowd, late = Crowd(most=3), Connection()
    made = waiting(crowd, 3)
    for each in made:
        crowd.goes_on(each)
    crowd.waits(late)
    assert ended([*made, late]) == [False, False, False, True]


def test_of_heads_that_hold_too_much_the_longest_ends_and_what_it_held_is_free_again() -> None:
    crowd = Crowd(most=10, most_bytes=100)
    made = waiting(crowd, 3)
    for each, count in zip(made, (30, 50, 20), strict=True):
        crowd.holds(each, count)
    assert ended(made) == [False] * 3
    crowd.holds(made[0], 31)
    assert ended(made) == [False, True, False]
    # Whole, or gone: it holds nothing any more.
    crowd.goes_on(made[0])
    crowd.holds(made[2], 100)
    assert ended(made) == [False, True, False]


def test_a_process_has_as_many_files_as_it_may() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = "import resource; from functions.shared.crowd import allow_many; allow_many(); print(resource.getrlimit(7))"
    limited = ["sh", "-c", 'ulimit -Sn 100; exec "$@"', "sh", sys.executable, "-c", code]
    assert subprocess.check_output(limited, text=True).strip() == str((hard, hard))
