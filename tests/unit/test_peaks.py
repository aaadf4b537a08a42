"""The waveform of an MP3: drawn while it is made, kept with it, and gone with it."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from functions.convert.conversion.sound.peaks import MAX_STEP, Waveform, heights, step_of
from functions.download import listing, waveforms
from functions.shared import database
from functions.shared.audit import Actor
from functions.shared.jobs import claims, names, peaks, transitions
from functions.shared.jobs.names import MAX_PEAKS
from functions.shared.jobs.peaks import Peaks
from functions.shared.jobs.states import State
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.tables import jobs
from functions.shared.tables import peaks as table
from functions.sweep import retention
from tests import media
from tests.unit import rows
from tests.unit.conversions import conversion

DRAWN = Peaks(0.25, bytes([0, 17, 255]))


def test_it_is_that_of_the_samples_of_the_mp3(tmp_path: Path) -> None:
    """Half a second each of silence, a quiet tone and a loud one; its phase is the same every 17 samples."""
    sound = f"aevalsrc='gt(t,0.5)*(0.1+0.7*gt(t,1))*sin(2*PI*{44100 / 17}*t)':s=44100:d=1.5"
    path = made(tmp_path, sound)
    seconds, found = conversion(path, {}).peaks or (0.0, b"")
    assert seconds == pytest.approx(1152 / 44100)
    assert len(found) == -(-44100 * 1.5 // 1152)
    quiet, low, loud = (found[int(at / seconds) + 2 : int((at + 0.5) / seconds) - 2] for at in (0, 0.5, 1))
    assert set(quiet) == {0}
    assert set(low) <= set(range(23, 27))
    assert set(loud) <= set(range(196, 206))


def test_silence_in_a_hole_of_the_clock_is_drawn_and_what_is_cut_away_is_not(tmp_path: Path) -> None:
    path = made(tmp_path, "aevalsrc='0.5*sin(2*PI*440*t)*lt(mod(t,2),1)':s=16000:d=6")
    _, found = conversion(path, {"start": 1.0, "end": 2.9}).peaks or (0.0, b"")
    silent = len(list(itertools.takewhile(lambda height: height < 3, found)))
    assert silent / len(found) == pytest.approx(1 / 1.9, abs=0.05)


def test_what_is_copied_or_a_zip_has_none(tmp_path: Path) -> None:
    path = made(tmp_path, "sine=d=2", "x.mp3")
    assert conversion(path, {}).peaks is None
    assert conversion(path, {"force": True}).peaks is not None
    assert conversion(path, {"chapters": "split"}).peaks is None


def test_a_checkpoint_of_a_release_that_knows_none_leads_to_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.convert.conversion.mpeg.segments.SEGMENT", 40)
    whole = conversion(made(tmp_path, "sine=d=4"), {})
    frames, state = whole.checkpoints[-1]
    assert whole.peaks
    for before in ({name: state[name] for name in state if name != "peaks"}, state | {"peaks": [1, state["peaks"][1]]}):
        resumed = conversion(tmp_path / "x.wav", {}, frames, before)
        assert (resumed.mp3, resumed.peaks) == (whole.mp3, None)


@given(st.lists(st.integers(1, 768), min_size=1, max_size=60), st.integers(0, 60))
def test_however_long_it_is_there_are_not_too_many_and_a_stop_makes_no_difference(last: list[int], stop: int) -> None:
    """The frames of each segment; the loudest frame of each is where it ought to be."""
    lengths = [768 * each for each in last[:-1]] + last[-1:]
    whole, resumed = Waveform(), Waveform()
    frame, loudest = 0, set()
    for at, length in enumerate(lengths):
        step = step_of(frame // 768, 768)
        found = bytes([200 if place == 0 else 1 for place in range(-(-length // step))])
        loudest.add(frame)
        for each in (whole, resumed):
            each.add(frame, step, found)
        if at == stop:
            resumed = Waveform(msgspec.json.decode(msgspec.json.encode(resumed.state())))
        frame += length
    seconds, found = whole.drawn(1.0)
    assert resumed.drawn(1.0) == (seconds, found)
    assert len(found) == -(-frame // int(seconds)) <= MAX_PEAKS
    assert {at for at, height in enumerate(found) if height == 200} == {int(each // seconds) for each in loudest}


def test_a_long_one_has_no_fewer_than_half_as_many_as_there_may_be() -> None:
    for index in range(2000):
        step = step_of(index, 768)
        assert step == MAX_STEP or MAX_PEAKS / 3 < (index + 1) * 768 / step <= MAX_PEAKS


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf, 7.0, 1e38])
def test_samples_that_are_none_are_full_scale_at_the_most(wild: float) -> None:
    plane = np.full(1152, wild, np.float32).tobytes()
    assert heights([plane, bytes(4 * 1152)], 0, 1152, 1, 1152) == bytes([255])


with_tables = pytest.mark.usefixtures("tables", "store", "secrets")


@with_tables
def test_it_comes_with_the_mp3_is_shown_and_goes_with_it() -> None:
    user = rows.user()
    job = finished(user, DRAWN)
    row = rows.read(job)
    assert listing.view(row).links.peaks == f"/v1/jobs/{job}/peaks"
    answer = waveforms.respond(request(), row)
    assert msgspec.json.decode(bytes(answer.body)) == {"seconds_per_peak": 0.25, "peaks": [0, 17, 255]}
    assert waveforms.respond(request(answer.headers["ETag"]), row).status_code == 304
    listing.delete(job, Actor(user))
    assert drawn() == []


@with_tables
def test_it_expires_with_the_mp3_also_if_an_older_release_sees_to_that() -> None:
    user = rows.user()
    here, there = finished(user, DRAWN), finished(user, DRAWN)
    rows.change(jobs, jobs.c.id == here, expires_at=rows.ago(1))
    transitions.expire(10)
    assert drawn() == [there]
    with pytest.raises(Problem) as caught:
        waveforms.respond(request(), rows.read(here))
    assert caught.value.code == "expired"
    rows.change(jobs, jobs.c.id == there, state=State.EXPIRED)
    retention.forget()
    assert drawn() == []


@with_tables
@pytest.mark.parametrize("found", [None, Peaks(1.0, b"\x01")])
def test_another_conversion_has_its_own_or_none(found: Peaks | None) -> None:
    user = rows.user()
    job = finished(user, DRAWN, keep_video=True)
    assert transitions.retry_within_quotas(user, job)
    assert peaks.of(rows.read(job)) == DRAWN
    finish(job, found)
    assert peaks.of(rows.read(job)) == found


@with_tables
def test_those_of_an_mp3_that_a_release_without_them_has_replaced_are_not_shown() -> None:
    job = finished(rows.user(), DRAWN)
    rows.change(jobs, jobs.c.id == job, audio=names.audio(job, 7))
    assert peaks.of(rows.read(job)) is None
    with pytest.raises(Problem) as caught:
        waveforms.respond(request(), rows.read(job))
    assert caught.value.code == "not-found"


def made(directory: Path, sound: str, name: str = "x.wav") -> Path:
    path = directory / name
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", sound, str(path)]
    subprocess.run(command, check=True)
    return path


def finished(user: str, found: Peaks | None, **options: Any) -> str:
    job = rows.job(State.QUEUED, owner=user, video_bytes=1, options=options)
    finish(job, found)
    return job


def finish(job: str, found: Peaks | None) -> None:
    claim = claims.claim(job)
    assert claim
    transitions.finish(claim, Audio(3, "ab" * 32, 0.75, found))


def drawn() -> Sequence[str]:
    with database.reading() as connection:
        return connection.execute(table.select()).scalars().all()


def request(known: str = "") -> Request:
    return Request({"type": "http", "method": "GET", "headers": [(b"if-none-match", known.encode())] if known else []})
