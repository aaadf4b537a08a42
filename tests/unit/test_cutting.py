"""functions/convert/conversion/sound/cutting.py: chapters as files, with not a sample lost or twice."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from functions.convert.conversion.media import Chapter, Track
from functions.convert.conversion.plan import Plan, Shape
from functions.convert.conversion.sound.cutting import Cutter, cuts
from functions.convert.conversion.sound.decode import Block

RATE = 8000


def plan(*chapters: Chapter, seconds: float | None = None, **tags: str) -> Plan:
    track, shape = Track(0, 0, "aac", RATE, 1, "mono"), Shape(RATE, 1, "vbr", 2)
    return Plan(track, shape, chapters=chapters, tags=tags, seconds=seconds)


def test_a_file_goes_on_until_the_next_chapter_starts() -> None:
    found = cuts(plan(Chapter(0.5, 1, "one"), Chapter(2, 3, "three"), Chapter(1.5, 1.6, "two")))
    assert found == [("one", 12000), ("two", 16000), ("three", None)]


def test_chapters_that_start_together_make_one_file() -> None:
    assert cuts(plan(Chapter(0, 0, "nothing"), Chapter(0, 1, "all"))) == [("all", None)]


def test_a_chapter_without_a_length_makes_no_file() -> None:
    found = cuts(plan(Chapter(0, 0, "zero"), Chapter(0, 5, "one"), Chapter(5, 5, "none"), Chapter(5, 9, "two")))
    assert found == [("one", 40000), ("two", None)]
    assert cuts(plan(Chapter(0, 5, "one"), Chapter(5, 9, "two"), Chapter(5, 5, "none"), Chapter(7, 7, "none"))) == found


@pytest.mark.parametrize("turned", [False, True])
def test_a_part_and_the_first_of_its_chapters_make_one_file_named_by_the_chapter(turned: bool) -> None:
    book = [Chapter(0, 10, "Part"), Chapter(0, 4, "one"), Chapter(4, 10, "two")]
    assert cuts(plan(*(book[::-1] if turned else book))) == [("one", 32000), ("two", None)]


def test_overlapping_chapters_are_cut_where_each_starts() -> None:
    found = cuts(plan(Chapter(0, 5, "one"), Chapter(5, 20, "two"), Chapter(3, 4, "inner")))
    assert found == [("one", 24000), ("inner", 40000), ("two", None)]


def test_chapters_after_the_end_make_no_files() -> None:
    late = Chapter(9, 12, "late"), Chapter(12, 15, "later")
    assert cuts(plan(Chapter(0, 9, "one"), *late, seconds=9)) == [("one", None)]
    assert cuts(plan(*late, seconds=9, title="Talk")) == [("Talk", None)]


@pytest.mark.parametrize(("tags", "title"), [({}, ""), ({"title": "Talk"}, "Talk")])
def test_without_chapters_there_is_one_file(tags: dict[str, Any], title: str) -> None:
    assert cuts(plan(**tags)) == [(title, None)]


def test_a_list_of_chapters_without_end_makes_no_files_without_end() -> None:
    found = cuts(plan(*(Chapter(number, number + 1, str(number)) for number in range(5000))))
    assert len(found) == 1000
    assert found[-1] == ("999", None)


@pytest.mark.parametrize("ends", [[3, 7], [10, 20], [1, 2, 3], [0, 5], [29], [30], [40], [10, 10, 25]])
def test_no_sample_is_lost_or_twice(ends: list[int]) -> None:
    cutter = Cutter(ten_by_ten())
    parts = [b"".join(block.planes[0] for block in cutter.until(end)) for end in [*ends, None]]
    numbers = [array("f", part).tolist() for part in parts]
    bounds = [0, *(min(end, 30) for end in ends), 30]
    assert numbers == [list(range(start, stop)) for start, stop in itertools.pairwise(bounds)]


def ten_by_ten() -> Iterator[Block]:
    """Thirty samples that count, in three blocks."""
    for start in (0, 10, 20):
        yield Block((array("f", range(start, start + 10)).tobytes(),), 10, None)
