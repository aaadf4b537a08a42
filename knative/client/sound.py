"""Takes the sound out of a video before it is sent, as it lies there: nothing is decoded.

What is sent has all audio tracks, covers, chapters, tags and languages. Of each other track its first packets stay, cut
down to a few bytes, since a player's clock begins with the first of all tracks. Then both files are compared, packet by
packet (comparing.py): only what is the same makes the same MP3. Everything else is sent whole.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from .comparing import Contents, stays
from .structure import Kind, is_complete, kind_of

__all__ = ["take_out"]

# What a file of each kind is written as.
TARGETS = {
    Kind.MP4: "mp4",
    Kind.MOV: "mov",
    Kind.MATROSKA: "matroska",
    Kind.WEBM: "webm",
    Kind.MPEG_TS: "mpegts",
    Kind.AVI: "avi",
    Kind.FLV: "flv",
}
# Saving less than a fifth is not worth the time.
WORTHWHILE = 0.8
# Of a track that is left out: so many packets (pictures come in another order than they are shown), so many bytes each.
STUBS, STUB_BYTES = 17, 32
# What the muxer of FLV can write; with other codecs it may end the whole process.
_IN_FLV = ("aac", "mp3", "mp3float")
# bitexact: the same bytes each time, so that an upload that was broken off goes on with them.
_OPTIONS = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
# In microseconds: so long may frames wait, so that several of them share the packets of a transport stream.
_MPEG_TS = {"max_delay": "700000"}
# What demuxers say of files that are in order: of a cover, which has no time.
_HARMLESS = "timescale not set"
_ONE_AT_A_TIME = threading.Lock()


def take_out(video: Path, into: Path, seen: Callable[[float], object] = lambda _share: None) -> bool:
    """Write the sound of `video` to `into`; whether it makes the same MP3 and saves a fifth at least.

    When it does not, there is no `into`. `seen` gets how much of the video has been read, 0 to 1.
    """
    kind = kind_of(video)
    taken = kind is not None and is_complete(video, kind) and _tried(video, into, TARGETS[kind], seen)
    if not taken:
        into.unlink(missing_ok=True)
    return taken


def _tried(video: Path, into: Path, target: str, seen: Callable[[float], object]) -> bool:
    # Whatever the library says against a file: a video that it cannot rewrite is sent whole.
    try:
        with _listening() as said:
            whole = _rewritten(video, into, target, seen)
        saves = into.stat().st_size <= WORTHWHILE * video.stat().st_size
        return saves and not _complaints(said, target) and _contents(into).is_like(whole)
    except (av.FFmpegError, ValueError, OSError):
        return False


@contextmanager
def _listening() -> Iterator[list[tuple[int, str, str]]]:
    # The level is that of the whole process. What is said again must not look like something else.
    with _ONE_AT_A_TIME, av.logging.Capture() as said:
        before = av.logging.get_level(), av.logging.get_skip_repeated()
        av.logging.set_level(av.logging.WARNING)
        av.logging.set_skip_repeated(False)
        try:
            yield said
        finally:
            av.logging.set_level(before[0])
            av.logging.set_skip_repeated(before[1])


def _complaints(said: list[tuple[int, str, str]], target: str) -> list[str]:
    # Pictures may be damaged. What the muxer says does not matter, since what it made is compared.
    others = [text for _level, name, text in said if name != target and not _is_of_pictures(name)]
    return [text for text in others if _HARMLESS not in text]


def _is_of_pictures(name: str) -> bool:
    try:
        return av.Codec(name).type == "video"
    except ValueError:
        return False


def _contents(path: Path) -> Contents:
    with av.open(str(path)) as container:
        return Contents(container).read(container)


def _rewritten(video: Path, into: Path, target: str, seen: Callable[[float], object]) -> Contents:
    """Write `into`, and say what should be in it. Raises: ValueError when there is nothing to take out."""
    options = _OPTIONS | (_MPEG_TS if target == "mpegts" else {})
    with av.open(str(video)) as container, av.open(str(into), "w", format=target, options=options) as output:
        streams = _streams(container, output)
        contents, size, at = Contents(container), video.stat().st_size, 0
        for packet in _needed(container, streams):
            at = max(at, packet.pos or 0)
            seen(at / size)
            contents.add(packet)
            packet.stream = streams[packet.stream.index]
            output.mux_one(packet)
        return contents


def _streams(container: InputContainer, output: OutputContainer) -> dict[int, Stream]:
    output.metadata.update(container.metadata)
    output.set_chapters(container.chapters())
    kept = [stream for stream in container.streams if stream.type in ("audio", "video")]
    if all(map(stays, kept)) or not container.streams.audio:
        raise ValueError("there is nothing to take out")
    if output.format.name == "flv" and any(each.codec_context.name not in _IN_FLV for each in container.streams.audio):
        raise ValueError("the sound cannot be written")
    return {stream.index: _copied(stream, output) for stream in kept}


def _copied(stream: Stream, output: OutputContainer) -> Stream:
    made = output.add_stream_from_template(stream, opaque=True)
    made.metadata.update(stream.metadata)
    made.disposition, made.time_base = stream.disposition, stream.time_base
    return made


def _needed(container: InputContainer, streams: dict[int, Stream]) -> Iterator[Packet[Any]]:
    """All packets of what stays, and the first ones of the rest as stubs."""
    came = Counter[int]()
    for packet in container.demux(*(container.streams[index] for index in streams)):
        stream = packet.stream
        came[stream.index] += 1
        if packet.size and stays(stream):
            yield packet
        elif packet.size and came[stream.index] <= STUBS:
            yield _stub(packet)
        else:
            stream.discard = Discard.all


def _stub(packet: Packet[Any]) -> Packet[Any]:
    stub: Packet[Any] = Packet(bytes(packet)[:STUB_BYTES])
    stub.pts, stub.dts, stub.time_base, stub.duration = packet.pts, packet.dts, packet.time_base, packet.duration
    stub.stream, stub.is_keyframe = packet.stream, packet.is_keyframe
    return stub
