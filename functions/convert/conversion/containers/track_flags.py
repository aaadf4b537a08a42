"""What a Matroska says of its sound tracks, and FFmpeg does not tell."""

from __future__ import annotations

from dataclasses import replace

from functions.convert.conversion.containers import ebml
from functions.convert.conversion.media import Track
from functions.convert.conversion.source import RangeFile

__all__ = ["complete"]


def complete(file: RangeFile, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
    """The tracks, with whether each is enabled, and its language by BCP 47 (RFC 9559, 5.1.4.1.4 and 5.1.4.1.20)."""
    segment = ebml.segment(file) if file.peek(0, 4) == ebml.MAGIC else None
    if segment is None or len(segment.sounds) != len(tracks):
        return tracks
    return tuple(_complete(track, sound) for track, sound in zip(tracks, segment.sounds, strict=True))


def _complete(track: Track, sound: ebml.Sound) -> Track:
    language = "" if sound.language == "und" else sound.language or track.language
    return replace(track, language=language, roles=track.roles | ({"disabled"} if sound.disabled else set()))
