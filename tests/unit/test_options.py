"""functions/shared/options.py: nothing but these reaches ffmpeg."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.options import OPTIONS, parse
from functions.shared.problems import Problem

EVERY = [(name, value) for name, (allowed, _) in OPTIONS.items() for value in allowed]


@pytest.mark.parametrize(("name", "value"), EVERY)
def test_every_allowed_value_is_taken_as_text_and_as_a_number(name: str, value: int) -> None:
    assert parse({name: str(value)}) == parse({name: value}) == {name: value}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(
    "value",
    ["-1", "1.5", "2; rm -rf /", "２", "²", " 2", "0x2", "9" * 5000, "65536", -1, 2.0, True, [2], {"a": 2}, "é"],
)
def test_every_other_value_is_refused_with_the_choices(name: str, value: Any) -> None:
    with pytest.raises(Problem) as caught:
        parse({name: value})
    assert caught.value.code == "bad-option"
    assert f"`{name}` must be one of" in caught.value.detail


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_is_left_empty_is_not_given(name: str, nothing: str | None) -> None:
    assert parse({name: nothing}) == {}


def test_what_is_no_option_is_passed_over() -> None:
    assert parse({"filename": "a.mp4", "-f": "concat", "acodec": "copy", "channels": "1"}) == {"channels": 1}


def test_quality_and_bitrate_exclude_each_other() -> None:
    with pytest.raises(Problem) as caught:
        parse({"quality": "2", "bitrate": "192"})
    assert caught.value.code == "bad-option"


@given(st.dictionaries(st.sampled_from([*OPTIONS, "x"]), st.text() | st.integers() | st.floats() | st.none()))
def test_whatever_is_given_the_result_is_on_the_list_or_a_problem(values: dict[str, Any]) -> None:
    with suppress(Problem):
        assert all(value in OPTIONS[name][0] for name, value in parse(values).items())
