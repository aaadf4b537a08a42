"""A decoder's frames, put together to large ones: what each of them costs is paid a tenth as often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame

from functions.convert.conversion.marks import Mark, Place
from functions.convert.conversion.sound.timeline import Clock, Timeline
from functions.convert.conversion.sound.wild import silenced
from functions.convert.conversion.tracks.mixing import MixReader
from functions.convert.conversion.tracks.reading import TrackReader
from functions.shared.job_warnings import JobWarning, count

__all__ = ["ENOUGH", "Before", "Gatherer"]

# So many samples are put together, and somewhat more where decoding could not resume at the next frame.
ENOUGH = 16384


class Before(NamedTuple):
    """What was known when the first frame of a large one came, before it was counted."""

    mark: Mark | None
    clock: Clock | None
    broken: int
    warnings: tuple[JobWarning, ...]
    origin: Mark | None


class Gatherer:
    """Takes the frames that a reader and a timeline give, and makes samples silent that are no sound, if asked to."""

    def __init__(self, reader: TrackReader | MixReader, timeline: Timeline, silences_wild: bool) -> None:
        self._reader, self._timeline, self._silences_wild = reader, timeline, silences_wild
        self._fifo, self._samples, self._since_mark = AudioFifo(), 0, 0
        # Of the frames in the FIFO: av does not compare it, and reads what is not there (av 18).
        self._layout = ""
        self._before: Before | None = None

    def gathered(self, frames: Iterator[tuple[Place | None, AudioFrame]]) -> Iterator[tuple[Before, AudioFrame]]:
        """Large frames, each with what was known before it; decoding can resume there if that has a mark.

        A frame comes with its place if decoding can resume at it.
        """
        for place, frame in frames:
            if self._samples >= 2 * ENOUGH or (place and self._since_mark >= ENOUGH):
                yield from self._taken()
            if self._before is None:
                self._begin(place)
            wild = silenced(frame) if self._silences_wild else 0
            if not self._add(frame):
                # Of another kind.
                yield from self._taken()
                self._begin(place)
                self._fifo, self._layout = AudioFifo(), frame.layout.name
                self._add(frame)
            if wild:
                count(self._reader.warnings, "wild-samples", count=wild)
        yield from self._taken()

    def _begin(self, place: Place | None) -> None:
        reader, mark = self._reader, Mark(*place) if place else None
        self._before = Before(mark, self._timeline.clock, reader.broken, tuple(reader.warnings), reader.origin)
        if mark:
            self._since_mark = 0

    def _add(self, frame: AudioFrame) -> bool:
        if frame.layout.name != self._layout:
            return False
        frame.pts = None
        try:
            self._fifo.write(frame)
        except ValueError:
            return False
        self._samples += frame.samples
        self._since_mark += frame.samples
        return True

    def _taken(self) -> Iterator[tuple[Before, AudioFrame]]:
        before, self._before, self._samples = self._before, None, 0
        frame = self._fifo.read()
        if before and frame:
            frame.pts = None
            yield before, frame
