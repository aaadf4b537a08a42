"""What is in a file, read from what the ffmpeg command prints: for plain.py."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

from functions.convert.conversion.containers.accepted import CODECS, FORMATS, MAX_RATE
from functions.convert.conversion.containers.cut_off import is_cut_off
from functions.convert.conversion.containers.kinds import check_kind
from functions.convert.conversion.media import Chapter, Media, Track
from functions.convert.conversion.source import RangeFile
from functions.convert.plain_mend import Input, opened
from functions.convert.process import Outcome, run
from functions.shared.reasons import Failure

__all__ = ["INPUT_GUARDS", "ffmpeg", "probe"]

# Options of the input: only files, only these demuxers and decoders, and no picture. Without the first two, a playlist
# named .mp4 makes ffmpeg read other files.
INPUT_GUARDS: dict[str, str | None] = {
    "protocol_whitelist": "file",
    "format_whitelist": FORMATS,
    "codec_whitelist": CODECS,
    "vn": None,
    "sn": None,
    "dn": None,
}

# Of tags, and of chapters.
_TAGS_BYTES = 1024 * 1024

_FORMAT = re.compile(r"Input #0, ([\w,]+), from ")
_DURATION = re.compile(r"  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_AUDIO = re.compile(r"  Stream #0:(\d+)(?:\[\w+\])?(?:\((\w*)\))?: Audio: (\w+)[^,]*(?:, (\d+) Hz, ([^,]+))?")
_STREAM, _TITLE = re.compile(r"  Stream #0:\d+"), re.compile(r"      title +: (.*)")
# What stands in brackets behind it: "(default)", "(visual impaired)", and "(fltp)" or "(forced)" which are no matter.
_ROLE = re.compile(r"\(([a-z ]+)\)")
_COUNTS = {"mono": 1, "stereo": 2, "quad": 4}
# A line of an ffmetadata file continues after a backslash before its end.
_LINE = re.compile(r"((?:[^\\\n]|\\.)*)\n", re.DOTALL)


@cache
def ffmpeg() -> str:
    """The path of the ffmpeg to use: the one on PATH, else the one that imageio-ffmpeg carries."""
    found = shutil.which("ffmpeg")
    if found is None:
        import imageio_ffmpeg

        found = imageio_ffmpeg.get_ffmpeg_exe()
    return str(found)


def probe(source: Input, directory: Path, deadline: float, watch: Callable[[float], None]) -> Media:
    """Look at a file without decoding it; what is left in `directory` is what was there.

    Raises: Failure when there is nothing in it that could be converted.
    """
    if source.path.stat().st_size == 0:
        raise Failure("empty")
    with opened(source.path) as file:
        cut_off, refused = is_cut_off(file), _refused(file)
    options = {**INPUT_GUARDS, **source.options}
    guards = [word for name, value in options.items() for word in (f"-{name}", value) if word is not None]
    tags = directory / "tags"
    command = [
        ffmpeg(),
        "-hide_banner",
        "-nostdin",
        *guards,
        "-i",
        f"file:{source.path}",
        "-f",
        "ffmetadata",
        str(tags),
    ]
    seen = run(command, directory, deadline, watch, [source.path])
    seen.check_ran()
    texts = _read(tags)
    tracks = tuple(_tracks(seen.lines))
    if not tracks:
        raise refused or _why_nothing(seen, cut_off)
    return Media(
        _format(seen.lines), _stated_seconds(seen.lines), tracks, *_told(texts), cover_stream=None, cut_off=cut_off
    )


def _read(tags: Path) -> str:
    if not tags.exists():
        return ""
    with tags.open("rb") as file:
        text = file.read(_TAGS_BYTES).decode(errors="replace")
    tags.unlink()
    return text


def _told(text: str) -> tuple[dict[str, str], tuple[Chapter, ...]]:
    """Tags and chapters of an ffmetadata file (ffmpeg-formats(1), "Metadata")."""
    sections: list[tuple[str, dict[str, str]]] = [("", {})]
    for line in _LINE.findall(text):
        if line.startswith(";"):
            continue
        if line.startswith("["):
            sections.append((line, {}))
        name, equals, value = re.sub(r"\\(.)", r"\1", line, flags=re.DOTALL).partition("=")
        if equals:
            sections[-1][1][name.lower()] = value
    return sections[0][1], tuple(_chapters(fields for line, fields in sections if line == "[CHAPTER]"))


def _chapters(sections: Iterable[dict[str, str]]) -> Iterator[Chapter]:
    for fields in sections:
        tick = Fraction(fields.get("timebase", "1/1000"))
        yield Chapter.of_ticks(int(fields["start"]), int(fields["end"]), tick, fields.get("title", ""))


def _tracks(lines: Iterable[str]) -> Iterator[Track]:
    for position, (match, title) in enumerate(_streams(lines)):
        index, language, codec, rate, layout = match.groups()
        roles = frozenset(_role(words) for words in _ROLE.findall(match.string[match.end() :]))
        count = _channels((layout or "").strip())
        yield Track(
            position,
            int(index),
            "" if codec == "none" or int(rate or 0) > MAX_RATE else codec,
            int(rate or 0),
            count,
            layout or "",
            "" if language in (None, "und") else language.lower(),
            title,
            default="default" in roles,
            roles=roles,
        )


def _streams(lines: Iterable[str]) -> list[tuple[re.Match[str], str]]:
    """The line of each audio stream, and the title that is printed below it."""
    found: list[tuple[re.Match[str], str]] = []
    is_audio = False
    for line in lines:
        if _STREAM.match(line):
            match = _AUDIO.match(line)
            is_audio = match is not None
            found += [(match, "")] if match else []
        elif is_audio and (title := _TITLE.match(line)):
            found[-1] = (found[-1][0], title[1])
    return found


def _role(words: str) -> str:
    """FFmpeg's name of a disposition, of which the command prints words."""
    return words.replace(" ", "_")


def _channels(layout: str) -> int:
    """ "mono", "5.1(side)", "3 channels": how many they are."""
    digits = re.match(r"[\d.]+", layout)
    return _COUNTS.get(layout) or (sum(int(digit) for digit in digits[0].split(".") if digit) if digits else 2)


def _format(lines: Iterable[str]) -> str:
    return next((match[1] for line in lines if (match := _FORMAT.match(line))), "")


def _stated_seconds(lines: Iterable[str]) -> float | None:
    found = [match for line in lines if (match := _DURATION.match(line))]
    if not found:
        return None
    hours, minutes, seconds = found[0].groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _refused(file: RangeFile) -> Failure | None:
    """Why nothing is expected in it, by how it begins. The command has guards of its own."""
    try:
        check_kind(file)
    except Failure as failure:
        return failure
    return None


def _why_nothing(seen: Outcome, cut_off: bool) -> Failure:
    if seen.said("Input #0"):
        return Failure("no-audio")
    if seen.said("not on whitelist", "not in whitelist", "Not detecting m3u8/hls"):
        return Failure("refused-format")
    return Failure("truncated", "no-index") if cut_off else Failure("not-media")
