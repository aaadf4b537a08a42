"""What is in a video, as both converters tell it; and the lists of what either of them parses."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["CODECS", "FORMATS", "Chapter", "Media", "Track"]

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,rm,nut,dv,"
    "wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,dts,amr,ape,wv,tta"
)
CODECS = (
    "aac,aac_latm,alac,mp3float,mp3,mp2float,mp2,mp1float,mp1,ac3,eac3,dca,truehd,mlp,opus,libopus,vorbis,libvorbis,flac,"
    "wmav1,wmav2,wmapro,wmalossless,wmavoice,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,ape,tta,wavpack,cook,ra_144,ra_288,"
    "qdm2,qdmc,nellymoser,speex,libspeex,gsm,gsm_ms,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_swf,adpcm_yamaha,"
    "pcm_s8,pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,"
    "pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd"
)


@dataclass(frozen=True)
class Track:
    """An audio track: `position` counts audio tracks from 0, `codec` and `layout` are FFmpeg's names."""

    position: int
    stream_index: int
    codec: str
    sample_rate: int
    channels: int
    layout: str
    language: str = ""
    title: str = ""
    default: bool = False
    seconds: float | None = None
    encrypted: bool = False


@dataclass(frozen=True)
class Chapter:
    """A chapter, in seconds from the start of the file."""

    start: float
    end: float
    title: str

    @classmethod
    def of_ticks(cls, start: int, end: int, tick: Fraction, title: str) -> Chapter:
        """A chapter whose times are whole numbers of ticks, each so many seconds long."""
        return cls(float(start * tick), float(end * tick), title)


@dataclass(frozen=True)
class Media:
    """A file with sound. `seconds` is the length that it states, if any; the names of `tags` are in lower case.

    `cut_off` says that the file is shorter than it states.
    """

    format: str
    seconds: float | None
    tracks: tuple[Track, ...]
    tags: dict[str, str]
    chapters: tuple[Chapter, ...]
    cover_stream: int | None
    cut_off: bool = False
