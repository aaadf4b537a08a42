"""The picture that a video carries, encoded again as a small JPEG: no byte of the original goes into the MP3."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import av
from av.codec import CodecContext
from av.codec.context import Flags
from av.container import InputContainer
from av.stream import AttachmentStream, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

__all__ = ["PICTURE_CODECS", "cover"]

# FFmpeg's decoders of pictures that are accepted, and how their files begin.
PICTURE_CODECS = {"mjpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "webp": b"RIFF", "gif": b"GIF8", "bmp": b"BM"}

MAX_SIDE = 1000
MAX_BYTES = 512 * 1024
MAX_SOURCE_BYTES, MAX_SOURCE_PIXELS = 20_000_000, 40_000_000
# Of the JPEG encoder, from 2 (best) to 31: the first that makes it small enough is taken. 3 shows no difference.
_QUANTISERS = (3, 6, 12, 31)


def cover(container: InputContainer, stream_index: int) -> bytes | None:
    """A baseline JPEG of at most 1000 × 1000 pixels and 512 KiB; None when the picture is broken or too large.

    Call it before anything else is read from the container: pictures come before the first packet of sound, and
    are the only ones that it takes.
    """
    try:
        data = _data(container, stream_index)
        return _jpeg(_fitted(_decoded(data))) if data else None
    except (av.error.FFmpegError, MemoryError, ValueError):
        return None


def _data(container: InputContainer, stream_index: int) -> bytes | None:
    """The file that the picture was, if it is not too large."""
    stream = container.streams[stream_index]
    if isinstance(stream, AttachmentStream):
        return stream.data if len(stream.data) <= MAX_SOURCE_BYTES else None
    if not stream.disposition & Disposition.attached_pic:
        return None
    for packet in container.demux():
        if packet.stream_index == stream_index:
            return bytes(packet) if packet.size <= MAX_SOURCE_BYTES else None
        if not packet.stream.disposition & Disposition.attached_pic:
            break
    return None


def _decoded(data: bytes) -> VideoFrame:
    """The first frame, decoded by what its bytes say it is; files are often wrong about it. Raises: ValueError."""
    codec = next((name for name, start in PICTURE_CODECS.items() if data.startswith(start)), None)
    if codec is None:
        raise ValueError("no picture of a kind that is accepted")
    decoder = _context(codec, "r")
    # Checked by FFmpeg before it takes memory for the pixels. "explode": a part of a picture is none.
    decoder.options = {"max_pixels": str(MAX_SOURCE_PIXELS), "err_detect": "explode"}
    return next(_frames(decoder, data))


def _frames(decoder: VideoCodecContext, data: bytes) -> Iterator[VideoFrame]:
    yield from decoder.decode(av.Packet(data))
    yield from decoder.decode(None)
    raise ValueError("no picture in it")


def _fitted(frame: VideoFrame) -> VideoFrame:
    """The picture as JPEG has it, shrunk if need be, its sides in proportion."""
    scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    return frame.reformat(width, height, "yuvj420p", interpolation="AREA", threads=1)


def _jpeg(frame: VideoFrame) -> bytes | None:
    made = (_encoded(frame, quantiser) for quantiser in _QUANTISERS)
    return next((jpeg for jpeg in made if len(jpeg) <= MAX_BYTES), None)


def _encoded(frame: VideoFrame, quantiser: int) -> bytes:
    encoder = _context("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    # With square pixels it begins as JFIF; without `bitexact` FFmpeg writes its version into the picture.
    encoder.sample_aspect_ratio = Fraction(1)
    encoder.flags |= Flags.bitexact
    encoder.options = {"qmin": str(quantiser), "qmax": str(quantiser)}
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _context(codec: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    """A decoder ("r") or an encoder ("w") that starts no threads: the sandbox has none to give."""
    context = CodecContext.create(codec, mode)
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    return context
