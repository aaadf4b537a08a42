"""functions/convert/engine.py: from a video among the blobs to an MP3 among them, whatever happens on the way."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import signal
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import mutagen.mp3
import pytest

from functions.convert import engine
from functions.convert.conversion.mpeg.segments import WIDE
from functions.convert.errors import Crash, Unfinished
from functions.convert.result import Result
from functions.convert.sandbox import nursery
from functions.convert.sandbox.worker import Worker
from functions.download import listing
from functions.shared import audit, views
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from tests import media
from tests.unit import clocks, rows
from tests.unit.conversions import each_limit

pytestmark = pytest.mark.usefixtures("tables")

# Long, and quickly encoded: a segment is 55 s of it.
LONG_SECONDS = 600
LONG = {"quality": 9}
# The checkpoint, of 10, at which a conversion is killed: the child, which is ahead by what a pipe holds, still works.
LAST = 5


@pytest.fixture(autouse=True)
def workers() -> Iterator[None]:
    """No warm process outlives its test."""
    yield
    nursery.close()


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.make(tmp_path_factory.mktemp("media") / "mp4-aac.mp4")


@pytest.fixture(scope="module")
def long_talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "long.mp4"
    tone = f"aevalsrc=0.3*sin(2*PI*(200+2*t)*t)+0.1*(random(0)-0.5):s=8000:d={LONG_SECONDS}"
    return written(path, "-f", "lavfi", "-i", tone, "-c:a", "aac", "-b:a", "24k")


def test_a_video_becomes_an_mp3(store: Blobs, talk: Path) -> None:
    audio = converted(claimed(store, talk))
    content = stored(store, audio)
    assert audio.duration_seconds == pytest.approx(media.SECONDS, abs=0.05)
    assert media.tone(content) == pytest.approx(440, abs=2)
    assert len(content) == audio.size_bytes


def shown(job_id: str) -> views.Job:
    """The job as its owner sees it."""
    return views.job_view(rows.read(job_id))


def test_the_job_says_which_tracks_there_are_and_which_is_taken(store: Blobs, tmp_path: Path) -> None:
    tones = [word for tone in (440, 880) for word in ("-f", "lavfi", "-i", f"sine={tone}:duration=2")]
    about = ("-metadata:s:a:1", "title=Zweite Spur", "-disposition:a:0", "comment", "-disposition:a:1", "0")
    video = written(tmp_path / "two.mkv", *tones, "-map", "0", "-map", "1", *about, "-c:a", "flac")
    for attempts in (1, engine.ENGINE_TRIES + 1):
        claim = replace(claimed(store, video), attempts=attempts)
        assert shown(claim.job_id).audio_tracks is None
        made = engine.convert(claim)
        assert media.tone(stored(store, made.audio)) == pytest.approx(880, abs=2)
        # It was over before there was reason to write them earlier.
        transitions.finish(claim, made.audio, made.warnings, **made.more)
        first, second = msgspec.to_builtins(shown(claim.job_id).audio_tracks)
        assert (first["chosen"], second["chosen"]) == (False, True)
        assert (second["position"], second["codec"], second["sample_rate"], second["channels"]) == (1, "flac", 44100, 1)


def test_a_job_without_the_track_says_which_it_has(store: Blobs, talk: Path) -> None:
    claim = claimed(store, talk, {"track": 3})
    with pytest.raises(Failure, match="no such audio track"):
        converted(claim)
    (track,) = rows.read(claim.job_id).audio_tracks
    assert (track["codec"], track["chosen"]) == ("aac", False)


@pytest.mark.parametrize("sound", ["pcm_u8", "libmp3lame", "aac"])
def test_silence_is_made_in_the_sandbox(store: Blobs, tmp_path: Path, sound: str) -> None:
    whole = clocks.chirped(tmp_path / "whole.mkv", "-c:a", sound)
    holed = clocks.moved(whole, tmp_path / "holed.mkv", lambda at: None if 5 <= at < 10 else at + 3)
    audio = converted(claimed(store, holed))
    (tmp_path / "made.mp3").write_bytes(stored(store, audio))
    made = media.samples(tmp_path / "made.mp3", 1)[0]
    assert audio.duration_seconds == pytest.approx(23, abs=0.06)
    heard = [clocks.source_time(made, at) for at in (2.8, 3.3, 7.7, 8.3, 12.7, 13.3)]
    assert heard == [at if at is None else pytest.approx(at, abs=0.07) for at in (None, 0.3, 4.7, None, None, 10.3)]


def test_a_file_without_media_is_told(store: Blobs, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello, world" * 1000)
    with pytest.raises(Failure, match="not a video"):
        converted(claimed(store, tmp_path / "text"))


@each_limit
def test_limits_are_kept(
    store: Blobs, talk: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, code: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(Failure) as caught:
        converted(claimed(store, talk))
    assert caught.value.code == code
    assert [blob.name.partition("/")[0] for blob in store.all()] == ["video"]


def test_chapters_become_files_in_a_zip(store: Blobs, tmp_path: Path) -> None:
    titles = ["One", "Zwei/2", "三"]
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={n * 1300}\nEND={(n + 1) * 1300}\ntitle={title}\n"
        for n, title in enumerate(titles)
    )
    (tmp_path / "chapters").write_text(";FFMETADATA1\n" + chapters)
    plain = media.make(tmp_path / "mp4-aac.mp4")
    words = ("-i", str(plain), "-i", str(tmp_path / "chapters"), "-map_chapters", "1", "-c", "copy")
    video = written(tmp_path / "book.mp4", *words)
    audio = converted(claimed(store, video, {"chapters": "split"}))
    with zipfile.ZipFile(io.BytesIO(stored(store, audio))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["01 One.mp3", "02 Zwei 2.mp3", "03 三.mp3"]
        files = [mutagen.mp3.MP3(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert [str(file["TIT2"]) for file in files] == titles
    assert [str(file["TRCK"]) for file in files] == ["1/3", "2/3", "3/3"]
    assert [file.info.length for file in files] == pytest.approx([1.3, 1.3, media.SECONDS - 2.6], abs=0.06)


def test_a_title_that_is_longer_than_a_message_is_cut(store: Blobs, tmp_path: Path, talk: Path) -> None:
    title = "x" * 70_000
    (tmp_path / "chapters").write_text(f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=4000\ntitle={title}\n")
    words = ("-i", str(talk), "-i", str(tmp_path / "chapters"), "-map", "0:a", "-map_chapters", "1", "-c", "copy")
    audio = converted(claimed(store, written(tmp_path / "book.mkv", *words), {"chapters": "split"}))
    with zipfile.ZipFile(io.BytesIO(stored(store, audio))) as archive:
        assert len(archive.namelist()) == 1


def test_a_video_without_chapters_that_are_split_is_a_zip_of_one(store: Blobs, talk: Path) -> None:
    audio = converted(claimed(store, talk, {"chapters": "split", "title": "Talk"}))
    with zipfile.ZipFile(io.BytesIO(stored(store, audio))) as archive:
        assert archive.namelist() == ["01 Talk.mp3"]


def test_what_one_delivery_does_not_finish_the_next_ones_do(
    store: Blobs, long_talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored(store, converted(claimed(store, long_talk, LONG)))
    monkeypatch.setattr("functions.convert.engine.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("functions.convert.engine.MARGIN_SECONDS", 1e9)
    monkeypatch.setattr("functions.convert.engine.MARGIN_SHARE", 1.0)
    claim = claimed(store, long_talk, LONG)
    deliveries = 0
    while True:
        deliveries += 1
        try:
            audio = converted(claim)
            break
        except Unfinished:
            transitions.postpone(claim)
            claim = again(claim)
    assert deliveries > LONG_SECONDS / (56 * WIDE)
    assert stored(store, audio) == whole


@pytest.mark.parametrize("victim", ["child", "zygote"])
def test_a_conversion_that_is_killed_costs_what_was_not_saved(
    store: Blobs, long_talk: Path, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    whole = stored(store, converted(claimed(store, long_talk, LONG)))
    monkeypatch.setattr("functions.convert.engine.SAVE_SECONDS", 0.0)
    claim = claimed(store, long_talk, LONG)
    run = Worker.run
    killed = spied(monkeypatch, killer(victim))
    with pytest.raises(Crash):
        converted(claim)
    assert killed
    claims.release(claim, counts=True)
    monkeypatch.setattr(Worker, "run", run)
    segments = spied(monkeypatch, lambda _worker, header: header["kind"] == "audio")
    assert stored(store, converted(again(claim))) == whole
    assert 0 < len(segments) <= 10 - LAST + 2


def test_stores_that_are_away_for_a_while_cost_no_work(
    store: Blobs, long_talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored(store, converted(claimed(store, long_talk, LONG)))
    monkeypatch.setattr("functions.convert.engine.SAVE_SECONDS", 0.0)
    real, tries = type(store).writing, itertools.count(1)

    def writing(self: Any, name: str) -> Any:
        if name.startswith("part/") and next(tries) in (2, 3, 5):
            raise Unavailable("the store is away")
        return real(self, name)

    monkeypatch.setattr(type(store), "writing", writing)
    assert stored(store, converted(claimed(store, long_talk, LONG))) == whole


def test_a_part_that_is_gone_costs_time_and_no_more(
    store: Blobs, long_talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.convert.engine.MARGIN_SECONDS", 1e9)
    monkeypatch.setattr("functions.convert.engine.MARGIN_SHARE", 1.0)
    claim = claimed(store, long_talk, LONG)
    with pytest.raises(Unfinished):
        converted(claim)
    transitions.postpone(claim)
    store.delete(f"part/{claim.job_id}.{claim.token}.0")
    monkeypatch.setattr("functions.convert.engine.MARGIN_SHARE", 0.0)
    audio = converted(again(claim))
    assert audio.duration_seconds == pytest.approx(LONG_SECONDS, abs=0.1)


def test_a_job_that_is_cancelled_is_left_soon_and_nothing_stays(store: Blobs, long_talk: Path) -> None:
    claim = claimed(store, long_talk, {"quality": 0, "sample_rate": 48000, "force": True})
    before = children()
    timer = threading.Timer(0.5, transitions.cancel, [claim.job_id])
    timer.start()
    with pytest.raises(claims.ClaimLost):
        converted(claim)
    timer.join()
    assert children() <= before
    assert [blob.name for blob in store.all() if blob.name.startswith("audio")] == []


def test_what_is_saved_in_the_moment_of_a_deletion_goes_with_the_job(store: Blobs, talk: Path) -> None:
    claim = claimed(store, talk, {})
    with Result(claim, ()) as result:
        conversion = engine._Conversion(claim, result)
        result.add(b"frames")
        conversion._save({})
        result.add(b"more frames")
        listing.delete(claim.job_id, audit.Actor(rows.read(claim.job_id).user_id))
        with pytest.raises(claims.ClaimLost):
            conversion._save({})
    assert list(store.all()) == []


def test_where_the_engine_died_the_plain_way_is_tried(
    store: Blobs, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("the engine is not to be tried a third time")

    monkeypatch.setattr(Worker, "run", never)
    claim = claimed(store, talk)
    for _ in range(2):
        claims.release(claim, counts=True)
        claim = again(claim)
    assert claim.attempts == 3
    audio = converted(claim)
    assert media.tone(stored(store, audio)) == pytest.approx(440, abs=2)
    assert audio.duration_seconds == pytest.approx(media.SECONDS, abs=0.1)


def test_progress_only_grows_and_says_how_much_is_done(
    store: Blobs, long_talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    spied(monkeypatch, lambda _worker, header: told.append(header["share"]) if header["kind"] == "progress" else False)
    converted(claimed(store, long_talk, LONG | {"loudness": -16}))
    assert told == sorted(told)
    assert told[0] < 0.2
    assert told[-1] == 1.0
    assert len(told) > LONG_SECONDS / 56


def written(path: Path, *words: str) -> Path:
    """A file that ffmpeg makes."""
    subprocess.run([media.ffmpeg(), "-v", "error", "-nostdin", *words, str(path)], check=True)
    return path


def converted(claim: claims.Claim) -> Audio:
    """The MP3 of a claim, without the warnings that go with it."""
    return engine.convert(claim).audio


def claimed(store: Blobs, video: Path, options: dict[str, Any] | None = None) -> claims.Claim:
    """The claim of a new job with this video."""
    job = rows.job("queued", filename=video.name, options=options or {})
    with store.writing(f"video/{job}") as writer:
        writer.write(video.read_bytes())
    return taken(job)


def again(claim: claims.Claim) -> claims.Claim:
    """The claim of the next delivery."""
    return taken(claim.job_id)


def taken(job: str) -> claims.Claim:
    claim = claims.claim(job)
    assert claim
    return claim


def stored(store: Blobs, audio: Audio) -> bytes:
    """The only blob of this size and sum."""
    for blob in store.all():
        content = b"".join(store.read(blob.name, 0, blob.size_bytes))
        if blob.name.startswith("audio/") and hashlib.sha256(content).hexdigest() == audio.sha256:
            return content
    raise AssertionError("the audio is not among the blobs")


def spied(monkeypatch: pytest.MonkeyPatch, look: Callable[[Worker, dict[str, Any]], object]) -> list[str]:
    """The messages, by their kind, for which `look` said yes."""
    seen: list[str] = []
    real = Worker.run

    def run(worker: Worker, job: Any, source: Any, on_message: Any, tick: Any, deadline: float) -> Any:
        def hear(header: dict[str, Any], payload: bytes) -> None:
            on_message(header, payload)
            if look(worker, header):
                seen.append(header["kind"])

        return real(worker, job, source, hear, tick, deadline)

    monkeypatch.setattr(Worker, "run", run)
    return seen


def killer(victim: str) -> Callable[[Worker, dict[str, Any]], bool]:
    """Kills the child, or the process that it was forked from, at checkpoint LAST."""
    checkpoint = itertools.count(1)

    def kill(worker: Worker, header: dict[str, Any]) -> bool:
        if header["kind"] != "checkpoint" or next(checkpoint) != LAST:
            return False
        zygote = worker._process.pid
        os.kill(zygote if victim == "zygote" else next(iter(children(zygote))), signal.SIGKILL)
        return True

    return kill


def children(parent: int | None = None) -> set[int]:
    """The processes whose parent is this one, or another one."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == (parent or os.getpid()) and fields[0] != "Z":
            found.add(int(path.parent.name))
    return found
