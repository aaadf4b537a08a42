"""Whether a track was read to its end, how much sound is missing, and what the owner has to know of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from functions.convert.conversion.containers import ebml, tails
from functions.convert.conversion.containers.cut_off import MISSING_SECONDS, Ending, ending
from functions.convert.conversion.containers.encryption import is_scrambled, may_have_encrypted_samples
from functions.convert.conversion.containers.flv_tags import last_time
from functions.convert.conversion.containers.zeros import before_zeros
from functions.convert.conversion.plan import Plan, is_short
from functions.convert.conversion.tracks.bare import BARE
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure

if TYPE_CHECKING:
    from functions.convert.conversion.source import RangeFile
    from functions.convert.conversion.tracks.mixing import MixReader
    from functions.convert.conversion.tracks.reading import TrackReader

__all__ = ["check_mix", "check_outcome"]

_MOV = "mov,mp4,m4a,3gp,3g2,mj2"
# Here the stated length is a number of samples, so that what is missing of it is missing.
_EXACT = {"wav", "aiff", "au", "flac", "tta", "ape", "wv"}
# Of these FFmpeg takes the length from what is there, where that is less than what is stated.
_BY_BYTES = {"wav", "w64", "caf", "avi"}
# What is stated elsewhere: of all others, FFmpeg estimates the length from what it finds.
_STATED = _EXACT | {_MOV, "avi", "flv", "asf", "rm", "mxf", "nut"}
# Where a stream may be encrypted, and this share of its packets cannot be decoded, it is.
_MUCH = 0.1
# Whether these are whole can be seen without any length. Of all others that state none, nobody can know.
_STRUCTURED = {_MOV, "ogg", "gxf"}


def check_outcome(reader: TrackReader, plan: Plan) -> None:
    """Look back on what was read. Adds to the reader's warnings.

    Raises: Failure (truncated, damaged, encrypted, unsupported-codec, no-audio), MemoryError.
    """
    # Among plain samples, zeros are silence.
    is_plain = plan.track.codec.startswith("pcm_")
    file = _before_zeros(reader) if reader.is_at_end and not is_plain else reader.file
    end = ending(file, reader.last_byte) if reader.is_at_end else Ending()
    missing = _missing(reader, end, file.size) if reader.is_at_end else 0.0
    is_cut = missing > MISSING_SECONDS
    if not reader.seconds:
        raise Failure(_why_nothing(reader, is_cut and not plan.whole))
    if reader.broken > _MUCH * reader.packets_read and may_have_encrypted_samples(reader.file):
        raise Failure("encrypted")
    # An edit list makes an index shorter too, but then no longer sound is stated.
    if reader.is_at_end and reader.lost_index and is_short(reader.seconds, plan.track.seconds):
        raise MemoryError("the index of the video does not fit into the memory")
    if is_cut and not plan.whole:
        raise Failure("truncated")
    if is_cut:
        reader.warnings.append(JobWarning("ends-early"))
    elif reader.is_at_end:
        reader.warnings += _remarks(reader, end, file.size)


def check_mix(reader: MixReader, plan: Plan) -> None:
    """Look back on what was read of several tracks. Raises: Failure (truncated, damaged, unsupported-codec)."""
    if not reader.seconds:
        nothing = "unsupported-codec" if reader.is_unknown else "damaged"
        raise Failure("truncated" if reader.is_cut and not plan.whole else nothing)
    is_short_of = is_short(reader.seconds, plan.track.seconds) and reader.broken
    if reader.is_at_end and not plan.whole and (reader.is_cut or is_short_of):
        raise Failure("truncated")


def _before_zeros(reader: TrackReader) -> RangeFile:
    """The file without zeros at its end, of which the demuxer or the decoder made nothing."""
    # Of bare frames, FFmpeg takes what follows for a part of the last one.
    may_have_rest = reader.format in BARE or (reader.format != _MOV and _has_rest(reader))
    return before_zeros(reader.file) if reader.broken_last or may_have_rest else reader.file


def _remarks(reader: TrackReader, end: Ending, size: int) -> Iterator[JobWarning]:
    """`size` is where it ends but for zeros."""
    has_zeros = size < reader.file.size
    says_nothing = has_zeros and end == Ending() and reader.format not in _STATED
    if end.unmarked or says_nothing or (end.broken_off and _stated(reader, end) is None):
        yield JobWarning("end-unknown")
    if (reader.is_cut and _has_rest(reader) and not has_zeros) or reader.left_rest:
        yield JobWarning("rest-unread")
    if reader.format == "wav" and tails.understates(reader.file):
        held, (stop, stated) = reader.reached, tails.wav_stated(reader.file)
        stated = stated or held * stop / reader.file.size
        yield JobWarning("states-less", {"stated": round(stated, 1), "held": round(held, 1)})
    if (times := reader.file.states_times) > 1:
        yield _states_more(times * reader.reached, reader.reached)
    if reader.format == "flv":
        # Of those that a live stream was saved to, some state all of the stream.
        stated, held = reader.stated_end or 0.0, max(reader.seconds, reader.reached, last_time(reader.file))
        if is_short(held, stated):
            yield _states_more(stated, held)
    if reader.recordings > 1:
        yield JobWarning("recordings", {"count": reader.recordings})


def _states_more(stated: float, held: float) -> JobWarning:
    return JobWarning("states-more", {"stated": round(stated, 1), "held": round(held, 1)})


def _has_rest(reader: TrackReader) -> bool:
    """Whether there are bytes after the last packet: some demuxers fail where the file ends."""
    newest = reader.newest
    return newest is None or not newest.pos or newest.pos + newest.size < reader.file.size


def _why_nothing(reader: TrackReader, is_cut: bool) -> str:
    if is_cut:
        return "truncated"
    if is_scrambled(reader.file) or (reader.broken and may_have_encrypted_samples(reader.file)):
        return "encrypted"
    if reader.is_unknown:
        return "unsupported-codec"
    return "damaged" if reader.newest else "no-audio"


def _missing(reader: TrackReader, end: Ending, size: int) -> float:
    """How many seconds of sound the file lacks at its end, which is at `size`.

    Infinite where it is cut off, and nobody knows how much.
    """
    if reader.format == _MOV and not end.fragmented:
        # By its index; unless that itself is cut off, or the demuxer gave up.
        return _by_clock(reader, end) if end.broken_off or reader.is_cut else reader.lost_seconds(size)
    is_evident = bool(end.missing or end.broken_off or reader.is_cut)
    if reader.format in _BY_BYTES:
        return max(_by_bytes(reader, end), _by_clock(reader, end) if reader.format in _EXACT or reader.is_cut else 0.0)
    if is_evident or reader.format in _EXACT or end.fragmented:
        return _by_clock(reader, end)
    # A length that is only stated is believed where the file looks broken off, too.
    ends_badly = end.seconds is not None or (reader.newest is not None and reader.newest.is_corrupt)
    return _by_clock(reader, end) if ends_badly and is_short(reader.reached, _stated(reader, end)) else 0.0


def _by_bytes(reader: TrackReader, end: Ending) -> float:
    return end.missing / reader.file.size * reader.reached


def _by_clock(reader: TrackReader, end: Ending) -> float:
    # The index of fragments may lead beyond the end of the file.
    stated, reached = _stated(reader, end), reader.reached if end.fragmented else reader.file_reached
    if stated is None:
        is_cut = end.missing or end.broken_off or reader.is_cut
        return math.inf if is_cut and reader.format in _STRUCTURED else _by_bytes(reader, end)
    if end.tick:
        reached = max(reached, ebml.last_moment(reader.file, end.tick) or 0.0)
    return max(stated - reached, 0.0)


def _stated(reader: TrackReader, end: Ending) -> float | None:
    """When the sound ends by what the file states, in seconds of its clock."""
    return reader.stated_end if reader.format in _STATED and not end.fragmented else end.seconds
