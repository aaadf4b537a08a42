"""functions/shared/options.py: nothing but these reaches what converts."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.options import OPTIONS, parse
from functions.shared.problems import Problem

WITH_CHOICES = {name: option.schema for name, option in OPTIONS.items() if option.values.startswith("one of")}
CHOICES = [
    (name, value)
    for name, schema in WITH_CHOICES.items()
    for value in schema.get("enum") or range(schema.get("minimum", 0), schema.get("maximum", -1) + 1)
]
DECIMALS = [name for name, option in OPTIONS.items() if option.schema.get("type") == "number"]
TEXTS = ["title", "artist", "album", "genre", "date", "comment"]
ADDED: dict[str, dict[str, Any]] = {"bitrate_mode": {"bitrate": 128}, "end": {"start": 0}}


def parsed(name: str, value: Any) -> Any:
    """The value, with what an option cannot do without."""
    return parse({**ADDED.get(name, {}), name: value})[name]


@pytest.mark.parametrize(("name", "value"), CHOICES)
def test_every_allowed_value_is_taken_as_text_and_as_it_is(name: str, value: int | str) -> None:
    assert parsed(name, str(value)) == parsed(name, value) == value


@pytest.mark.parametrize("name", ["trim_silence", "force", "partial", "id3v1"])
def test_truth_values_are_taken_as_text_and_as_they_are(name: str) -> None:
    assert parse({name: "true"}) == parse({name: True}) == {name: True}
    assert parse({name: "false"}) == parse({name: False}) == {name: False}


@pytest.mark.parametrize("name", WITH_CHOICES)
@pytest.mark.parametrize(
    "value",
    ["-1", "1.5", "2; rm -rf /", "２", "²", " 2", "0x2", "9" * 5000, "65536", -1, 2.0, [2], {"a": 2}, "é", "True"],
)
def test_every_other_value_is_refused_with_the_choices(name: str, value: Any) -> None:
    with pytest.raises(Problem) as caught:
        parse({name: value})
    assert caught.value.code == "bad-option"
    assert f"`{name}` must be one of" in caught.value.detail


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(Problem):
        parse({"channels": True})


@pytest.mark.parametrize("name", DECIMALS)
@pytest.mark.parametrize(("value", "seconds"), [("1", 1.0), ("0.5", 0.5), (12, 12.0), (1.25, 1.25), ("1.23456", 1.235)])
def test_seconds_are_taken_to_the_millisecond(name: str, value: Any, seconds: float) -> None:
    assert parse({name: value}) == {name: seconds}


@pytest.mark.parametrize("name", DECIMALS)
@pytest.mark.parametrize(
    "value", ["-1", -0.5, "1:30", "nan", "inf", float("nan"), "1e9", "٣", "1_0", " 1", True, "0x1"]
)
def test_what_is_no_number_of_seconds_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Problem) as caught:
        parse({name: value})
    unit = "days" if name == "keep_days" else "seconds"
    assert f"`{name}` must be a number of {unit}" in caught.value.detail


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_taken_in_any_script(name: str) -> None:
    for value in ("Übung", "録音 ①", "שלום", "👩‍🎤", "a" * 200, "-i /etc/passwd"):
        assert parse({name: value}) == {name: value}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["a" * 201, "a\nb", "a\0", "\x1b[31m", "a\u2028", "\ud800", "a\n", 5, ["a"]])
def test_texts_that_are_too_long_or_no_line_are_refused(name: str, value: Any) -> None:
    with pytest.raises(Problem) as caught:
        parse({name: value})
    assert f"`{name}` must be text" in caught.value.detail


@pytest.mark.parametrize("value", ["e", "engl", "en-GB", "e1", "de\n", 5])
def test_a_language_is_two_or_three_letters(value: Any) -> None:
    assert parse({"language": "deu"}) == {"language": "deu"}
    with pytest.raises(Problem):
        parse({"language": value})


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_is_left_empty_is_not_given(name: str, nothing: str | None) -> None:
    assert parse({name: nothing}) == {}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("qualty", "Perhaps `quality` is meant."),
        ("-f", "All options are described at /v1/docs."),
        ("filename", "All options are described"),
        ("x" * 1000, f"`{'x' * 40}` is no option."),
    ],
)
def test_what_is_no_option_is_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(Problem) as caught:
        parse({name: "1", "channels": "1"})
    assert caught.value.code == "bad-option"
    assert hint in caught.value.detail


@pytest.mark.parametrize(
    "values",
    [
        {"quality": "2", "bitrate": "192"},
        {"track": "0", "language": "en"},
        {"bitrate_mode": "abr"},
        {"start": "5", "end": "5"},
        {"start": "5", "end": "4.999"},
        {"end": "0"},
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        parse(values)
    assert caught.value.code == "bad-option"
    assert any(name in caught.value.detail for name in values)


def test_what_was_parsed_parses_to_itself() -> None:
    options = parse(
        {"start": "1.5", "end": "9", "trim_silence": "true", "bitrate": "96", "title": "Ü", "loudness": "-16"}
    )
    assert parse(options) == options


anything = st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from([*OPTIONS, "x"]), anything))
def test_whatever_is_given_the_result_fits_the_schemas_or_is_a_problem(values: dict[str, Any]) -> None:
    with suppress(Problem):
        for name, value in parse(values).items():
            jsonschema.validate(value, OPTIONS[name].schema)
