"""One conversion from end to end: ranges of a video in, messages with the MP3's bytes out. Nothing else goes in or out.

Each message is a header, which names its kind, and a payload:

    tracks      payload: the audio tracks of the video, and which are taken (JSON, as of choosing.views); comes first
    audio       payload: the next frames of the MP3
    progress    share: how much of the work is done, 0 to 1
    restart     the frames so far are not to be kept: what should be copied has to be encoded (once, and before
                anything that is kept: a checkpoint or a file)
    checkpoint  payload: the state (JSON) from which a later conversion resumes after the frames so far
    warning     code, values: what the owner has to know about the MP3 (functions/shared/job_warnings.py);
                before the file, or where chapters are split after the last one
    peaks       seconds: how many there are to a height of the waveform; payload: the heights, 0 to 255 (peaks.py).
                Before the file, if that is encoded and no zip
    file        title, files, head, seconds: an MP3 is whole; payload: its first `head` bytes, and its last.
                Where chapters are split each has a title, and there are at most `files`; else the title is null.

The first bytes of an MP3 tell about all of it, so they come last.
"""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from importlib import import_module
from typing import Any

from functions.convert.conversion.containers.probe import opened, probe
from functions.convert.conversion.media import Chapter
from functions.convert.conversion.mpeg import cover, encode, segments
from functions.convert.conversion.mpeg.copying import Copy
from functions.convert.conversion.mpeg.encode import Encoded
from functions.convert.conversion.mpeg.mp3 import Mp3
from functions.convert.conversion.mpeg.tag import MAX_TEXT_LENGTH
from functions.convert.conversion.plan import MEASURING, Plan, planned
from functions.convert.conversion.saved import checkpoint, resume_point
from functions.convert.conversion.sound import decode, loudness, peaks
from functions.convert.conversion.sound.cutting import Cutter, cuts
from functions.convert.conversion.sound.decode import Block
from functions.convert.conversion.sound.peaks import Waveform
from functions.convert.conversion.sound.timelines import timeline_of
from functions.convert.conversion.source import RangeFile, RangeSource
from functions.convert.conversion.tracks import choosing
from functions.convert.conversion.tracks.listening import Heard, audible
from functions.convert.errors import NotOneStream
from functions.shared.job_warnings import MAX_WARNINGS, JobWarning
from functions.shared.reasons import Failure

__all__ = ["RawMessage", "converted", "run", "warm"]

RawMessage = tuple[dict[str, Any], bytes]
# What the first of two passes finds, and how often it reports progress, in seconds of sound.
FOUND = ("gain", "start", "end", "seconds")
PROGRESS_SECONDS = 10.0
# No codec has less for a second of anything, silence and containers counted in.
LEAST_BYTES = 16


def warm() -> None:
    """Load what is otherwise loaded on first use, when no file can be opened any more."""
    # What PyAV imports when it meets the first stream of its kind.
    for name in ("av.subtitles.stream", "av.subtitles.codeccontext", "av.video.stream", "av.video.codeccontext"):
        import_module(name)
    for _ in converted(_Silence(), {"options": {}, "threads": 1, "max_seconds": 1, "state": None}):
        pass


class _Silence:
    """A WAV of a twentieth of a second."""

    def __init__(self) -> None:
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 8000, 400, "NONE", ""))
            sound.writeframes(bytes(800))
        self._data = file.getvalue()
        self.size = len(self._data)

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """As in source.RangeSource."""
        return b"".join(self._data[start : start + length] for start, length in ranges)


def run(source: RangeSource, job: Mapping[str, Any], send: Callable[[dict[str, Any], bytes], None]) -> None:
    """Convert, and send the messages. Raises: Failure, which zygote.py makes a message of."""
    for header, payload in converted(source, job):
        send(header, payload)


def converted(source: RangeSource, job: Mapping[str, Any]) -> Iterator[RawMessage]:
    """The messages of one conversion.

    `job`: `options` (as options.py gives them), `threads`, `max_seconds` (of sound), `state` (of a checkpoint, or
    None). Raises: Failure.
    """
    work = _Work(source, job)
    yield work.choose()
    work.prepare()
    if work.plan.copy:
        yield from work.copied_or_encoded()
    elif work.plan.split_chapters:
        yield from work.split()
    else:
        yield from work.encoded()


class _Work:
    """What the ways to convert have in common: the open video, the plan, and how far it got."""

    plan: Plan

    def __init__(self, source: RangeSource, job: Mapping[str, Any]) -> None:
        self._file = RangeFile(source)
        self._container = opened(self._file)
        self._media = probe(self._container)
        self._job, self._state = job, dict(job["state"] or {})
        self._before = 0.0
        # What was found in the sound; the plan has its own.
        self._found: list[JobWarning] = []
        self._heard: Heard | None = None

    def choose(self) -> RawMessage:
        """Choose the track. Returns: the message about all of them."""
        chosen = choosing.to_mix(self._media.tracks, self._job["options"])
        if not chosen:
            self._heard = self._resumed_choice() or self._new_choice()
            chosen = (self._heard.track,) if self._heard else ()
        return {"kind": "tracks"}, json.dumps(choosing.views(self._media.tracks, chosen)).encode()

    def prepare(self) -> None:
        """Plan what to do with the track. Raises: Failure."""
        heard = self._heard
        plan = planned(self._media, self._job["options"], heard.track if heard else None)
        self.plan = replace(plan, warnings=plan.warnings + (heard.warnings if heard else ()))
        if self._state:
            # Only what is encoded saves a state.
            self.plan = replace(self.plan, copy=False)
        self._check_stated(self.plan.seconds or 0.0)
        stream = self._media.cover_stream if self.plan.cover else None
        self._cover = None if stream is None else cover.cover(self._container, stream)

    def _resumed_choice(self) -> Heard | None:
        """What the conversion before took. An older release took what the video puts first, and did not say so."""
        if not self._state:
            return None
        own = choosing.own_choice(self._media.tracks, self._job["options"])
        position, warnings = self._state.get("track") or (own.position if own else 0, [])
        return Heard(self._media.tracks[position], tuple(JobWarning(*warning) for warning in warnings))

    def _new_choice(self) -> Heard | None:
        candidates = choosing.ranked(self._media.tracks, self._job["options"])
        to_hear = choosing.needs_listening(candidates)
        if not to_hear:
            return Heard(candidates[0]) if candidates else None
        heard = audible(self._container, to_hear, self._media.seconds)
        self._reopen()
        return heard

    def _reopen(self) -> None:
        # Two indexes may not fit into the memory.
        self._container.close()
        self._container = opened(self._file)

    def encoded(self) -> Iterator[RawMessage]:
        """The whole track as one MP3, or what a checkpoint leaves of it."""
        yield from self._measured()
        first, mp3 = self._state.get("segment", 0), Mp3(self.plan, self._state.get("mp3"))
        point = resume_point(self._state)
        waveform = peaks.resumed(self._state.get("peaks"), first)
        blocks = decode.blocks(self._container, self.plan, point, warnings=self._found)
        about = segments.units((self.plan.seconds or 0.0) * self.plan.shape.sample_rate, self.plan.shape)
        for part in self._parts(blocks, first, point.sample if point else 0, about):
            yield _audio(mp3.add(part))
            if waveform:
                waveform.add(segments.boundary(part.index), part.step, part.heights)
            yield self._reached(part.end)
            if not part.last:
                reached = {"segment": part.after, "mp3": mp3.state(), "track": self._choice()}
                reached["peaks"] = waveform and [part.after, waveform.state()]
                yield checkpoint(self._state | reached, part.resume)
        yield from self._warnings()
        if waveform:
            yield self._peaks_message(waveform)
        yield self._file_message(mp3, None)

    def split(self) -> Iterator[RawMessage]:
        """An MP3 for each chapter."""
        yield from self._measured()
        cutter, done = Cutter(decode.blocks(self._container, self.plan, warnings=self._found)), 0
        files = cuts(self.plan)
        for number, (title, end) in enumerate(files, 1):
            tags = self.plan.tags | {"title": title, "track": f"{number}/{len(files)}"}
            mp3 = Mp3(replace(self.plan, tags=tags, chapters=()))
            for part in self._parts(cutter.until(end)):
                yield _audio(mp3.add(part))
                yield self._reached(done + part.end)
            done += mp3.samples
            if mp3.samples:
                yield self._file_message(mp3, title, len(files))
        yield from self._warnings()

    def copied_or_encoded(self) -> Iterator[RawMessage]:
        """MP3 frames as they are; encoded anew, if they turn out to be no single stream of them."""
        try:
            yield from self._copied()
        except NotOneStream:
            yield {"kind": "restart"}, b""
            self.plan = replace(self.plan, copy=False)
            self._found.clear()
            self._reopen()
            yield from self.encoded()

    def _copied(self) -> Iterator[RawMessage]:
        stream = self._container.streams.audio[self.plan.track.position]
        mp3 = Copy(self.plan, timeline_of(self._container, stream, self.plan))
        for frames in mp3.frames(decode.packets(self._container, self.plan, self._found)):
            yield _audio(frames)
            yield _progress(self._share(mp3.seconds))
        yield from self._warnings()
        yield self._file_message(mp3, None)

    def _warnings(self) -> Iterator[RawMessage]:
        for warning in (*self.plan.warnings, *self._found)[:MAX_WARNINGS]:
            yield {"kind": "warning", "code": warning.code, "values": warning.values}, b""

    def _measured(self) -> Iterator[RawMessage]:
        """The first of two passes, where it takes two; a checkpoint knows what it found."""
        if self.plan.loudness is None and not self.plan.trim_silence:
            return
        if "found" not in self._state:
            self._state["found"] = yield from self._measure()
            self._reopen()
        found = self._state["found"]
        chapters = tuple(Chapter(*chapter) for chapter in found["chapters"])
        self.plan = replace(self.plan, **found | {"chapters": chapters, "trim_silence": False})
        self._before = MEASURING

    def _measure(self) -> Generator[RawMessage, None, dict[str, Any]]:
        measuring, next_progress = loudness.measured(self._container, self.plan), 0.0
        while True:
            try:
                seconds = next(measuring)
            except StopIteration as end:
                plan: Plan = end.value
                chapters = [astuple(chapter) for chapter in plan.chapters]
                return {name: getattr(plan, name) for name in FOUND} | {"chapters": chapters}
            if seconds >= next_progress:
                yield _progress(MEASURING * self._share(seconds))
                next_progress = seconds + PROGRESS_SECONDS

    def _choice(self) -> list[Any]:
        heard = self._heard
        return [self.plan.track.position, [[w.code, w.values] for w in heard.warnings] if heard else []]

    def _parts(self, blocks: Iterator[Block], first: int = 0, sample: int = 0, about: int = 0) -> Iterator[Encoded]:
        return encode.made(blocks, self.plan.shape, self._job["threads"], first, sample, about)

    def _reached(self, samples: int) -> RawMessage:
        share = self._share(samples / self.plan.shape.sample_rate)
        return _progress(self._before + (1 - self._before) * share)

    def _share(self, seconds: float) -> float:
        """How much of the sound this is; of the bytes, where nobody knows how long it will be."""
        self._check_length(seconds)
        share = seconds / self.plan.seconds if self.plan.seconds else self._file.tell() / self._file.size
        return max(0.0, min(share, 1.0))

    def _check_stated(self, seconds: float) -> None:
        # What is wrong about itself is judged by what is there.
        if self._media.is_counted and seconds * LEAST_BYTES <= self._file.size:
            self._check_length(seconds)

    def _check_length(self, seconds: float) -> None:
        if seconds > self._job["max_seconds"]:
            raise Failure("too-long")

    def _peaks_message(self, waveform: Waveform) -> RawMessage:
        shape = self.plan.shape
        seconds, heights = waveform.drawn(segments.frame_samples(shape) / shape.sample_rate)
        return {"kind": "peaks", "seconds": seconds}, heights

    def _file_message(self, mp3: Mp3 | Copy, title: str | None, files: int = 1) -> RawMessage:
        head, tail = mp3.ends(self._cover)
        seconds = mp3.seconds
        told = {"title": title and title[:MAX_TEXT_LENGTH], "files": files, "head": len(head), "seconds": seconds}
        return {"kind": "file", **told}, head + tail


def _audio(frames: bytes) -> RawMessage:
    return {"kind": "audio"}, frames


def _progress(share: float) -> RawMessage:
    return {"kind": "progress", "share": share}, b""
