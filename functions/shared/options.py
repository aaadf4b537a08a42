"""What an owner may ask of a conversion: an allow-list; nothing else reaches what converts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.shared import settings
from functions.shared.problems import Problem

__all__ = [
    "DEDUPLICATE",
    "DEFAULT_QUALITY",
    "OPTIONS",
    "OPTION_SCHEMAS",
    "Option",
    "check_name",
    "longest_seconds",
    "parse",
]

DEFAULT_QUALITY = 2
# The name of the option that is not for the conversion.
DEDUPLICATE = "deduplicate"
# As long as any audio, in seconds; and the longest fade.
_MAX_SECONDS, _MAX_FADE_SECONDS = 360_000, 60
# A quarter of an hour, and ten years.
_MIN_DAYS, _MAX_DAYS = 0.01, 3650
_DAY = 86_400
# Of a name that is no option, so much is repeated, in characters.
_MAX_NAME = 40
# Control characters, the separators of lines and paragraphs, and halves of characters are no text.
_TEXT = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]{1,200}$"
_LANGUAGE = r"^[A-Za-z]{2,3}$"
# Two options that say the same in different ways.
_ALTERNATIVES = (("quality", "bitrate"), ("track", "language"), ("track", "tracks"), ("language", "tracks"))
_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Option:
    """What an option does, what it may be (`values` for people, `schema` for programs), and how to read it.

    `read` takes text, or what JSON has for it, and raises ValueError.
    """

    meaning: str
    values: str
    schema: dict[str, Any]
    read: Callable[[Any], Any]


def parse(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options in `given` that have a value, as numbers, texts and truth values.

    Raises: Problem (400) for a name that is no option, for a value that an option cannot have, and for options that
    contradict each other.
    """
    for name in given:
        check_name(name)
    options = {name: _read(name, given[name]) for name in OPTIONS if given.get(name) not in (None, "")}
    for one, other in _ALTERNATIVES:
        if one in options and other in options:
            raise Problem("bad-option", f"Give either {one} or {other}, not both.")
    if "bitrate_mode" in options and "bitrate" not in options:
        raise Problem("bad-option", "`bitrate_mode` says how a `bitrate` is meant; give that too.")
    if options.get("keep_days", 0) * _DAY > longest_seconds():
        raise Problem("bad-option", f"`keep_days` is at most {longest_seconds() / _DAY:g} here.")
    if options.get("end", _MAX_SECONDS + 1) <= options.get("start", 0):
        raise Problem("bad-option", "`end` must be after `start`.")
    return options


def longest_seconds() -> int:
    """For how long files may be kept after their job has ended, at most."""
    return max(settings.number("RETENTION_SECONDS"), settings.number("MAX_RETENTION_SECONDS"))


def check_name(name: str) -> None:
    """Raises: Problem (400), which names it, unless it is that of an option."""
    if name not in OPTIONS:
        raise Problem("bad-option", _no_option(name))


def _no_option(name: str) -> str:
    near = difflib.get_close_matches(name, OPTIONS, n=1)
    hint = f"Perhaps `{near[0]}` is meant." if near else "All options are described at /v1/docs."
    return f"`{name[:_MAX_NAME]}` is no option. {hint}"


def _read(name: str, value: Any) -> Any:
    option = OPTIONS[name]
    try:
        return option.read(value)
    except ValueError:
        raise Problem("bad-option", f"`{name}` must be {option.values}. {option.meaning}") from None


def _numbers(values: tuple[int, ...], meaning: str) -> Option:
    whole = len(values) > 2 and values == tuple(range(values[0], values[-1] + 1))
    limits = {"minimum": values[0], "maximum": values[-1]} if whole else {"enum": list(values)}
    named = f"{values[0]} to {values[-1]}" if whole else ", ".join(map(str, values))
    by_text = {str(value): value for value in values}
    return Option(
        meaning, f"one of {named}", {"type": "integer", **limits}, lambda value: _known(by_text, _digits(value))
    )


def _words(words: tuple[str, ...], meaning: str) -> Option:
    by_text = {word: word for word in words}
    return Option(meaning, f"one of {', '.join(words)}", {"enum": list(words)}, lambda value: _known(by_text, value))


def _flag(meaning: str) -> Option:
    by_text = {"true": True, "false": False}
    return Option(
        meaning,
        "one of true, false",
        {"type": "boolean"},
        lambda value: value if isinstance(value, bool) else _known(by_text, value),
    )


def _seconds(most: int, meaning: str) -> Option:
    return Option(
        meaning,
        f"a number of seconds from 0 to {most}",
        {"type": "number", "minimum": 0, "maximum": most},
        lambda value: _decimal(value, most),
    )


def _days() -> Option:
    schema = {"type": "number", "minimum": _MIN_DAYS, "maximum": _MAX_DAYS, "examples": [1]}
    return Option(
        "How long files are kept after the job has ended; no longer than the operator allows.",
        f"a number of days from {_MIN_DAYS} to {_MAX_DAYS}",
        schema,
        lambda value: _decimal(value, _MAX_DAYS, _MIN_DAYS),
    )


def _text(pattern: str, values: str, meaning: str, example: str) -> Option:
    schema = {"type": "string", "pattern": pattern, "examples": [example]}
    return Option(meaning, values, schema, lambda value: _matching(pattern, value))


def _known(by_text: Mapping[str, Any], text: Any) -> Any:
    if not isinstance(text, str) or text not in by_text:
        raise ValueError
    return by_text[text]


def _digits(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _decimal(value: Any, most: int, least: float = 0) -> float:
    text = str(value) if type(value) in (int, float) else value
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text) or not least <= float(text) <= most:
        raise ValueError
    return round(float(text), 3)


def _matching(pattern: str, value: Any) -> str:
    # Python's $ also matches before a line's end.
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError
    return value


def _tag(name: str, example: str) -> Option:
    return _text(_TEXT, "text of at most 200 characters in one line", f"The {name} in the MP3's tags.", example)


# Bitrates and sample rates are those of MPEG audio layer III.
OPTIONS: dict[str, Option] = {
    "quality": _numbers(tuple(range(10)), "VBR quality, 0 (best) to 9 (smallest); 2 unless said."),
    "bitrate": _numbers(
        (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), "Bitrate in kbit/s, instead of quality."
    ),
    "bitrate_mode": _words(
        ("cbr", "abr"), "Whether the bitrate is the same all the time (cbr), or on average (abr); cbr unless said."
    ),
    "sample_rate": _numbers(
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
        "Samples per second; as in the video unless said.",
    ),
    "channels": _numbers((1, 2), "1 for mono, 2 for stereo; as in the video unless said. Surround becomes stereo."),
    "track": _numbers(tuple(range(64)), "Which audio track, counted from 0; the video's default one unless said."),
    "language": _text(
        _LANGUAGE,
        "the two or three letters of a language (ISO 639)",
        "The audio track in this language, instead of `track`.",
        "de",
    ),
    "tracks": _words(
        ("mix",),
        "Mix all audio tracks into one, as of one recording with a track for each microphone; not unless said.",
    ),
    "timeline": _words(
        ("video", "sound"),
        "Whether the MP3 runs on the video's clock, with silence where sound is missing (video), or the sound is "
        "strung together (sound); video unless said.",
    ),
    "start": _seconds(_MAX_SECONDS, "Leave out what comes before, to the millisecond."),
    "end": _seconds(_MAX_SECONDS, "Leave out what comes after, to the millisecond."),
    "fade_in": _seconds(_MAX_FADE_SECONDS, "How long the beginning takes to become loud."),
    "fade_out": _seconds(_MAX_FADE_SECONDS, "How long the end takes to become silent."),
    "trim_silence": _flag("Leave out silence (below -60 dB) at the beginning and the end."),
    "loudness": _numbers(
        (-14, -16, -18, -23), "Make it as loud as this on average, in LUFS (EBU R128), with peaks up to -1 dBTP."
    ),
    "force": _flag("Make new MP3 frames where those in the video could be copied."),
    "partial": _flag("Convert what there is of a file that ends too early, instead of refusing it."),
    "title": _tag("title", "Lecture 3"),
    "artist": _tag("artist", "Anna"),
    "album": _tag("album", "Lectures"),
    "genre": _tag("genre", "Speech"),
    "date": _tag("date or year", "2026-11-26"),
    "comment": _tag("comment", "Recorded in room 5."),
    "tags": _words(("keep", "drop"), "Whether the MP3 has the tags of the video; keep unless said."),
    "cover": _words(("keep", "drop"), "Whether the MP3 has the video's cover picture; keep unless said."),
    "chapters": _words(
        ("keep", "drop", "split"),
        "Whether the MP3 has the video's chapters; `split` makes an MP3 of each, in a zip. keep unless said.",
    ),
    "id3v1": _flag("Write the tags for very old players, too."),
    "keep_days": _days(),
    "keep_video": _flag(
        "Keep the video as long as the MP3, to convert it again with other options; else it is deleted once the MP3 "
        "is there."
    ),
    DEDUPLICATE: _flag("If you have an MP3 of the very same file with the same options, take a copy of that at once."),
}

# As JSON Schemas with a description.
OPTION_SCHEMAS = {name: {**option.schema, "description": option.meaning} for name, option in OPTIONS.items()}
