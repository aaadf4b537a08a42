"""Hundreds of hostile files through convert, as they come: each ends in time, for the right reason or in its own MP3.

Nothing goes out on the network meanwhile, and no file of somebody else is opened.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from functions.convert import engine
from functions.convert.sandbox import nursery
from functions.shared import blobs
from functions.shared.jobs import claims, names, transitions
from functions.shared.jobs.states import State
from functions.shared.tables import jobs as table
from tests import asgi, media
from tests.chaos.dying import event
from tests.hostile.canary import SECRET, SECRET_HZ, Canary
from tests.hostile.containers import whole_files
from tests.hostile.corpus import FAMILIES, LEAST, RUNS
from tests.hostile.hostile import MP3, Hostile
from tests.unit import rows
from tests.unit.sink import Sink

# The longest sound that these jobs may have, and how long one may take, in seconds; and how long after that it must be
# over, on a machine that has other things to do.
MAX_SECONDS, TIMEOUT, GRACE = 60, 30, 30


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return whole_files(tmp_path_factory.mktemp("containers"))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    """With a secret that sounds otherwise than all files of the corpus."""
    (tmp_path / "secret").mkdir()
    listening = Canary(tmp_path / "secret")
    tone = [f"sine={SECRET_HZ}:duration=2", "-metadata", f"title={SECRET}", str(listening.secret)]
    subprocess.run([media.ffmpeg(), "-v", "error", "-f", "lavfi", "-i", *tone], check=True, stdin=subprocess.DEVNULL)
    with listening:
        yield listening


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MAX_DURATION_SECONDS", str(MAX_SECONDS))
    monkeypatch.setenv("CONVERT_TIMEOUT_SECONDS", str(TIMEOUT))
    yield
    nursery.close()


@pytest.mark.parametrize(("family", "converter"), RUNS)
@pytest.mark.parametrize("tables", ["sqlite"], indirect=True)
def test_a_hostile_file_ends_as_it_should(
    tables: None, tmp_path: Path, store: blobs.Blobs, sink: Sink, canary: Canary, whole: dict[str, bytes],
    family: str, converter: str,
) -> None:  # fmt: skip
    every = FAMILIES[family](whole, canary.port, str(canary.secret))
    files = islice(every, 0, None, RUNS[family, converter])
    found = {hostile.name: judged(hostile, tmp_path / "blobs", converter) for hostile in files}
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert canary.heard() == []


def test_there_are_enough_of_them_and_each_is_another(whole: dict[str, bytes]) -> None:
    every = [hostile for make in FAMILIES.values() for hostile in make(whole, 1, "/secret.wav")]
    assert len({(hostile.content, hostile.zeros, hostile.filename) for hostile in every}) >= LEAST
    assert len({hostile.name for hostile in every}) == len(every)


def test_the_canary_hears_who_calls_and_who_reads(canary: Canary, tmp_path: Path) -> None:
    """Else its silence proves nothing."""
    assert canary.heard() == []
    with socket.create_connection(("127.0.0.1", canary.port)), socket.socket(type=socket.SOCK_DGRAM) as talking:
        talking.sendto(b"x", ("127.0.0.1", canary.port))
        assert set(canary.heard()) == {"tcp", "udp"}
    (tmp_path / "talk.mp4").write_text(f"ffconcat version 1.0\nfile '{canary.secret}'\n")
    unguarded = [media.ffmpeg(), "-v", "error", "-safe", "0", "-i", str(tmp_path / "talk.mp4"), "-f", "null", "-"]
    subprocess.run(unguarded, check=True, stdin=subprocess.DEVNULL)
    assert set(canary.heard()) == {"secret.wav"}


def judged(hostile: Hostile, directory: Path, converter: str) -> list[str]:
    """What is wrong about how the conversion of a file ended."""
    job = queued(hostile, directory, converter)
    headers, body = event(rows.messages(job)[-1].event_id)
    began = time.monotonic()
    status = asgi.call(asgi.app_of("convert"), "POST", "/", headers, body).status
    took, row = time.monotonic() - began, rows.read(job)
    ended = MP3 if row.state == State.DONE else row.error_code
    audio = names.audio_of(row)
    mp3 = read(audio) if audio else b""
    faults = {
        f"a crash: {status}": status != 204,
        f"{ended}, not {sorted(hostile.right)}": ended not in hostile.right,
        f"took {took:.0f} s": took > TIMEOUT + GRACE,
        "not its own sound": bool(mp3) and loudest(mp3) == pytest.approx(SECRET_HZ, abs=5),
        "somebody else's text": SECRET.encode() in mp3 + repr(row).encode(),
    }
    shutil.rmtree(directory)
    return [fault for fault, found in faults.items() if found]


def queued(hostile: Hostile, directory: Path, converter: str) -> str:
    """A job with this video. Returns: its id."""
    job = rows.job("receiving")
    claim = claims.claim_upload(job)
    with blobs.store().writing(claim.video) as writer:
        writer.write(hostile.content)
    size = len(hostile.content) + hostile.zeros
    os.truncate(directory / claim.video, size)
    transitions.queue(claim, hostile.filename, {}, size)
    rows.change(table, table.c.id == job, attempts=0 if converter == "engine" else engine.ENGINE_TRIES)
    return job


def read(name: str) -> bytes:
    return b"".join(blobs.store().read(name, 0, blobs.store().size(name)))


def loudest(mp3: bytes) -> float:
    """The loudest frequency, in Hz."""
    with av.open(io.BytesIO(mp3), mode="r", format="mp3") as container:
        pieces = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    sound = np.concatenate(pieces)
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * rate / len(sound))
