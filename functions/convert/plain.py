"""One video to one MP3 by a single ffmpeg command: where the engine has crashed, and what it is compared with."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ffmpeg

from functions.convert import media
from functions.convert.conversion import tag
from functions.convert.conversion.plan import MEASURING, Plan, Shape, is_short, planned
from functions.convert.process import Outcome, run
from functions.shared import settings
from functions.shared.reasons import Failure

__all__ = ["command", "convert"]

# Below this, in LUFS, is silence (ITU-R BS.1770-4, annex 1). The peak to keep free, in dBTP (EBU R 128).
SILENCE, LARGEST_PEAK = -70.0, -1.0

_INTEGRATED, _PEAK = (
    re.compile(rf"    {name}: +(-?\d+\.\d+) {unit}") for name, unit in (("I", "LUFS"), ("Peak", "dBFS"))
)

Watch = Callable[[float], None]


def convert(
    video: Path, directory: Path, options: Mapping[str, Any], report: Callable[[float], None]
) -> tuple[Path, float]:
    """Write the MP3 of `video` into the empty `directory`, with the owner's `options`.

    No cover is taken over, silence is not trimmed, and chapters are not split: it shall work, first of all.
    `report` gets the progress (0 to 1) every second, and may raise to stop the conversion.
    Returns: the MP3's path and its length in seconds.
    Raises: Failure when the file is to blame, Crash when it may not be.
    """
    deadline = time.monotonic() + settings.number("CONVERT_TIMEOUT_SECONDS")
    plan = planned(media.probe(video, directory, deadline, lambda _: report(0.0)), options)
    if (plan.seconds or 0) > settings.number("MAX_DURATION_SECONDS"):
        raise Failure("too-long")
    before = 0.0
    if plan.loudness is not None:
        plan, before = replace(plan, gain=_gain(video, directory, plan, deadline, report)), MEASURING
    frames = directory / "frames.mp3"
    watch = _watch(plan, before, 1.0, report)
    outcome = run(command(video, frames, plan), directory, deadline, watch, [video])
    _check_outcome(outcome, plan)
    return _tagged(frames, plan), outcome.seconds


def command(video: Path, target: Path, plan: Plan) -> list[str]:
    """The command that writes the MP3 as `plan` has it, without tags, chapters and cover."""
    encoding = {"acodec": "copy"} if plan.copy else {"acodec": "libmp3lame", **_quality(plan.shape)}
    bare = {"id3v2_version": 0, "map_metadata": -1, "map_chapters": -1}
    sound = _input(video, plan) if plan.copy else _faded(_trimmed(_shaped(_input(video, plan), plan), plan), plan)
    # Warnings and errors only: what it says is judged, and a title may read like one of them.
    return _words(sound.output(str(target), format="mp3", **encoding, **bare), "warning")


def _input(video: Path, plan: Plan) -> Any:
    return ffmpeg.input(f"file:{video}", **media.INPUT_GUARDS)[f"a:{plan.track.position}"]


def _shaped(sound: Any, plan: Plan) -> Any:
    """Several channels become fewer, and quieter by so much that nothing can clip."""
    layout = "mono" if plan.shape.channels == 1 else "stereo"
    mixed = sound.filter("aresample", rematrix_maxval=1)
    shaped = mixed.filter("aformat", f="fltp", r=plan.shape.sample_rate, cl=layout)
    return shaped.filter("volume", volume=f"{plan.gain}dB", precision="float") if plan.gain else shaped


def _trimmed(sound: Any, plan: Plan) -> Any:
    ends = {"start_sample": plan.start, "end_sample": plan.end}
    places = {name: round(seconds * plan.shape.sample_rate) for name, seconds in ends.items() if seconds is not None}
    return sound.filter("atrim", **places).filter("asetpts", "N/SR/TB") if places else sound


def _faded(sound: Any, plan: Plan) -> Any:
    rate = plan.shape.sample_rate
    if plan.fade_in:
        sound = sound.filter("afade", t="in", ss=0, ns=round(plan.fade_in * rate))
    if plan.fade_out and plan.seconds is not None:
        starts = max(plan.seconds - plan.fade_out, 0.0)
        sound = sound.filter("afade", t="out", st=starts, d=plan.fade_out)
    return sound


def _quality(shape: Shape) -> dict[str, Any]:
    if shape.mode == "vbr":
        return {"q:a": shape.value}
    return {"audio_bitrate": f"{shape.value}k", **({"abr": 1} if shape.mode == "abr" else {})}


def _words(output: Any, level: str) -> list[str]:
    whole = output.global_args("-hide_banner", "-v", level, "-nostdin", "-nostats", "-progress", "pipe:1")
    return [str(word) for word in whole.compile(cmd=media.ffmpeg())]


def _gain(video: Path, directory: Path, plan: Plan, deadline: float, report: Callable[[float], None]) -> float:
    """What makes the sound as loud as wanted, in dB: less where a peak would not fit."""
    shaped = _trimmed(_shaped(_input(video, plan), plan), plan)
    measured = shaped.filter("ebur128", peak="true", framelog="verbose").output("-", format="null")
    # It is not judged by what it says, as titles are a part of that; what is wrong shows again when it is encoded.
    outcome = run(_words(measured, "info"), directory, deadline, _watch(plan, 0.0, MEASURING, report), [video])
    # The summary is the last thing that it says.
    integrated, peak = (
        next((float(match[1]) for line in reversed(outcome.lines) if (match := form.match(line))), None)
        for form in (_INTEGRATED, _PEAK)
    )
    if integrated is None or peak is None or integrated <= SILENCE:
        return 0.0
    return min((plan.loudness or 0.0) - integrated, LARGEST_PEAK - peak)


def _watch(plan: Plan, start: float, end: float, report: Callable[[float], None]) -> Watch:
    """Makes progress from `start` to `end` of the time stamp reached."""

    def watch(at: float) -> None:
        if at > settings.number("MAX_DURATION_SECONDS"):
            raise Failure("too-long")
        share = min(at / plan.seconds, 0.99) if plan.seconds else 0.0
        report(start + share * (end - start))

    return watch


def _check_outcome(outcome: Outcome, plan: Plan) -> None:
    short = is_short(outcome.seconds, plan.seconds)
    cut = outcome.said("partial file", "File ended prematurely") or (short and outcome.said("corrupt"))
    if cut and not (plan.whole and outcome.seconds > 0):
        raise Failure("truncated")
    if outcome.said("File too large") or outcome.status == -signal.SIGXFSZ:
        raise Failure("too-large")
    outcome.check_ran()
    if outcome.status > 0 and outcome.said("not on whitelist", "no decoder found", "Decoder not found"):
        raise Failure("unsupported-codec")
    if outcome.status > 0 or outcome.seconds <= 0:
        raise Failure("damaged")


def _tagged(frames: Path, plan: Plan) -> Path:
    whole = frames.with_name("audio.mp3")
    with whole.open("wb") as target, frames.open("rb") as source:
        target.write(tag.id3v2(plan.tags, plan.chapters, None))
        shutil.copyfileobj(source, target)
        target.write(tag.id3v1(plan.tags) if plan.id3v1 else b"")
    frames.unlink()
    return whole
