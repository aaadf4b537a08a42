"""Recordings of many hours: done by several deliveries, in memory and with checkpoints that do not grow with them."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import mutagen.mp3
import pytest

from functions.convert import checkpoints, engine
from functions.convert.errors import Unfinished
from functions.convert.sandbox import nursery
from functions.convert.sandbox.worker import Ended, Worker
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from tests import media
from tests.unit import rows

# At 8 kHz little is to be done for a second of sound. A segment is 55 s, or three times that in the middle of a part.
PART_SECONDS, PARTS = 1200, 9
OPTIONS = {"quality": 9}
# A delivery's time is up at this checkpoint; but for the last one, which does most of the work.
CHECKPOINTS, DELIVERIES = 20, 3
# FFmpeg keeps an index of all packets of an MP4: some 80 bytes for each of its 84,000.
INDEX_BYTES = 24 * 1024**2
STATE_BYTES = 64 * 1024


class Clock:
    """What the engine takes for the time: once it is `up`, the deadline is near."""

    def __init__(self) -> None:
        self.up = False

    def monotonic(self) -> float:
        return time.monotonic() + (560 if self.up else 0)


class Watched:
    """What is heard and seen of conversions: the sizes of their states, and how they ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        self.states: list[int] = []
        self.ended: list[Ended] = []
        self.patient = False
        self._run, self._clock = Worker.run, clock
        monkeypatch.setattr(Worker, "run", lambda *words: self._watch(*words))

    def _watch(self, worker: Worker, job: Any, source: Any, on_message: Any, tick: Any, deadline: float) -> Ended:
        numbers = count(1)

        def hear(header: dict[str, Any], payload: bytes) -> None:
            if header["kind"] == "checkpoint":
                self.states.append(len(payload))
                self._clock.up = next(numbers) >= CHECKPOINTS and not self.patient
            on_message(header, payload)

        self.ended.append(self._run(worker, job, source, hear, tick, deadline))
        return self.ended[-1]


@pytest.fixture(autouse=True)
def workers() -> Iterator[None]:
    """No warm process outlives its test."""
    yield
    nursery.close()


@pytest.mark.parametrize("tables", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("tables")
def test_three_hours_need_as_much_memory_as_twenty_minutes(
    store: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, whole = recorded(tmp_path)
    clock = Clock()
    monkeypatch.setattr("functions.convert.engine.time", clock)
    watched = Watched(monkeypatch, clock)
    watched.patient = True
    converted(claimed(store, part))
    watched.patient = False
    claim = claimed(store, whole)
    for _ in range(DELIVERIES - 1):
        clock.up = False
        with pytest.raises(Unfinished):
            converted(claim)
        transitions.postpone(claim)
        claim = taken(claim.job_id)
    clock.up, watched.patient = False, True
    audio = converted(claim)
    short, long = watched.ended
    assert long.peak_bytes - short.peak_bytes < INDEX_BYTES
    assert max(watched.states) < STATE_BYTES
    assert audio.duration_seconds == pytest.approx(PARTS * PART_SECONDS, abs=5)
    content = b"".join(store.read(claim.audio, 0, audio.size_bytes))
    assert mutagen.mp3.MP3(io.BytesIO(content)).info.length == pytest.approx(audio.duration_seconds, abs=0.1)
    saved = checkpoints.load(claim.job_id)
    assert saved
    assert {part.split(".")[1] for part in saved.parts} >= {"1", "2"}


def recorded(directory: Path) -> tuple[Path, Path]:
    """Ten minutes of a tone that rises, with noise; and the same again and again for three hours."""
    part, whole = directory / "part.mp4", directory / "whole.mp4"
    tone = f"aevalsrc=0.3*sin(2*PI*(200+2*t)*t)+0.1*(random(0)-0.5):s=8000:d={PART_SECONDS}"
    command = [media.ffmpeg(), "-v", "error", "-nostdin"]
    subprocess.run([*command, "-f", "lavfi", "-i", tone, "-c:a", "aac", "-b:a", "24k", str(part)], check=True)
    loop = ["-stream_loop", str(PARTS - 1), "-i", str(part), "-c", "copy"]
    subprocess.run([*command, *loop, str(whole)], check=True)
    return part, whole


def converted(claim: claims.Claim) -> Audio:
    """The MP3 of a claim, without the warnings that go with it."""
    return engine.convert(claim).audio


def claimed(store: Blobs, video: Path) -> claims.Claim:
    """The claim of a new job with this video."""
    job = rows.job("queued", filename=video.name, options=OPTIONS)
    with store.writing(f"video/{job}") as writer:
        writer.write(video.read_bytes())
    return taken(job)


def taken(job: str) -> claims.Claim:
    claim = claims.claim(job)
    assert claim
    return claim
