"""One video to one MP3 by a single ffmpeg command: for where the engine crashes, and to compare the engine with."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ffmpeg

from functions.convert import plain_mend, plain_probe
from functions.convert.conversion.media import Track
from functions.convert.conversion.mpeg import tag
from functions.convert.conversion.plan import MEASURING, Plan, Shape, is_short, planned
from functions.convert.conversion.sound import filters
from functions.convert.conversion.tracks import choosing
from functions.convert.conversion.tracks.layouts import side_of
from functions.convert.plain_mend import Input
from functions.convert.process import Outcome, run
from functions.shared import settings
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

__all__ = ["command", "convert"]

Watch = Callable[[float], None]


def convert(
    video: Path,
    directory: Path,
    options: Mapping[str, Any],
    report: Callable[[float], None],
    tell: Callable[[list[dict[str, Any]]], None] = lambda _: None,
    warnings: list[JobWarning] | None = None,
) -> tuple[Path, float]:
    """Write the MP3 of `video` into the empty `directory`, with the owner's `options`.

    No cover is taken over, silence is not trimmed, and chapters are not split: it must work, before all else.
    `report` gets the progress (0 to 1) several times a second, and may raise to stop the conversion; `tell` gets the
    tracks, and `warnings` what the owner has to know: of the choice of the track, of an end that is missing, and of
    another recording that follows.
    Returns: the MP3's path and its length in seconds.
    Raises: Failure when the file is to blame, Crash when it may not be.
    """
    deadline = time.monotonic() + settings.number("CONVERT_TIMEOUT_SECONDS")
    source = plain_mend.prepared(video, directory)
    media = plain_probe.probe(source, directory, deadline, lambda _: report(0.0))
    tell(choosing.views(media.tracks, choosing.taken(media.tracks, options)))
    plan = planned(media, options)
    if media.is_counted and (plan.seconds or 0) > settings.number("MAX_DURATION_SECONDS"):
        raise Failure("too-long")
    before, stated = 0.0, plan.seconds
    if plan.loudness is not None or plan.fade_out:
        plan, before = _measured(source, directory, plan, deadline, report), MEASURING
    frames = directory / "frames.mp3"
    watch = _watch(plan, before, 1.0, report)
    outcome = run(command(source, frames, plan), directory, deadline, watch, [source.path])
    found = [*plan.warnings, *_checked(outcome, plan, stated)]
    found += [JobWarning("rest-unread")] if source.goes_on else []
    if warnings is not None:
        warnings += found
    return _tagged(frames, plan), outcome.seconds


def command(source: Input, target: Path, plan: Plan) -> list[str]:
    """The command that writes the MP3 as `plan` has it, without tags, chapters and cover."""
    encoding = {"acodec": "copy"} if plan.copy else {"acodec": "libmp3lame", **_quality(plan.shape)}
    bare = {"id3v2_version": 0, "map_metadata": -1, "map_chapters": -1}
    sound = _input(source, plan.track) if plan.copy else _faded(_trimmed(_shaped(source, plan), plan), plan)
    # Warnings and errors only: they decide the outcome, and a title may read like one of them.
    return _words(sound.output(str(target), format="mp3", **encoding, **bare), "warning")


def _input(source: Input, track: Track) -> Any:
    words = {**plain_probe.INPUT_GUARDS, **source.options}
    return ffmpeg.input(f"file:{source.path}", **words)[f"a:{track.position}"]


def _filtered(sound: Any, *chain: filters.Filter) -> Any:
    for name, options in chain:
        sound = sound.filter(name, **options)
    return sound


def _shaped(source: Input, plan: Plan) -> Any:
    sound = _mixed(source, plan) if plan.mixed else _placed(source, plan)
    return _filtered(sound, *filters.shaping(plan.shape, plan.gain))


def _placed(source: Input, plan: Plan) -> Any:
    sound = _input(source, plan.track)
    return sound.filter("asetpts", "N/SR/TB") if plan.strung else _filtered(sound, filters.CLOCK)


def _mixed(source: Input, plan: Plan) -> Any:
    """Each track where its time stamps say, from the beginning of the video on."""
    sides = [side_of(track.layout) if plan.shape.channels == 2 else None for track in plan.mixed]
    lanes = []
    for track, side in zip(plan.mixed, sides, strict=True):
        pan = [("pan", {"args": f"stereo|F{side[0].upper()}=c0"})] if side else []
        lane = _filtered(_input(source, track), filters.CLOCK, *pan)
        lanes.append(_filtered(lane, *filters.shaping(plan.shape, None)))
    (mix, options), quieter = filters.mixing(sides)
    return _filtered(ffmpeg.filter(lanes, mix, **options), quieter)


def _trimmed(sound: Any, plan: Plan) -> Any:
    if plan.start is None and plan.end is None:
        return sound
    end = {} if plan.end_sample is None else {"end_sample": plan.end_sample}
    return sound.filter("atrim", start_sample=plan.first_sample, **end).filter("asetpts", "N/SR/TB")


def _faded(sound: Any, plan: Plan) -> Any:
    if plan.fade_in:
        sound = _filtered(sound, filters.fade_in(plan.shape.samples(plan.fade_in)))
    if plan.fade_out:
        total = plan.shape.samples(plan.seconds or 0.0)
        sound = _filtered(sound, filters.fade_out(plan.shape.samples(plan.fade_out), total))
    return sound


def _quality(shape: Shape) -> dict[str, Any]:
    if shape.mode == "vbr":
        return {"q:a": shape.value}
    return {"audio_bitrate": f"{shape.value}k", **({"abr": 1} if shape.mode == "abr" else {})}


def _words(output: Any, level: str) -> list[str]:
    whole = output.global_args("-hide_banner", "-v", level, "-nostdin", "-nostats", "-progress", "pipe:1")
    return [str(word) for word in whole.compile(cmd=plain_probe.ffmpeg())]


def _measured(source: Input, directory: Path, plan: Plan, deadline: float, report: Callable[[float], None]) -> Plan:
    """The plan with its gain, and with the length that the sound really has: a file may state another one."""
    sound = _trimmed(_shaped(source, plan), plan)
    if plan.loudness is not None:
        sound = _filtered(sound, filters.LOUDNESS, *map(_told, (filters.INTEGRATED, filters.TRUE_PEAK)))
    measuring = _words(sound.output("-", format="null"), "warning")
    # What is wrong shows again when it is encoded.
    outcome = run(measuring, directory, deadline, _watch(plan, 0.0, MEASURING, report), [source.path])
    gain = None if plan.loudness is None else filters.gain(plan.loudness, outcome.told)
    return replace(plan, gain=gain, seconds=outcome.seconds or plan.seconds)


def _told(name: str) -> filters.Filter:
    """Has ffmpeg print the metadata of that name where it prints its progress, a line at a time."""
    return "ametadata", {"mode": "print", "key": name, "file": "pipe:1", "direct": 1}


def _watch(plan: Plan, start: float, end: float, report: Callable[[float], None]) -> Watch:
    """Makes progress from `start` to `end` of the time stamp reached."""

    def watch(at: float) -> None:
        if at > settings.number("MAX_DURATION_SECONDS"):
            raise Failure("too-long")
        share = min(at / plan.seconds, 0.99) if plan.seconds else 0.0
        report(start + share * (end - start))

    return watch


def _checked(outcome: Outcome, plan: Plan, stated: float | None) -> list[JobWarning]:
    """What to warn of. Raises: Failure, Crash."""
    short = is_short(outcome.seconds, stated)
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
    return [JobWarning("ends-early")] if cut else []


def _tagged(frames: Path, plan: Plan) -> Path:
    whole = frames.with_name("audio.mp3")
    with whole.open("wb") as target, frames.open("rb") as source:
        target.write(tag.id3v2(plan.tags, plan.chapters, None))
        shutil.copyfileobj(source, target)
        target.write(tag.id3v1(plan.tags) if plan.id3v1 else b"")
    frames.unlink()
    return whole
