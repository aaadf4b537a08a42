"""A whole file of each container that the tests can make, by one run of ffmpeg."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests import media
from tests.hostile.hostile import MP3, SECONDS, TONE_HZ

__all__ = ["CONTAINERS", "CUT_IN_HALF", "whole_files"]

_PICTURE = f"testsrc=size=64x48:rate=25:duration={SECONDS}"
_SOUND = f"sine=frequency={TONE_HZ}:sample_rate=48000:duration={SECONDS}"
_MPEG4, _MPEG2 = ["-c:v", "mpeg4"], ["-c:v", "mpeg2video", "-g", "12"]
_FRAGMENTS = ["-movflags", "+frag_keyframe+empty_moov", "-g", "12"]
# Name → the encoders.
CONTAINERS: dict[str, list[str]] = {
    "aac.mp4": [*_MPEG4, "-c:a", "aac"],
    "faststart.mp4": [*_MPEG4, "-c:a", "aac", "-movflags", "+faststart"],
    "fragmented.mp4": [*_MPEG4, "-c:a", "aac", *_FRAGMENTS],
    "alac.m4a": ["-vn", "-c:a", "alac"],
    "pcm.mov": [*_MPEG4, "-c:a", "pcm_s16le"],
    "aac.3gp": [*_MPEG4, "-c:a", "aac"],
    "flac.mkv": [*_MPEG4, "-c:a", "flac"],
    "opus.mka": ["-vn", "-c:a", "libopus"],
    "opus.webm": ["-c:v", "libvpx", "-c:a", "libopus"],
    "vorbis.webm": ["-vn", "-c:a", "libvorbis"],
    "mp3.avi": [*_MPEG4, "-c:a", "libmp3lame"],
    "ac3.avi": [*_MPEG4, "-c:a", "ac3"],
    "mp2.ts": [*_MPEG2, "-c:a", "mp2"],
    "aac.ts": ["-vn", "-c:a", "aac"],
    "mp2.mpg": [*_MPEG2, "-c:a", "mp2"],
    "aac.flv": ["-c:v", "flv", "-c:a", "aac"],
    "wma.wmv": ["-c:v", "wmv2", "-c:a", "wmav2"],
    "vorbis.ogg": ["-vn", "-c:a", "libvorbis"],
    "opus.opus": ["-vn", "-c:a", "libopus"],
    "flac.oga": ["-vn", "-c:a", "flac"],
    "pcm.wav": ["-vn", "-c:a", "pcm_s16le"],
    "adpcm.wav": ["-vn", "-c:a", "adpcm_ms"],
    "pcm.w64": ["-vn", "-c:a", "pcm_s16le"],
    "pcm.aiff": ["-vn", "-c:a", "pcm_s16be"],
    "pcm.au": ["-vn", "-c:a", "pcm_s16be"],
    "pcm.caf": ["-vn", "-c:a", "pcm_s16be"],
    "flac.flac": ["-vn", "-c:a", "flac"],
    "mp3.mp3": ["-vn", "-c:a", "libmp3lame"],
    "aac.aac": ["-vn", "-c:a", "aac"],
    "ac3.ac3": ["-vn", "-c:a", "ac3"],
    "mp2.nut": [*_MPEG4, "-c:a", "mp2"],
    "mp2.wtv": [*_MPEG2, "-c:a", "mp2"],
    "pcm.mxf": [*_MPEG2, "-c:a", "pcm_s16le"],
    "ac3.rm": ["-vn", "-c:a", "ac3"],
    "mp3.swf": ["-c:v", "flv", "-ar", "44100", "-c:a", "libmp3lame"],
    "pcm.voc": ["-vn", "-ar", "22050", "-c:a", "pcm_u8"],
    "adx.adx": ["-vn", "-c:a", "adpcm_adx"],
    "wv.wv": ["-vn", "-c:a", "wavpack"],
    "tta.tta": ["-vn", "-c:a", "tta"],
}
# What half of a file ends in, by docs/conversion.md, "Files that are cut off": those that state nothing, and end
# wherever somebody stopped, are converted; all others lack much of what they state.
_UNSTATED = {"mp2.ts", "aac.ts", "mp2.mpg", "aac.aac", "ac3.ac3", "mp2.nut", "pcm.voc"}
CUT_IN_HALF = {name: MP3 if name in _UNSTATED else "truncated" for name in CONTAINERS}


def whole_files(directory: Path) -> dict[str, bytes]:
    """The files, by their names in CONTAINERS."""
    inputs = ["-f", "lavfi", "-i", _PICTURE, "-f", "lavfi", "-i", _SOUND]
    outputs = [word for name, words in CONTAINERS.items() for word in (*words, "-ac", "1", str(directory / name))]
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", *inputs, *outputs]
    subprocess.run(command, check=True, capture_output=True)
    return {name: (directory / name).read_bytes() for name in CONTAINERS}
