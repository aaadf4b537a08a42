"""What is in a video: its length, audio tracks, tags and chapters; and what it is when it is no video at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream

from functions.convert.conversion.cut_off import is_cut_off
from functions.convert.conversion.layouts import tame
from functions.convert.conversion.media import CODECS, FORMATS, Chapter, Media, Track
from functions.convert.conversion.plan import TOLERANCE
from functions.convert.conversion.source import RangeFile
from functions.shared.reasons import Failure

__all__ = ["opened", "probe"]

_CODECS = frozenset(CODECS.split(","))
# Only these demuxers and decoders, no protocol at all: nothing in a file can make FFmpeg read another one.
_GUARDS = {"format_whitelist": FORMATS, "codec_whitelist": CODECS, "protocol_whitelist": "none"}
# An MP4 names its streams in its index: all that FFmpeg would read beyond that are pictures. (Its default is 5 MB.)
_PROBED_OF_MP4 = 200_000
_BUFFER = 64 * 1024
_HEAD = 1024

# How texts and pictures begin that make FFmpeg read other files, or are one picture of many.
_TEXTS = (b"ffconcat", b"#extm3u", b"v=0", b"<smil", b"<mpd", b"<asx", b"<playlist", b"<smoothstreamingmedia")
_LISTS = (b"[playlist]", b"[reference]", b"rtsptext", b"smiltext", b"data:", b"http://", b"https://", b"file:")
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"8BPS", b"\0\0\0\x0cjP  ")


def opened(file: RangeFile) -> InputContainer:
    """The container in `file`, from its first byte on, if it is of a kind that is accepted.

    Raises: Failure (empty, not-media, refused-format, truncated, encrypted).
    """
    if file.size == 0:
        raise Failure("empty")
    head = file.peek(0, _HEAD)
    if _is_list(head) or _is_picture(head):
        raise Failure("refused-format")
    file.seek(0)
    options = dict(_GUARDS)
    if head[4:8] in (b"ftyp", b"moov"):
        options["probesize"] = str(_PROBED_OF_MP4)
    try:
        container = _open(file, options)
        if "probesize" in options and any(map(_may_be_more, container.streams.audio)):
            file.seek(0)
            container = _open(file, _GUARDS)
        return container
    except MemoryError:
        raise
    except av.error.ArgumentError as error:
        # What FFmpeg knows, and the white list does not.
        raise Failure("refused-format") from error
    except av.error.FFmpegError as error:
        raise Failure("truncated" if is_cut_off(file) else "not-media") from error


def _open(file: RangeFile, options: dict[str, str]) -> InputContainer:
    return av.open(file, "r", options=options, metadata_errors="replace", buffer_size=_BUFFER)


def _may_be_more(stream: AudioStream) -> bool:
    # HE-AAC need not say in the index that it has twice the rate (ISO/IEC 14496-3, 1.6.5): its first packet does.
    context = stream.codec_context
    return context is not None and context.name == "aac" and context.sample_rate <= 24000


def probe(container: InputContainer) -> Media:
    """What is in a container. Raises: Failure (no-audio, encrypted)."""
    tags = {name.lower(): value for name, value in container.metadata.items()}
    tracks = tuple(_track(position, stream) for position, stream in enumerate(container.streams.audio))
    if not tracks:
        raise Failure("no-audio")
    if "asf_protection_type" in tags or any(map(_is_encrypted, container.streams.audio)):
        raise Failure("encrypted")
    seconds = container.duration / av.time_base if container.duration else None
    chapters, cover = tuple(_chapters(container)), _cover(container)
    # Typed as what av keeps: it wraps the file that it was given.
    file: RangeFile = container.file.file
    return Media(container.format.name, seconds, tracks, tags, chapters, cover, is_cut_off(file))


def _track(position: int, stream: AudioStream) -> Track:
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    language = tags.get("language", "").lower()
    length = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    context = stream.codec_context
    known = context is not None and context.codec.name in _CODECS
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
    )


def _is_encrypted(stream: Stream) -> bool:
    # Matroska's ContentEncryption leaves the first, iTunes' FairPlay the second.
    return "enc_key_id" in stream.metadata or _tag(stream) == "drms"


def _tag(stream: Stream) -> str:
    # Four bytes that need be no text; and without a decoder, av does not know them.
    with suppress(AttributeError, UnicodeDecodeError):
        return stream.codec_tag
    return ""


def _chapters(container: InputContainer) -> Iterator[Chapter]:
    start = (container.start_time or 0) / av.time_base
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


def _is_list(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<?xml"):
        return any(mark in text for mark in _TEXTS[3:])
    return text.startswith(_TEXTS + _LISTS)


def _is_picture(head: bytes) -> bool:
    return head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
