"""One video to one MP3: look, plan, encode, judge. No database and no blob store: files in, file out."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ffmpeg as arguments

from functions.convert.media import INPUT_GUARDS, Media, ffmpeg, probe
from functions.convert.process import Outcome, run
from functions.shared import settings
from functions.shared.options import DEFAULT_QUALITY
from functions.shared.reasons import Failure

__all__ = ["Crash", "convert"]

# An MP3 this much shorter than the file says it is, in seconds and as a share, was not cut by rounding.
SHORT_SECONDS, SHORT_SHARE = 2.0, 0.02


class Crash(Exception):
    """ffmpeg was killed, or failed in a way that says nothing about the file: another try may work."""


def convert(
    video: Path, directory: Path, options: Mapping[str, int], report: Callable[[float], None]
) -> tuple[Path, float]:
    """Write the MP3 of `video` into the empty `directory`.

    `report` gets the progress (0 to 1) every second, and may raise to stop the conversion.
    Returns: the MP3's path and its length in seconds.
    Raises: Failure when the file is to blame, Crash when it may not be.
    """
    deadline = time.monotonic() + settings.number("CONVERT_TIMEOUT_SECONDS")
    media = probe(video, directory, deadline, lambda _: report(0.0))
    if media.seconds and media.seconds > settings.number("MAX_DURATION_SECONDS"):
        raise Failure("too-long")
    target = directory / "audio.mp3"
    outcome = run(_plan(video, target, media, options), directory, deadline, lambda at: _watch(at, media, report))
    _judge(outcome, media)
    return target, outcome.seconds


def _plan(video: Path, target: Path, media: Media, options: Mapping[str, int]) -> list[str]:
    track = options.get("track", 0)
    if track >= len(media.tracks):
        raise Failure("no-track")
    source = arguments.input(f"file:{video}", **INPUT_GUARDS)
    output = source[f"a:{track}"].output(str(target), format="mp3", **_encoding(media.tracks[track].codec, options))
    # Warnings and errors only: what it says is judged, and a title may read like one of them.
    whole = output.global_args("-hide_banner", "-v", "warning", "-nostdin", "-nostats", "-progress", "pipe:1")
    return [str(word) for word in whole.compile(cmd=ffmpeg())]


def _encoding(codec: str, options: Mapping[str, int]) -> dict[str, Any]:
    if codec == "mp3" and not options.keys() - {"track"}:
        return {"acodec": "copy"}
    quality = (
        {"audio_bitrate": f"{options['bitrate']}k"}
        if "bitrate" in options
        else {"q:a": options.get("quality", DEFAULT_QUALITY)}
    )
    shape = {name: options[option] for name, option in (("ar", "sample_rate"), ("ac", "channels")) if option in options}
    return {"acodec": "libmp3lame", **quality, **shape}


def _watch(at: float, media: Media, report: Callable[[float], None]) -> None:
    if at > settings.number("MAX_DURATION_SECONDS"):
        raise Failure("too-long")
    report(min(at / media.seconds, 0.99) if media.seconds else 0.0)


def _judge(outcome: Outcome, media: Media) -> None:
    short = media.seconds is not None and outcome.seconds < media.seconds * (1 - SHORT_SHARE) - SHORT_SECONDS
    if outcome.said("partial file", "File ended prematurely") or (short and outcome.said("corrupt")):
        raise Failure("truncated")
    if outcome.said("File too large") or outcome.status == -signal.SIGXFSZ:
        raise Failure("too-large")
    if outcome.status == -signal.SIGXCPU:
        raise Failure("timed-out")
    if outcome.status < 0:
        raise Crash(f"ffmpeg was killed by signal {-outcome.status}: {outcome.last_words()}")
    if outcome.status > 0 and outcome.said("not on whitelist", "no decoder found", "Decoder not found"):
        raise Failure("unsupported-codec")
    if outcome.status > 0 or outcome.seconds <= 0:
        raise Failure("damaged")
