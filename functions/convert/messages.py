"""What a child may say while it converts, checked before anything is done with it; pipeline.py says what each means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.convert.conversion.mpeg.tag import MAX_CHAPTERS, MAX_TEXT_LENGTH, cleaned
from functions.convert.conversion.tracks.choosing import MAX_NAME, MAX_TITLE, MAX_TRACKS
from functions.convert.errors import ProtocolViolation
from functions.shared import job_warnings
from functions.shared.job_warnings import MAX_VALUE_LENGTH, MAX_WARNINGS, WARNINGS, JobWarning
from functions.shared.jobs.names import MAX_PEAKS
from functions.shared.reasons import HINTS, REASONS
from functions.shared.visible import one_line

__all__ = [
    "Dialogue",
    "Drawn",
    "Failed",
    "File",
    "Frames",
    "Message",
    "Progress",
    "Restarted",
    "Snapshot",
    "Tracks",
    "Warned",
]

# Of a number in a warning, either way.
MAX_NUMBER = 10**15
# What each member of an audio track may be.
_MAX_RATE, _MAX_CHANNELS, _MAX_SECONDS = 2**31 - 1, 2**16, 1e12
_TRACK: dict[str, Callable[[Any], bool]] = {
    "position": lambda value: _is_whole(value, MAX_TRACKS - 1),
    "codec": lambda value: _is_text(value, MAX_NAME),
    "language": lambda value: _is_text(value, MAX_NAME),
    "title": lambda value: _is_text(value, MAX_TITLE),
    "channels": lambda value: _is_whole(value, _MAX_CHANNELS),
    "sample_rate": lambda value: _is_whole(value, _MAX_RATE),
    "seconds": lambda value: value is None or (type(value) in (int, float) and 0 <= value <= _MAX_SECONDS),
    "default": lambda value: type(value) is bool,
    "chosen": lambda value: type(value) is bool,
}


@dataclass(frozen=True)
class Tracks:
    """The audio tracks of the video, in order: each has the members of _TRACK."""

    items: list[dict[str, Any]]


@dataclass(frozen=True)
class Frames:
    """The next frames of the MP3."""

    data: bytes


@dataclass(frozen=True)
class Progress:
    """How much is done, 0 to 1."""

    share: float


@dataclass(frozen=True)
class Restarted:
    """The frames so far are not to be kept."""


@dataclass(frozen=True)
class Snapshot:
    """What the next delivery needs to resume after the frames so far."""

    json: bytes

    def parsed(self) -> dict[str, Any]:
        """The state, fit for a database. Raises: ProtocolViolation."""
        state = _json(self.json)
        if not isinstance(state, dict):
            raise ProtocolViolation("a state that is no object")
        return state


@dataclass(frozen=True)
class File:
    """An MP3 is whole: its first and last bytes, its length in seconds; its title, if it is one of `files` in a zip."""

    head: bytes
    tail: bytes
    seconds: float
    title: str | None
    files: int


@dataclass(frozen=True)
class Drawn:
    """The waveform of the MP3: how many seconds there are to a height, and the heights."""

    seconds: float
    heights: bytes


@dataclass(frozen=True)
class Warned:
    """What the owner has to know about the MP3."""

    warning: JobWarning


@dataclass(frozen=True)
class Failed:
    """The conversion failed for good, for a reason of REASONS, with one of its HINTS or none ("")."""

    code: str
    hint: str = ""


Message = Tracks | Frames | Progress | Restarted | Snapshot | Drawn | File | Warned | Failed


class Dialogue:
    """All messages of one conversion, in order. `split` says whether each chapter becomes a file of its own.

    `max_seconds` is how much sound they may have altogether.
    """

    def __init__(self, split: bool, max_seconds: float) -> None:
        self._split = split
        self._seconds_left = max_seconds
        self._files = self._warnings = 0
        self._files_stated: int | None = None
        self._is_begun = self._is_over = False
        self._has_peaks = False
        # A file's first frames may turn out to be wrong; what is kept of them, never.
        self._may_restart = True

    def take(self, header: Mapping[str, Any], payload: bytes) -> Message:
        """The message. Raises: ProtocolViolation for whatever makes no sense, here and now."""
        if self._is_over:
            raise ProtocolViolation("a message after the last one")
        is_first, self._is_begun = not self._is_begun, True
        match header:
            case {"kind": "tracks", **rest} if not rest and is_first:
                return Tracks(_tracks(_json(payload)))
            case {"kind": "audio", **rest} if not rest:
                return Frames(payload)
            case {"kind": "progress", "share": share, **rest} if not rest and not payload:
                return Progress(_number(share, 1))
            case {"kind": "restart", **rest} if not rest and not payload and self._may_restart:
                self._may_restart = False
                return Restarted()
            case {"kind": "checkpoint", **rest} if not rest and not self._split:
                self._may_restart = False
                return Snapshot(payload)
            case {"kind": "peaks", "seconds": seconds, **rest} if not rest and not self._split and not self._has_peaks:
                return self._drawn(Drawn(_number(seconds, _MAX_SECONDS), payload))
            case {"kind": "file", "title": title, "files": files, "head": head, "seconds": seconds, **rest} if not rest:
                return self._file(File(*_ends(payload, head), self._length(seconds), _title(title), _count(files)))
            case {"kind": "warning", "code": str(code), "values": dict(values), **rest} if not rest and not payload:
                return Warned(self._warning(code, values))
            case {"kind": "failed", "code": str(code), "hint": str(hint), **rest} if not rest and not payload:
                self._is_over = True
                return _failed(code, hint)
        raise ProtocolViolation("a message that is not known, or not here")

    def _drawn(self, peaks: Drawn) -> Drawn:
        self._may_restart, self._has_peaks = False, True
        if not peaks.seconds or not 0 < len(peaks.heights) <= MAX_PEAKS:
            raise ProtocolViolation("a waveform that cannot be")
        return peaks

    def _file(self, file: File) -> File:
        self._files += 1
        self._may_restart = False
        stated = self._files_stated or file.files
        if (file.title is not None) != self._split or file.files != stated or self._files > stated:
            raise ProtocolViolation("a file that was not asked for")
        self._files_stated = stated
        self._is_over = not self._split
        return file

    def _warning(self, code: str, values: dict[str, Any]) -> JobWarning:
        self._warnings += 1
        if self._warnings > MAX_WARNINGS or code not in WARNINGS or values.keys() != job_warnings.names(code):
            raise ProtocolViolation("a warning that is not known, or one too many")
        warning = JobWarning(code, {name: _value(value) for name, value in values.items()})
        if warning.text == code:
            raise ProtocolViolation("a warning with a value of another kind")
        return warning

    def _length(self, seconds: Any) -> float:
        # Sums of many fractions may be off by a little.
        length = _number(seconds, self._seconds_left + 1)
        self._seconds_left -= length
        return length


def _json(payload: bytes) -> Any:
    """What a payload says, fit for a database."""
    try:
        value = json.loads(payload)
        # No NaN, and no half of a surrogate pair.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation("a payload that is no JSON") from error
    return value


def _tracks(items: Any) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not 0 < len(items) <= MAX_TRACKS or not all(map(_is_track, items)):
        raise ProtocolViolation("tracks that cannot be")
    if [item["position"] for item in items] != list(range(len(items))):
        raise ProtocolViolation("tracks out of order")
    return items


def _is_track(item: Any) -> bool:
    return isinstance(item, dict) and item.keys() == _TRACK.keys() and all(_TRACK[name](item[name]) for name in _TRACK)


def _is_whole(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and cleaned(value, longest) == value


def _failed(code: str, hint: str) -> Failed:
    if code not in REASONS or (hint and HINTS.get(hint, ("", ""))[0] != code):
        raise ProtocolViolation("a reason that is not known")
    return Failed(code, hint)


def _number(value: Any, most: float) -> float:
    # The comparison is false for NaN.
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise ProtocolViolation("a number that cannot be")
    return float(value)


def _value(value: Any) -> int | float | str:
    if isinstance(value, str):
        if len(value) > MAX_VALUE_LENGTH or one_line(value, MAX_VALUE_LENGTH) != value:
            raise ProtocolViolation("a text that is too long, or has what is not seen")
        return value
    if type(value) not in (int, float) or not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise ProtocolViolation("a number that cannot be")
    number: int | float = value
    return number


def _count(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_CHAPTERS:
        raise ProtocolViolation("a number of files that cannot be")
    return value


def _title(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH):
        raise ProtocolViolation("a title that is none, or too long")
    return value


def _ends(payload: bytes, head: Any) -> tuple[bytes, bytes]:
    if type(head) is not int or not 0 <= head <= len(payload):
        raise ProtocolViolation("a head that is not in the payload")
    return payload[:head], payload[head:]
