"""The samples of a track as its decoder gives them, trimmed and faded, in blocks at which decoding can resume later."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from functions.convert.conversion.marks import Mark, Place, is_lost
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.sound import wild
from functions.convert.conversion.sound.filters import fade_in, fade_out
from functions.convert.conversion.sound.gathering import Before, Gatherer
from functions.convert.conversion.sound.shaping import SAMPLE_BYTES, Planes, Shaper, filtered, sliced
from functions.convert.conversion.sound.silence import silence, without_start
from functions.convert.conversion.sound.timeline import Clock, Timeline
from functions.convert.conversion.sound.timelines import timeline_of
from functions.convert.conversion.tracks.mixing import MixReader
from functions.convert.conversion.tracks.outcome import check_mix, check_outcome
from functions.convert.conversion.tracks.reading import TrackReader
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

__all__ = ["Block", "ResumePoint", "blocks", "packets"]

# Where each frame says which samples it has (RFC 9639, 9.1.5), a hole is of frames that are missing.
_NUMBERED = {"flac"}


class ResumePoint(NamedTuple):
    """Before the packet `mark` came, `sample` samples had come out.

    `clock` is what the timeline knew then (None: sound is strung together), and `broken` how many packets could not be
    decoded.
    """

    mark: Mark
    sample: int
    clock: Clock | None = None
    broken: int = 0
    warnings: tuple[JobWarning, ...] = ()
    origin: Mark | None = None


class Block(NamedTuple):
    """Samples: native floats, one plane per channel. `resume` is where to resume decoding to have this block next."""

    planes: Planes
    samples: int
    resume: ResumePoint | None


def blocks(
    container: InputContainer,
    plan: Plan,
    at: ResumePoint | None = None,
    gain: float | None = None,
    warnings: list[JobWarning] | None = None,
) -> Iterator[Block]:
    """What `plan` wants of a freshly opened container, from `at` on (only where the plan is resumable).

    `gain` is in dB, and goes before the plan's own. `warnings` gets what the owner has to know, with what had been
    found before `at`. All other streams are discarded, and not fetched where possible.
    Raises: Failure (encrypted, unsupported-codec; and at the end damaged, truncated, nothing-left, no-audio).
    """
    if plan.mixed:
        reader: TrackReader | MixReader = MixReader(container, plan.mixed, plan.shape, warnings)
    else:
        reader = TrackReader(container, plan.track, warnings)
    reader.warnings += at.warnings if at else ()
    timeline = timeline_of(container, reader.stream, plan)
    shaped = _shaped(reader, timeline, plan, at, plan.gain if gain is None else gain)
    samples = 0
    for block in _faded(_trimmed(shaped, plan, at), plan):
        samples += block.samples
        yield block
    if isinstance(reader, MixReader):
        check_mix(reader, plan)
    else:
        check_outcome(reader, plan)
    _count_broken(reader)
    if not samples:
        # Too short for a sample of the MP3, unless it was cut.
        is_cut = plan.trim_silence or (plan.start, plan.end) != (None, None)
        raise Failure("nothing-left" if is_cut else "no-audio")


def _count_broken(reader: TrackReader | MixReader) -> None:
    """Warn of packets that could not be decoded; not of those that are the end of a file that was cut off."""
    is_cut = any(warning.code in ("ends-early", "end-unknown") for warning in reader.warnings)
    if broken := reader.broken - (reader.broken_last if is_cut else 0):
        frames = reader.packets_read + reader.missing
        reader.warnings.append(JobWarning("undecodable", {"broken": broken, "frames": frames}))


def packets(
    container: InputContainer, plan: Plan, warnings: list[JobWarning] | None = None
) -> Iterator[Packet[AudioStream]]:
    """The packets of the track as they are, to be copied. `warnings` gets what the owner has to know.

    Raises: Failure (encrypted, damaged, truncated, no-audio).
    """
    reader = TrackReader(container, plan.track, warnings)
    ticks, base = 0, Fraction(0)
    for _, packet in reader.packets():
        ticks, base = ticks + (packet.duration or 0), base or packet.time_base
        reader.packets_read += 1
        reader.broken += is_lost(packet)
        yield packet
    reader.seconds = float(ticks * base)
    check_outcome(reader, plan)
    _count_broken(reader)


def _shaped(
    reader: TrackReader | MixReader, timeline: Timeline, plan: Plan, at: ResumePoint | None, gain: float | None
) -> Iterator[Block]:
    """All samples in the shape of the MP3, on the clock; resume points count from the first one of the track."""
    # Plain samples are in the file's order of channels, which is not always FFmpeg's; decoders know no other than that.
    order = plan.track.layout if plan.track.codec.startswith("pcm_") else ""
    # Loudness goes by the greatest sample, whoever made it; else, what is copied from the file may be anything.
    gatherer = Gatherer(reader, timeline, plan.loudness is not None or wild.are_possible(plan.track.codec))
    shaper = Shaper(plan.shape, order, gain)
    sample = 0
    if at:
        sample, reader.broken = at.sample + plan.first_sample, at.broken
        timeline.resume(at.clock, sample, plan.shape.sample_rate)
    reader.seconds = sample / plan.shape.sample_rate
    for before, frames in gatherer.gathered(_placed(reader, timeline, at)):
        if parts := shaper.feed(frames):
            block = _block(parts, _point(before, sample) if shaper.exact else None)
            sample += block.samples
            yield block
    if rest := shaper.flush():
        yield _block(rest, None)


def _point(before: Before, sample: int) -> ResumePoint | None:
    if before.mark is None:
        return None
    return ResumePoint(before.mark, sample, before.clock, before.broken, before.warnings, before.origin)


def _placed(
    reader: TrackReader | MixReader, timeline: Timeline, at: ResumePoint | None
) -> Iterator[tuple[Place | None, AudioFrame]]:
    """The frames of a track on the clock, silence among them; the first of a packet, if it is whole, with its place."""
    frame, awaited, failed, tick = None, 0, 0, reader.stream.time_base
    is_numbered = isinstance(reader, TrackReader) and reader.format in _NUMBERED
    for place, frames, lost, late in reader.frames(at.mark if at else None, at.origin if at else None):
        first = place
        if not frames:
            timeline.lose(lost, late)
            awaited += late > 0
            failed += lost > 0
        for frame in frames:
            pts = frame.pts if reader.has_one_tick else _ticks(frame, tick)
            gap, dropped = timeline.place(pts, frame.samples, frame.sample_rate, reader.stamps)
            if gap:
                missing = max(round(gap / frame.samples) - failed - awaited, 0) if is_numbered else 0
                reader.broken, reader.missing = reader.broken + awaited + missing, reader.missing + missing
                yield from ((None, pause) for pause in silence(frame, gap))
            if not dropped:
                yield first, frame
            elif dropped < frame.samples:
                yield None, without_start(frame, dropped)
            first, awaited, failed = None, 0, 0
    ends_badly = reader.is_cut or (reader.newest is not None and reader.newest.is_corrupt)
    if frame and not ends_badly:
        yield from ((None, pause) for pause in silence(frame, timeline.flush()))


def _ticks(frame: AudioFrame, tick: Fraction | None) -> int | None:
    """The time stamp of a frame in ticks of the track: a further recording may have other ones."""
    if frame.pts is None or tick is None or not frame.time_base or frame.time_base == tick:
        return frame.pts
    return round(frame.pts * frame.time_base / tick)


def _block(parts: list[Planes], point: ResumePoint | None) -> Block:
    planes = parts[0] if len(parts) == 1 else tuple(map(b"".join, zip(*parts, strict=True)))
    return Block(planes, len(planes[0]) // SAMPLE_BYTES, point)


def _trimmed(blocks: Iterator[Block], plan: Plan, at: ResumePoint | None) -> Iterator[Block]:
    """The samples from the plan's start to its end, exactly; resume points count from the first one of these."""
    first, last = plan.first_sample, plan.end_sample
    sample = at.sample + first if at else 0
    for block in blocks:
        begin = max(first - sample, 0)
        end = block.samples if last is None else min(last - sample, block.samples)
        sample += block.samples
        if end <= 0:
            return
        if (begin, end) == (0, block.samples):
            yield block if not first or not block.resume else _earlier(block, block.resume, first)
        elif begin < end:
            yield Block(sliced(block.planes, begin, end), end - begin, None)


def _earlier(block: Block, point: ResumePoint, samples: int) -> Block:
    return block._replace(resume=point._replace(sample=point.sample - samples))


def _faded(blocks: Iterator[Block], plan: Plan) -> Iterator[Block]:
    if plan.fade_in:
        planes = (block.planes for block in blocks)
        fade = fade_in(plan.shape.samples(plan.fade_in))
        blocks = (_block([faded], None) for faded in filtered(planes, plan.shape, fade))
    return _faded_out(blocks, plan, plan.shape.samples(plan.fade_out)) if plan.fade_out else blocks


def _faded_out(blocks: Iterator[Block], plan: Plan, samples: int) -> Iterator[Block]:
    """Holds back the newest samples, so that the end can be faded when it comes: no file says exactly where it is."""
    held: list[Block] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.samples
        while count - held[0].samples >= samples:
            count -= held[0].samples
            yield held.pop(0)
    if held:
        for planes in filtered((block.planes for block in held), plan.shape, fade_out(samples, count)):
            yield _block([planes], None)
