"""What is in a file: its length and its audio tracks, as ffmpeg sees them from the outside."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from functions.convert.process import Outcome, run
from functions.shared.reasons import Failure

__all__ = ["INPUT_GUARDS", "Media", "Track", "ffmpeg", "probe"]

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,rm,nut,dv,"
    "wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,dts,amr,ape,wv,tta"
)
_CODECS = (
    "aac,aac_latm,alac,mp3float,mp3,mp2float,mp2,mp1float,mp1,ac3,eac3,dca,truehd,mlp,opus,libopus,vorbis,libvorbis,flac,"
    "wmav1,wmav2,wmapro,wmalossless,wmavoice,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,ape,tta,wavpack,cook,ra_144,ra_288,"
    "qdm2,qdmc,nellymoser,speex,libspeex,gsm,gsm_ms,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_swf,adpcm_yamaha,"
    "pcm_s8,pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,"
    "pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd"
)
# Options of the input: only files, only these demuxers and decoders, and no picture. Without the first two, a playlist
# named .mp4 makes ffmpeg read other files.
INPUT_GUARDS: dict[str, str | None] = {
    "protocol_whitelist": "file",
    "format_whitelist": _FORMATS,
    "codec_whitelist": _CODECS,
    "vn": None,
    "sn": None,
    "dn": None,
}

# A writer that cannot seek back leaves 0 where the length belongs, or a number from here on: sox and ffmpeg do.
_RIFF_UNKNOWN_FROM = 0x7FFF_0000

_DURATION = re.compile(r"  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_AUDIO = re.compile(r"  Stream #0:\d+[^:]*(?:\([^)]*\))?: Audio: (\w+)")


@dataclass(frozen=True)
class Track:
    """An audio track; `codec` is ffmpeg's name of what it is encoded with."""

    codec: str


@dataclass(frozen=True)
class Media:
    """A file with sound. `seconds` is the length that the file states, or None when it states none."""

    seconds: float | None
    tracks: tuple[Track, ...]


@cache
def ffmpeg() -> str:
    """The path of the ffmpeg to use: the one on PATH, else the one that imageio-ffmpeg carries."""
    found = shutil.which("ffmpeg")
    if found is None:
        import imageio_ffmpeg

        found = imageio_ffmpeg.get_ffmpeg_exe()
    return str(found)


def probe(video: Path, directory: Path, deadline: float, watch: Callable[[float], None]) -> Media:
    """Look at a file without decoding it. Raises: Failure when there is nothing in it that could be converted."""
    if video.stat().st_size == 0:
        raise Failure("empty")
    _check_riff(video)
    guards = [word for name, value in INPUT_GUARDS.items() for word in (f"-{name}", value) if word is not None]
    seen = run([ffmpeg(), "-hide_banner", "-nostdin", *guards, "-i", f"file:{video}"], directory, deadline, watch)
    media = Media(
        _stated_seconds(seen.lines), tuple(Track(match[1]) for line in seen.lines if (match := _AUDIO.match(line)))
    )
    if not media.tracks:
        raise Failure(_why_nothing(seen))
    return media


def _check_riff(video: Path) -> None:
    """An AVI or WAV states its length (bytes 4 to 8), which ffmpeg does not hold against the file's own size."""
    with video.open("rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] not in (b"AVI ", b"WAVE"):
        return
    stated = int.from_bytes(head[4:8], "little")
    # Some writers count the eight bytes before the length in, some do not.
    if video.stat().st_size < stated < _RIFF_UNKNOWN_FROM:
        raise Failure("truncated")


def _stated_seconds(lines: Iterable[str]) -> float | None:
    found = [match for line in lines if (match := _DURATION.match(line))]
    if not found:
        return None
    hours, minutes, seconds = found[0].groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _why_nothing(seen: Outcome) -> str:
    if seen.said("Input #0"):
        return "no-audio"
    if seen.said("not on whitelist", "not in whitelist", "Not detecting m3u8/hls"):
        return "refused-format"
    if seen.said("moov atom not found") and not seen.said("misdetection possible"):
        return "truncated"
    return "not-media"
