"""Where the first of all streams of a container begins: a player shows 0 there."""

from __future__ import annotations

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from functions.convert.conversion.containers import ebml
from functions.convert.conversion.source import RangeFile

__all__ = ["start_of"]


def start_of(container: InputContainer, unknown: float = 0.0) -> float:
    """The first time stamp of all streams, in seconds; `unknown` where nothing says it."""
    if container.start_time is None:
        return unknown
    start = container.start_time / av.time_base
    # A Matroska has no decoding times: FFmpeg knows when H.264 begins once it has decoded some, which is not done here.
    if container.format.name != "matroska,webm" or not any(map(_is_h264, container.streams.video)):
        return start
    # Typed as what av keeps: it wraps the file that it was given.
    file: RangeFile = container.file.file
    first = ebml.first_moment(file)
    return start if first is None else min(start, first)


def _is_h264(stream: VideoStream) -> bool:
    return stream.codec_context is not None and stream.codec_context.name == "h264"
