"""A decoder's frames, many at a time: what is to be done with each of them is done a tenth as often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from av.audio.frame import AudioFrame

from functions.convert.conversion.marks import Mark, Place
from functions.convert.conversion.sound.timeline import Clock, Timeline
from functions.convert.conversion.sound.wild import silenced
from functions.convert.conversion.tracks.mixing import MixReader
from functions.convert.conversion.tracks.reading import TrackReader
from functions.shared.job_warnings import JobWarning, count

__all__ = ["ENOUGH", "Before", "Gatherer"]

# So many samples are taken at a time, and somewhat more where decoding could not resume at the next frame.
ENOUGH = 16384


class Before(NamedTuple):
    """What was known when the first of some frames came, before it was counted."""

    mark: Mark | None
    clock: Clock | None
    broken: int
    warnings: tuple[JobWarning, ...]
    origin: Mark | None


class Gatherer:
    """Takes the frames that a reader and a timeline give, and makes samples silent that are no sound, if asked to."""

    def __init__(self, reader: TrackReader | MixReader, timeline: Timeline, silences_wild: bool) -> None:
        self._reader, self._timeline, self._silences_wild = reader, timeline, silences_wild
        self._frames: list[AudioFrame] = []
        self._kind: tuple[str, int, str] | None = None
        self._samples = self._since_mark = 0
        self._before: Before | None = None

    def gathered(self, frames: Iterator[tuple[Place | None, AudioFrame]]) -> Iterator[tuple[Before, list[AudioFrame]]]:
        """Frames of one kind, with what was known before the first; decoding can resume there if that has a mark.

        A frame comes with its place if decoding can resume at it.
        """
        for place, frame in frames:
            if not frame.samples:
                continue
            kind = (frame.format.name, frame.sample_rate, frame.layout.name)
            is_enough = self._samples >= 2 * ENOUGH or (place and self._since_mark >= ENOUGH)
            if (is_enough or kind != self._kind) and self._before:
                yield self._before, self._taken()
            if self._before is None:
                self._begin(place, kind)
            self._add(frame)
            if self._silences_wild and (wild := silenced(frame)):
                count(self._reader.warnings, "wild-samples", count=wild)
        if self._before:
            yield self._before, self._taken()

    def _begin(self, place: Place | None, kind: tuple[str, int, str]) -> None:
        reader, mark = self._reader, Mark(*place) if place else None
        self._kind = kind
        self._before = Before(mark, self._timeline.clock, reader.broken, tuple(reader.warnings), reader.origin)
        if mark:
            self._since_mark = 0

    def _add(self, frame: AudioFrame) -> None:
        self._frames.append(frame)
        self._samples += frame.samples
        self._since_mark += frame.samples

    def _taken(self) -> list[AudioFrame]:
        taken, self._frames, self._samples, self._before = self._frames, [], 0, None
        return taken
