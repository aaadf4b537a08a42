"""What is in a video: its length, audio tracks, tags and chapters; and what it is when it is no video at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from functions.convert.conversion.containers import chapters, ebml, track_flags
from functions.convert.conversion.containers.accepted import CODECS, FORMATS, MAX_RATE
from functions.convert.conversion.containers.beginnings import (
    begins_as_media,
    begins_at,
    is_document,
    lost_its_beginning,
)
from functions.convert.conversion.containers.behind import next_recording
from functions.convert.conversion.containers.bitstream import after_silence
from functions.convert.conversion.containers.cut_off import (
    MISSING_SECONDS,
    Ending,
    breaks_off,
    ending,
    is_cut_off,
    lacks_much,
)
from functions.convert.conversion.containers.edits import missing_length
from functions.convert.conversion.containers.encryption import is_scrambled, protected_tracks
from functions.convert.conversion.containers.flac import lost_ahead
from functions.convert.conversion.containers.heads import mended
from functions.convert.conversion.containers.icy import sound_between_titles
from functions.convert.conversion.containers.kinds import check_kind, is_text
from functions.convert.conversion.containers.mp3_file import sound_start
from functions.convert.conversion.containers.needed_ranges import lost_seconds, whole_index
from functions.convert.conversion.containers.overstated import overstated
from functions.convert.conversion.containers.sample_bits import right_bits
from functions.convert.conversion.containers.sample_times import missing_lengths
from functions.convert.conversion.containers.start import start_of
from functions.convert.conversion.containers.tags_ahead import leave_tag
from functions.convert.conversion.containers.tails import understates, was_never_measured
from functions.convert.conversion.containers.voc import as_runs
from functions.convert.conversion.containers.void import states_nothing
from functions.convert.conversion.containers.watching import watch
from functions.convert.conversion.media import Chapter, Media, Track
from functions.convert.conversion.plan import TOLERANCE, is_short
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tracks.layouts import tame
from functions.shared.reasons import Failure

__all__ = ["opened", "probe"]

_CODECS = frozenset(CODECS.split(","))
# Only these demuxers and decoders, no protocol at all: nothing in a file can make FFmpeg read another one.
_GUARDS = {"format_whitelist": FORMATS, "codec_whitelist": CODECS, "protocol_whitelist": "none"}
# Containers whose streams are known only when their first packets are there: FFmpeg looks for them in 5 MB and 5 to 7
# seconds. Where it finds no sound there, it looks for it in so many bytes, and in ever more up to all of them.
_UNANNOUNCED, _PROBED_FURTHER, _FURTHER = ("mpegts", "mpeg"), 20_000_000, 4
# An MP4 names its streams in its index: all that FFmpeg would read beyond that are pictures. (Its default is 5 MB.)
_PROBED_OF_MP4 = 200_000
_BUFFER = 64 * 1024
# Where the length that is stated is one of time, besides that in bytes.
_CLOCKED = ("matroska,webm", "asf")


def opened(file: RangeFile, *, searched: bool = True) -> InputContainer:
    """The container in `file`, from its first byte on, if it is of a kind that is accepted.

    Sound that begins late is `searched` for, if need be through the whole file.
    Raises: Failure (empty, not-media, refused-format, truncated, damaged, encrypted).
    """
    try:
        return _opened(file, searched)
    except av.error.FFmpegError as error:
        if is_cut_off(file):
            raise Failure("truncated", "no-index") from error
        if (start := begins_at(file)) is None:
            return _opened_otherwise(file, error)
        is_cut = breaks_off(file)
        file.become([(start, file.size)])
    try:
        return _opened(file, searched)
    except av.error.FFmpegError as error:
        raise Failure("truncated" if is_cut or is_cut_off(file) else "damaged") from error


def _opened(file: RangeFile, searched: bool) -> InputContainer:
    check_kind(file)
    head = leave_tag(file)
    right_bits(file)
    if more := overstated(file):
        file.states_times = more.times
        more.mend(file)
    if hidden := after_silence(file):
        file.become([*([hidden.head] if hidden.head else []), (hidden.start, file.size)])
        file.silence += hidden.seconds
    elif parts := as_runs(file) or mended(file):
        file.become(parts)
    if not hidden and states_nothing(file):
        raise Failure("damaged")
    file.seek(0)
    watch(file, head)
    options = dict(_GUARDS)
    if head[4:8] in (b"ftyp", b"moov"):
        options["probesize"] = str(_PROBED_OF_MP4)
    if find := next_recording(head):
        file.end_once(find)
    if understates(file) or was_never_measured(file):
        options["ignore_length"] = "1"
    container = _open(file, options, hidden.form if hidden else None)
    if "probesize" in options and any(map(_may_be_more, container.streams.audio)):
        file.seek(0)
        container = _open(file, _GUARDS)
    if "mov" in container.format.name and _lengthen(file, container):
        file.seek(0)
        container = _open(file, options)
    if container.format.name == "flac":
        first, length = (float(time or 0) / av.time_base for time in (container.start_time, container.duration))
        file.silence = lost_ahead(file, first, length)
    if container.format.name == "mp3" and sound_between_titles(file):
        return _opened_mp3(file)
    return _searched(file, container) if searched else container


def _lengthen(file: RangeFile, container: InputContainer) -> bool:
    """Write the lengths of samples, or of edits, that have none. Returns: whether there are any."""
    missing = [found for stream in container.streams.audio for found in missing_lengths(file, stream)]
    # Where samples have none, edits cannot be known.
    edits = () if missing else container.streams.audio
    missing += [found for stream in edits if (found := missing_length(file, stream))]
    for place, length in missing:
        file.patch(place, length)
    return bool(missing)


def _opened_otherwise(file: RangeFile, error: av.error.FFmpegError) -> InputContainer:
    """What FFmpeg does not know as it is. Raises: Failure."""
    if isinstance(error, av.error.ArgumentError):
        # What FFmpeg knows, and the white list does not; or what it takes for that.
        raise Failure("not-media" if is_text(file) or is_document(file) else "refused-format") from error
    if lost_its_beginning(file):
        raise Failure("truncated" if breaks_off(file) else "damaged") from error
    return _opened_mp3(file)


def _opened_mp3(file: RangeFile) -> InputContainer:
    """An MP3 that FFmpeg does not know, because other bytes lie before it or in it. Raises: Failure."""
    if sound := sound_between_titles(file):
        file.become(sound)
    start = sound_start(file)
    if start is None:
        raise Failure("damaged" if begins_as_media(file) else "not-media")
    file.become([(start, file.size)])
    try:
        return _open(file, _GUARDS, "mp3")
    except av.error.FFmpegError as error:
        raise Failure("not-media") from error


def _open(file: RangeFile, options: dict[str, str], form: str | None = None) -> InputContainer:
    return av.open(file, "r", form, options=options, metadata_errors="replace", buffer_size=_BUFFER)


def _searched(file: RangeFile, container: InputContainer) -> InputContainer:
    size = _PROBED_FURTHER
    while container.format.name in _UNANNOUNCED and not any(map(_is_known, container.streams.audio)):
        if size // _FURTHER >= file.size or not _may_have_sound(container):
            break
        container.close()
        file.seek(0)
        # What it reads is not kept, so that memory is bounded: hence it has to go back.
        limits = {"probesize": str(size), "analyzeduration": str(2**50), "fflags": "nobuffer"}
        container = _open(file, _GUARDS | limits)
        container.seek(container.start_time or 0)
        size *= _FURTHER
    return container


def _is_known(stream: AudioStream) -> bool:
    return stream.codec_context is None or stream.codec_context.sample_rate > 0


def _may_have_sound(container: InputContainer) -> bool:
    # A transport stream says which streams it has: without sound among them, it has none.
    return container.format.name != "mpegts" or bool(container.streams.audio)


def _may_be_more(stream: AudioStream) -> bool:
    # HE-AAC need not say in the index that it has twice the rate (ISO/IEC 14496-3, 1.6.5): its first packet does.
    context = stream.codec_context
    return context is not None and context.name == "aac" and context.sample_rate <= 24000


def probe(container: InputContainer) -> Media:
    """What is in a container. Raises: Failure (no-audio, encrypted, truncated)."""
    tags = {name.lower(): value for name, value in container.metadata.items()}
    # Typed as what av keeps: it wraps the file that it was given.
    file: RangeFile = container.file.file
    streams = container.streams.audio
    protected = protected_tracks(file, len(streams))
    tracks = tuple(_track(position, stream, file, protected[position]) for position, stream in enumerate(streams))
    tracks = track_flags.complete(file, tracks)
    if tracks and all(track.encrypted for track in tracks):
        raise Failure("encrypted")
    if "mp4" in container.format.name and not any(map(_is_usable, tracks)) and ending(file).broken_off:
        raise Failure("truncated", "no-index")
    if not tracks:
        raise Failure("encrypted" if is_scrambled(file) else "no-audio")
    seconds = container.duration / av.time_base if container.duration else None
    listed = chapters.complete(file, tuple(_chapters(container)), seconds)
    cut_off = _is_much_cut_off(container, file)
    return Media(container.format.name, seconds, tracks, tags, listed, _cover(container), cut_off)


def _is_usable(track: Track) -> bool:
    return bool(track.codec) and not track.empty


def _is_much_cut_off(container: InputContainer, file: RangeFile) -> bool:
    """Whether it need not be read to know that the end of its sound is missing."""
    found = ending(file)
    if found.lacks_index or not lacks_much(found, file.size):
        return found.lacks_index
    if container.format.name in _CLOCKED:
        return not _reaches_its_end(container, file, found)
    # The index of an MP4 tells what really is missing.
    is_indexed = "mp4" in container.format.name and not found.fragmented and not found.broken_off
    return not is_indexed or all(
        lost_seconds(stream, file.size) > MISSING_SECONDS for stream in container.streams.audio
    )


def _reaches_its_end(container: InputContainer, file: RangeFile, found: Ending) -> bool:
    """Whether the last blocks of a file, which is shorter than it states, come when it should end, or may do so."""
    stated = found.seconds or (container.duration or 0) / av.time_base
    last = ebml.last_moment(file, found.tick) if found.tick else None
    return bool(stated) and (last is None or not is_short(last, stated))


def _track(position: int, stream: AudioStream, file: RangeFile, protected: bool) -> Track:
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    language = tags.get("language", "").lower()
    length = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    context = stream.codec_context
    encrypted = protected or "enc_key_id" in stream.metadata
    known = context is not None and context.codec.name in _CODECS and not encrypted
    known = known and context.sample_rate <= MAX_RATE
    # First of all: everything that asks for the layout later must find a tame one.
    layout = tame(context) if known else ""
    return Track(
        position,
        stream.index,
        context.codec.canonical_name if known else "",
        context.sample_rate if known else 0,
        context.channels if known else 0,
        layout,
        "" if language == "und" else language,
        tags.get("title", ""),
        bool(stream.disposition & Disposition.default),
        length,
        roles=frozenset(role.name for role in Disposition if stream.disposition & role and role.name),
        empty=_is_empty(stream, file),
        encrypted=encrypted,
    )


def _is_empty(stream: AudioStream, file: RangeFile) -> bool:
    # Only such an index names every sample that there is.
    return not stream.frames and not len(stream.index_entries) and whole_index(file) is not None


def _chapters(container: InputContainer) -> Iterator[Chapter]:
    start = start_of(container)
    # Chapters are at time stamps; what an encoder put before the sound of an MP3 is not meant by its ID3 tag.
    ahead = start if start > TOLERANCE else 0.0
    for chapter in container.chapters():
        tick = Fraction(chapter["time_base"] or 1)
        found = Chapter.of_ticks(chapter["start"], chapter["end"], tick, _title(chapter["metadata"]))
        yield Chapter(max(found.start - ahead, 0.0), max(found.end - ahead, 0.0), found.title) if ahead else found


def _title(tags: Mapping[str, str]) -> str:
    return next((value for name, value in tags.items() if name.lower() == "title"), "")


def _cover(container: InputContainer) -> int | None:
    pictures = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
    files = [stream for stream in container.streams.attachments if (stream.mimetype or "").startswith("image/")]
    return next((stream.index for stream in (*pictures, *files)), None)
