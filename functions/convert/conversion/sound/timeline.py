"""Where on the clock of a video its sound is: what is missing, what comes twice, and which jumps mean neither.

A player plays each frame at its time stamp. Decoded samples have none: strung together, all that follows a hole is
early. So a hole becomes silence, and what overlaps is dropped.

Time stamps are also rounded, jitter, and jump. What is done about which difference (docs/conversion.md says why):

    up to TOLERANCE     nothing: samples stay together
    later               a hole, up to LONGEST_HOLE; beyond, the clock has jumped, and the sound goes on
    earlier             an overlap, up to LONGEST_OVERLAP; beyond, or back at its beginning, the clock has restarted
    later again         where it was before it restarted: it is that clock, and the sound goes on
    little by little    two clocks run apart, up to a share of MAX_DRIFT; beyond, one of them is wrong about its rate
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from functions.convert.conversion.marks import Stamps
from functions.convert.conversion.plan import TOLERANCE
from functions.convert.conversion.sound.slow import is_slow

__all__ = ["LONGEST_HOLE", "LONGEST_OVERLAP", "Clock", "Fit", "Timeline"]

# In seconds. As ffplay has it (max_frame_duration): a recorder may be muted for long; known jumps are of many hours.
LONGEST_HOLE = 3600.0
# Sound is lost where the clock was only set back: so this is short, and there must be as much sound before it.
LONGEST_OVERLAP, LEAST_CALM = 10.0, 1.0
# A clock within this of where it began has started anew.
BEGINNING = 1.0
# Clocks of sound cards and recorders differ by some 0.01 %.
MAX_DRIFT = 0.02
# A difference to the frame before that is smaller, or smaller than half a frame, is no hole and no overlap by itself.
JITTER = 0.005
# Time stamps of MPEG have 33 bits at 90 kHz (ISO/IEC 13818-1, 2.4.3.7).
MPEG_TICK = Fraction(1, 90_000)
WRAP = float(2**33 * MPEG_TICK)


class Clock(NamedTuple):
    """What is known of a clock when a frame comes, in seconds and fit for JSON.

    `origin` is the time stamp that is heard at 0, `lowest` the least one so far, `time` that of the frame; `wrong_at`
    is when, on the MP3's own clock, time stamps last overlapped, drifted or jumped. `left` is where a clock was that
    went back, and how long the sound was then: of several, the one that was furthest ahead.
    """

    origin: float
    lowest: float
    time: float
    wrong_at: float
    left: tuple[float, float] | None = None


class Fit(NamedTuple):
    """How to put a frame on the clock: so many samples of silence before it, so many of its own first ones left out."""

    silence: int
    dropped: int


_AS_IT_IS = Fit(0, 0)


class Timeline:
    """Takes the frames of a track in order, and says how to put each on the clock.

    `tick` is the unit of time stamps, and `start` the one at which the file begins, in seconds; NaN for that of the
    first frame. In the parts of the clock that are `empty`, (start, stop) in seconds, a player plays nothing. A clock
    that only `counts` what was there before knows where sound begins, and nothing of holes. One that `is_chain` has
    nothing twice, and may have recordings of other sample rates, one after the other, whose time stamps say nothing.
    """

    def __init__(
        self,
        tick: Fraction,
        start: float,
        empty: Sequence[tuple[float, float]] = (),
        counts: bool = False,
        is_chain: bool = False,
    ) -> None:
        self._tick, self._wraps = float(tick), tick == MPEG_TICK
        self._empty, self._counts, self._is_chain = empty, counts, is_chain
        # The time stamp that is heard at 0; None where sound is strung together.
        self._origin: float | None = start
        self._rate, self._position = 1, 0
        # What could not be decoded, or did not come, since the newest frame; and what is left to be dropped of an
        # overlap: in seconds.
        self._lost = self._awaited = self._overlap = 0.0
        self._wrong_at, self._start, self._end = 0.0, start, 0.0
        self._left: tuple[float, float] | None = None
        self._stamps: Stamps | None = None
        self._lowest: float | None = None
        self._time: float | None = None
        self._next: float | None = None

    @property
    def seconds(self) -> float:
        """Where the sound so far ends."""
        return self._position / self._rate

    @property
    def reached(self) -> float:
        """Where the sound so far ends by the time stamps of the file, however they jump, or by its samples."""
        return max(self.seconds, self._end)

    @property
    def clock(self) -> Clock | None:
        """What to resume with at the newest frame; None where sound is strung together."""
        if self._origin is None or self._lowest is None or self._time is None:
            return None
        return Clock(self._origin, self._lowest, self._time, self._wrong_at, self._left)

    def string(self) -> None:
        """From now on, sound is strung together, whatever the time stamps say."""
        self._origin = None

    def resume(self, clock: Clock | None, position: int, rate: int) -> None:
        """Continue at a frame whose `clock` that was, and before which so many samples at `rate` had come."""
        self._rate, self._position = rate, position
        self._origin, self._lowest, self._next, self._wrong_at, self._left = clock or (None, None, None, 0.0, None)

    def skip(self, samples: int, rate: int) -> None:
        """Before the first frame: that many samples of it, and of those after it, will not be heard."""
        self._rate, self._position = rate, -samples

    def lose(self, lost: float, awaited: float = 0.0) -> None:
        """So much sound could not be decoded, in seconds, and so much did not come, or will yet."""
        # Before the first frame, only a clock tells what is sound that is missing.
        if self._origin is None and self._next is None:
            return
        self._lost += lost
        self._awaited += awaited

    def flush(self) -> int:
        """How many samples of silence stand for what could not be decoded after the last frame."""
        samples, self._lost = round(self._lost * self._rate), 0.0
        self._position += samples
        return samples

    def place(self, pts: int | None, samples: int, rate: int, stamps: Stamps | None = None, whole: bool = False) -> Fit:
        """How to put a frame of so many samples on the clock; `whole`: only frames can be put in or left out.

        `stamps` are those of the packets after it.
        """
        if self._follows(pts, samples, rate):
            return _AS_IT_IS
        self._stamps = stamps
        if rate != self._rate:
            self._position, self._rate = round(self._position * rate / self._rate), rate
            # Another recording: FFmpeg counts its time in the ticks of the first one.
            if self._is_chain and self._next is not None:
                self.string()
        time = self._next if pts is None else self._believed(pts * self._tick, stamps, samples)
        lost = 0 if not (self._lost or self._awaited) else self._missing(time, samples)
        fit = Fit(lost, 0) if time is None else self._timed(time, samples, lost)
        if whole:
            fit = Fit(round(fit.silence / samples) * samples, samples if fit.dropped * 2 > samples else 0)
        self._position += fit.silence + samples - fit.dropped
        return fit

    def _follows(self, pts: int | None, samples: int, rate: int) -> bool:
        """Whether a frame comes when the one before ends, which goes for nearly all: then it is counted."""
        if self._next is None or pts is None or rate != self._rate:
            return False
        time = pts * self._tick
        if self._lost or self._awaited or self._overlap or self._empty or abs(time - self._next) > TOLERANCE:
            return False
        if self._origin is not None and abs(time - self._origin - self._position / rate) > TOLERANCE:
            return False
        self._note(time, time + samples / rate)
        self._position += samples
        return True

    def _missing(self, time: float | None, samples: int) -> int:
        """How many samples are missing where the decoder gave none, as far as time stamps have room for them."""
        lost, all_of_it = self._lost, self._lost + self._awaited
        self._lost = self._awaited = 0.0
        before = self._origin if self._next is None else self._next
        if time is None or before is None or math.isnan(before):
            return round(lost * self._rate)
        room, missing = round((time - before) * self._rate), round(all_of_it * self._rate)
        if abs(room - missing) < samples / 2 or room - missing > TOLERANCE * self._rate:
            return missing
        return room if room > samples / 2 else 0

    def _believed(self, time: float, stamps: Stamps | None, samples: int) -> float:
        """The time of a frame; where a few time stamps from this on are wrong, and then one right, what it would be."""
        if self._next is None or stamps is None or abs(time - self._next) <= TOLERANCE:
            return time
        right = self._next + samples / self._rate
        for pts, ticks in stamps():
            if pts is not None and abs(pts * self._tick - right) <= TOLERANCE:
                return self._next
            right += ticks * self._tick or samples / self._rate
        return time

    def _timed(self, time: float, samples: int, lost: int) -> Fit:
        if self._empty and self._is_empty(time, time + samples / self._rate / 2):
            return Fit(0, samples)
        fit = Fit(lost, 0) if self._origin is None else self._fitted(time, samples, lost)
        self._note(time, time + samples / self._rate)
        return fit

    def _is_empty(self, start: float, middle: float) -> bool:
        return any(begin <= middle and start < end for begin, end in self._empty)

    def _note(self, time: float, end: float) -> None:
        if self._lowest is None or time < self._lowest:
            self._start = time if math.isnan(self._start) else self._start
            self._lowest = time
        if end - self._start > self._end:
            self._end = end - self._start
        self._time, self._next = time, end
        if self._counts:
            self._origin = None

    def _fitted(self, time: float, samples: int, lost: int) -> Fit:
        late = self._late(time)
        # Frames that are lost are known to be missing, however short they are.
        if not self._overlap and self._next is not None and abs(late - lost / self._rate) <= TOLERANCE:
            return Fit(lost, 0) if lost else _AS_IT_IS
        match self._difference(time, late, samples):
            case "hole":
                return Fit(round(late * self._rate), 0)
            case "overlap":
                return self._dropped(late, samples)
            case "jump":
                return self._jumped(time, late, lost)
        return Fit(lost, 0)

    def _late(self, time: float) -> float:
        """By how many seconds a time stamp is later than the end of the sound so far."""
        late = time - (self._origin or 0.0) - self._position / self._rate
        if self._wraps and abs(late) > WRAP / 2:
            turns = round(late / WRAP)
            self._origin, late = (self._origin or 0.0) + turns * WRAP, late - turns * WRAP
        return late

    def _difference(self, time: float, late: float, samples: int) -> str:
        """What it means that a frame is so late: "hole", "overlap", "jump", or nothing ("")."""
        if self._overlap > 0 and late < 0:
            return "overlap"
        self._overlap = 0.0
        if abs(late) <= TOLERANCE:
            return ""
        if self._lowest is None or self._next is None:
            # Sound that is earlier than the beginning of the file: nobody knows well where that is.
            return "hole" if 0 < late <= LONGEST_HOLE else "jump"
        if abs(time - self._next) < max(samples / self._rate / 2, JITTER):
            return self._drift(late) if abs(late) > TOLERANCE + JITTER else ""
        # A clock that is late but never goes back has stopped: FFmpeg has such ones for times that are too long.
        went_back = self._time is not None and time < self._time
        never_right = self.seconds - self._wrong_at < LEAST_CALM
        if never_right and is_slow(self._stamps, self._tick, time, time - self._next, samples / self._rate):
            return "jump"
        return self._step(time, late, went_back and time > self._lowest + BEGINNING and not self._is_chain)

    def _drift(self, late: float) -> str:
        calm, self._wrong_at = self.seconds - self._wrong_at, self.seconds
        if abs(late) > MAX_DRIFT * calm:
            return "jump"
        self._overlap = max(-late, 0.0)
        return "hole" if late > 0 else "overlap"

    def _step(self, time: float, late: float, can_overlap: bool) -> str:
        if late > 0:
            return "jump" if late > LONGEST_HOLE or self._returns(time) else "hole"
        calm, self._wrong_at = self.seconds - self._wrong_at, self.seconds
        if not can_overlap or -late > min(LONGEST_OVERLAP, calm) or calm < LEAST_CALM:
            return "jump"
        self._overlap = -late
        return "overlap"

    def _returns(self, time: float) -> bool:
        """Whether a clock is where it was before it went back, or as much further as the sound is meanwhile."""
        if self._left is None:
            return False
        left, seconds = self._left
        return -LONGEST_OVERLAP <= self._unwrapped(time) - left <= self.seconds - seconds + LONGEST_OVERLAP

    def _unwrapped(self, time: float) -> float:
        return time % WRAP if self._wraps else time

    def _dropped(self, late: float, samples: int) -> Fit:
        dropped = min(round(-late * self._rate), samples)
        self._overlap -= dropped / self._rate
        return Fit(0, dropped)

    def _jumped(self, time: float, late: float, lost: int) -> Fit:
        if late < 0 and self._next is not None:
            left = self._unwrapped(self._next), self.seconds
            self._left = max(self._left or left, left)
        self._wrong_at = self.seconds + lost / self._rate
        self._origin = time - self._wrong_at
        return Fit(lost, 0)
