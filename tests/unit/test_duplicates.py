"""functions/shared/jobs/duplicates.py: the MP3 that is there does, for its owner, with the same options, whole."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest

from events.catalogue import AudioCreated, VideoUploaded
from functions.convert import main
from functions.shared import audit, database, quotas
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, deletion, duplicates, rollouts, transitions
from functions.shared.jobs.claims import ClaimLost
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.quotas import OverQuota
from functions.shared.tables import jobs, now
from functions.shared.tables import rollouts as rollouts_table
from functions.sweep import files
from functions.upload import intake
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")

VIDEO, AUDIO = random.Random(1).randbytes(50_000), random.Random(2).randbytes(30_000)
DIGEST = hashlib.sha256(VIDEO).hexdigest()
ASKED: dict[str, Any] = {"quality": 3, "deduplicate": True}


@pytest.fixture
def owner() -> str:
    return rows.user()


def done(store: Blobs, owner: str, options: dict[str, Any], **values: Any) -> str:
    """A job that is done, with its MP3."""
    sha256 = hashlib.sha256(AUDIO).hexdigest()
    made = {"audio_bytes": len(AUDIO), "audio_sha256": sha256, "duration_seconds": 1.5, "options": options}
    known = {"video_sha256": DIGEST, "warnings": [{"code": "x", "text": "y"}], "audio_tracks": [{"number": 0}]}
    job_id = rows.job(State.DONE, owner, **{**made, **known, **values})
    name = f"audio/{job_id}.1"
    rows.change(jobs, jobs.c.id == job_id, audio=name)
    put(store, name, AUDIO)
    return job_id


def put(store: Blobs, name: str, content: bytes) -> None:
    with store.writing(name) as writer:
        writer.write(content)


def arrived(store: Blobs, owner: str, options: dict[str, Any], filename: str = "again.mp4") -> Any:
    """The job of an upload of the same video."""
    job_id, _ = intake.open_job(owner, filename, options, None, "", len(VIDEO))
    held = claims.claim_upload(job_id)
    put(store, held.video, VIDEO)
    duplicates.take_in(held, filename, options, len(VIDEO), DIGEST)
    return rows.read(job_id)


def audio_of(store: Blobs, job: Any) -> bytes:
    return b"".join(store.read(job.audio, 0, job.audio_bytes))


def names(store: Blobs) -> list[str]:
    return [blob.name for blob in store.all()]


def test_no_job_ends_with_its_video_kept_while_there_is_a_sweep_that_would_take_it(store: Blobs, owner: str) -> None:
    done(store, owner, {"quality": 3})
    with database.transaction() as connection:
        connection.execute(rollouts_table.insert().values(name=rollouts.OLD_SWEEP[1], since=now()))
    keeping = {**ASKED, "keep_video": True}
    waiting = arrived(store, owner, keeping).id
    claim = claims.claim(waiting)
    assert claim
    with pytest.raises(Unavailable, match="sweep"):
        main._convert(claim)
    assert (rows.read(waiting).state, rows.read(waiting).attempts) == (State.QUEUED, 0)
    assert arrived(store, owner, ASKED).state == State.DONE
    rollouts.end(rollouts.OLD_SWEEP)
    assert arrived(store, owner, keeping).state == State.DONE


@pytest.mark.parametrize(
    "earlier", [{"quality": 3}, {"quality": 3, "deduplicate": True}, {"deduplicate": False, "quality": 3}]
)
def test_the_mp3_is_there_at_once_and_its_owner_is_told(store: Blobs, owner: str, earlier: dict[str, Any]) -> None:
    first = rows.read(done(store, owner, earlier))
    job = arrived(store, owner, ASKED)
    assert (job.state, job.progress, job.filename, job.options) == (State.DONE, 1.0, "again.mp4", ASKED)
    for name in ("audio_bytes", "audio_sha256", "duration_seconds", "warnings", "audio_tracks", "video_sha256"):
        assert job._mapping[name] == first._mapping[name]
    assert audio_of(store, job) == AUDIO
    assert names(store) == sorted([first.audio, job.audio])
    assert rows.unsettled(job.id) == [AudioCreated.TYPE]
    assert rows.history(job.id) == [State.DONE]
    assert job.expires_at > first.expires_at


def test_each_has_a_life_of_its_own(store: Blobs, owner: str) -> None:
    first = rows.read(done(store, owner, {"quality": 3}))
    second, third = (arrived(store, owner, ASKED) for _ in range(2))
    deletion.delete(first, audit.SWEEP)
    assert audio_of(store, second) == AUDIO
    deletion.delete(second, audit.SWEEP)
    assert audio_of(store, third) == AUDIO
    assert audio_of(store, arrived(store, owner, ASKED)) == AUDIO


def test_nobody_gets_another_ones_mp3_nor_learns_of_it(store: Blobs, owner: str) -> None:
    done(store, owner, {"quality": 3})
    job = arrived(store, rows.user(), ASKED)
    assert (job.state, job.audio) == (State.QUEUED, None)
    assert rows.unsettled(job.id) == [VideoUploaded.TYPE]


@pytest.mark.parametrize(
    ("earlier", "asked"),
    [
        ({"quality": 3}, {"quality": 3}),
        ({"quality": 3}, {"quality": 3, "deduplicate": False}),
        ({"quality": 3}, {"quality": 4, "deduplicate": True}),
        ({"quality": 3}, {"deduplicate": True}),
        ({}, {"quality": 3, "deduplicate": True}),
        ({"chapters": "split"}, {"chapters": "split", "deduplicate": True}),
    ],
)
def test_it_is_converted_unless_the_same_was_asked_for(
    store: Blobs, owner: str, earlier: dict[str, Any], asked: dict[str, Any]
) -> None:
    done(store, owner, earlier)
    assert arrived(store, owner, asked).state == State.QUEUED


def test_a_zip_of_chapters_does_if_its_video_had_the_same_name(store: Blobs, owner: str) -> None:
    done(store, owner, {"chapters": "split"}, filename="again.mp4")
    assert arrived(store, owner, {"chapters": "split", "deduplicate": True}).state == State.DONE


@pytest.mark.parametrize(
    "values",
    [
        {"video_sha256": None},
        {"video_sha256": "0" * 64},
        {"state": State.EXPIRED},
        {"state": State.FAILED},
        {"expires_at": rows.ago(1)},
        {"audio_sha256": "0" * 64},
    ],
)
def test_one_that_is_over_or_not_of_that_video_or_damaged_does_not(
    store: Blobs, owner: str, values: dict[str, Any]
) -> None:
    first = done(store, owner, {"quality": 3})
    rows.change(jobs, jobs.c.id == first, **values)
    job = arrived(store, owner, ASKED)
    assert (job.state, job.video_sha256) == (State.QUEUED, DIGEST)
    assert names(store) == [job.video, f"audio/{first}.1"]


def test_one_whose_file_is_gone_does_not(store: Blobs, owner: str) -> None:
    store.delete(f"audio/{done(store, owner, {'quality': 3})}.1")
    assert arrived(store, owner, ASKED).state == State.QUEUED


def test_a_copy_counts_for_the_quota_and_is_not_kept_beyond_it(
    store: Blobs, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(store, owner, {"quality": 3})
    arrived(store, owner, ASKED)
    with database.reading() as connection:
        assert quotas.used(connection, owner)["stored_bytes"] == 2 * len(AUDIO)
        assert quotas.used(connection, owner)["minutes_a_day"] == 0
    job_id, _ = intake.open_job(owner, "x", ASKED, None, "", 0)
    monkeypatch.setenv("MAX_USER_BYTES", str(3 * len(AUDIO) - 1))
    with pytest.raises(OverQuota):
        duplicates.take_in(claims.claim_upload(job_id), "x", ASKED, len(VIDEO), DIGEST)
    assert (rows.read(job_id).state, len(names(store))) == (State.RECEIVING, 2)


def test_a_job_that_was_deleted_meanwhile_leaves_no_copy(store: Blobs, owner: str) -> None:
    done(store, owner, {"quality": 3})
    job_id, _ = intake.open_job(owner, "x", ASKED, None, "", 0)
    held = claims.claim_upload(job_id)
    rows.change(jobs, jobs.c.id == job_id, fencing_token=7)
    with pytest.raises(ClaimLost):
        duplicates.take_in(held, "x", ASKED, len(VIDEO), DIGEST)
    assert len(names(store)) == 1


def test_who_dies_after_the_copy_leaves_a_file_that_sweep_finds(
    store: Blobs, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -60)
    first = rows.read(done(store, owner, {"quality": 3}))
    job_id, _ = intake.open_job(owner, "x", ASKED, None, "", 0)
    put(store, f"audio/{job_id}.0", AUDIO)
    files.delete_orphans()
    assert len(names(store)) == 2
    rows.change(jobs, jobs.c.id == job_id, lease_until=rows.ago(60), updated_at=rows.ago(10**8))
    files.forget_unfinished()
    files.delete_orphans()
    assert names(store) == [first.audio]


def test_a_job_that_was_queued_is_known_by_its_video_later(store: Blobs, owner: str) -> None:
    job = arrived(store, owner, ASKED)
    claim = claims.claim(job.id)
    assert claim
    put(store, claim.audio, AUDIO)
    transitions.finish(claim, transitions.Audio(len(AUDIO), hashlib.sha256(AUDIO).hexdigest(), 1.0))
    assert arrived(store, owner, ASKED).state == State.DONE
