"""Videos whose sound is not where it would be if it were strung together; and when a sound is heard."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import chirp, ffmpeg
from tests.unit.conversions import Array

__all__ = ["AAC", "RATE", "chirped", "heard_as", "moved", "source_time", "words"]

RATE = 44100
# AAC puts random noise where none can be heard, unless told not to.
AAC = ("-c:a", "aac", "-aac_pns", "0")
VIDEO = {"ts": "mpeg2video", "mpg": "mpeg1video", "flv": "flv", "wmv": "wmv2", "webm": "libvpx"}
# As chirp() makes its first channel: from so many Hz on, so many more each second.
FIRST, RISE = 200, 40


def words(*given: str) -> None:
    """Run the ffmpeg command."""
    subprocess.run([ffmpeg(), "-v", "error", "-nostdin", "-y", *given], check=True, stdin=subprocess.DEVNULL)


def chirped(path: Path, *sound: str, seconds: int = 20) -> Path:
    """A video with a tone that rises: what it is tells when, in the sound, it was."""
    kind = path.suffix[1:]
    picture = ("-vn",) if kind in ("ogg", "opus", "mp3", "aac") else ("-c:v", VIDEO.get(kind, "mpeg4"))
    return chirp(path, *picture, *(sound or AAC), seconds=seconds, channels=1)


def moved(source: Path, target: Path, when: Callable[[float], float | None]) -> Path:
    """A copy in which the packets of sound are at other times, in seconds from the start, or missing (None)."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        start = (old.start_time or 0) / av.time_base
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is None or packet.pts is None or not packet.time_base:
                continue
            if packet.stream.type == "audio":
                was = float(packet.pts * packet.time_base) - start
                becomes = when(was)
                if becomes is None:
                    continue
                ticks = round((becomes - was) / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return target


def source_time(sound: Array, at: float, rate: int = RATE) -> float | None:
    """When, in the rising tone, what is heard at this time was (to about 20 ms); None for silence."""
    part = sound[round((at - 0.05) * rate) : round((at + 0.05) * rate)]
    assert len(part) > rate // 20
    if np.abs(part).max() < 0.01:
        return None
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 4 * rate))
    return (float(np.argmax(spectrum)) / 4 - FIRST) / RISE


def heard_as(sound: Array, heard: Mapping[float, float | None], within: float) -> None:
    """Fail unless what is heard at each of these times was at that one, to so many seconds; None for silence."""
    for at, was in heard.items():
        assert source_time(sound, at) == (was and pytest.approx(was, abs=within)), at
