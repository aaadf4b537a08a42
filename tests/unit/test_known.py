"""functions/convert/known.py: the same video in pieces again gets the MP3 that is there, by the first conversion."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

import functions.convert.known as known
from events.catalogue import AudioCreated, VideoUploaded
from functions.convert.errors import Unfinished
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, duplicates, transitions
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.tables import jobs
from tests.unit import rows
from tests.unit.sink import Sink
from tests.unit.test_duplicates import AUDIO, DIGEST, VIDEO, done, put
from tests.unit.tus_client import Client, metadata

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")


@pytest.fixture
def client(sink: Sink, secrets: dict[str, str]) -> Client:
    return Client()


def uploaded(
    client: Client, at: int = len(VIDEO) // 2, quality: str = "3", deduplicate: str = "true", **options: str
) -> str:
    """The id of a job whose video came in two requests, or in one."""
    told = metadata(filename="again.mp4", quality=quality, deduplicate=deduplicate, **options)
    path = client.create(len(VIDEO), VIDEO[:at], Upload_Metadata=told)
    if at < len(VIDEO):
        client.patch(path, at, VIDEO[at:])
    return path.rpartition("/")[2]


def concatenated(client: Client) -> str:
    """The id of a job whose video is put together of two parts."""
    halves = (VIDEO[:20_000], VIDEO[20_000:])
    parts = [client.create(len(half), half, Upload_Concat="partial") for half in halves]
    told = metadata(filename="again.mp4", quality="3", deduplicate="true")
    answer = client.ask("POST", "/v1/uploads", Upload_Concat=f"final;{' '.join(parts)}", Upload_Metadata=told)
    return answer.headers["location"].rpartition("/")[2]


def claimed(job_id: str) -> Claim:
    claim = claims.claim(job_id)
    assert claim
    return claim


def converted(store: Blobs, job_id: str) -> Any:
    """The job, once a conversion has made its MP3."""
    claim = claimed(job_id)
    assert known.finish_known(claim) is None
    put(store, claim.audio, AUDIO)
    transitions.finish(claim, transitions.Audio(len(AUDIO), hashlib.sha256(AUDIO).hexdigest(), 1.5))
    return rows.read(job_id)


def audio_of(store: Blobs, job: Any) -> bytes:
    return b"".join(store.read(job.audio, 0, job.audio_bytes))


def names(store: Blobs) -> set[str]:
    return {blob.name for blob in store.all()}


@pytest.mark.parametrize("at", [len(VIDEO) // 2, len(VIDEO)])
@pytest.mark.parametrize("earlier", [{"quality": 3}, {"quality": 3, "deduplicate": True, "keep_days": 2}])
def test_the_mp3_that_is_there_is_copied(store: Blobs, client: Client, at: int, earlier: dict[str, Any]) -> None:
    first = rows.read(done(store, client.user_id, earlier))
    job_id = uploaded(client, at)
    assert rows.unsettled(job_id) == [VideoUploaded.TYPE]
    assert known.finish_known(claimed(job_id))
    job = rows.read(job_id)
    assert (job.state, job.video_sha256, job.duration_seconds, job.lease_until) == (State.DONE, DIGEST, 1.5, None)
    assert audio_of(store, job) == AUDIO
    assert rows.unsettled(job_id) == [AudioCreated.TYPE]
    # Neither the video nor what it was joined of is left.
    assert names(store) == {first.audio, job.audio}


def test_the_same_file_twice_in_pieces_or_put_together_is_converted_once(store: Blobs, client: Client) -> None:
    first = converted(store, uploaded(client))
    assert first.video_sha256 == DIGEST
    for job_id in (uploaded(client), concatenated(client)):
        assert known.finish_known(claimed(job_id))
        assert audio_of(store, rows.read(job_id)) == AUDIO


def test_one_that_came_in_one_piece_without_the_option_is_known_later(store: Blobs, client: Client) -> None:
    first = uploaded(client, len(VIDEO), deduplicate="false")
    assert rows.read(first).video_sha256 == DIGEST
    converted(store, first)
    assert known.finish_known(claimed(uploaded(client)))


@pytest.mark.parametrize(("quality", "deduplicate"), [("4", "true"), ("3", "false")])
def test_what_is_another_mp3_or_not_asked_for_is_converted(
    store: Blobs, client: Client, quality: str, deduplicate: str
) -> None:
    done(store, client.user_id, {"quality": 3})
    job_id = uploaded(client, quality=quality, deduplicate=deduplicate)
    assert known.finish_known(claimed(job_id)) is None
    assert rows.read(job_id).state == State.CONVERTING


def test_a_video_that_is_kept_keeps_its_pieces(store: Blobs, client: Client) -> None:
    done(store, client.user_id, {"quality": 3})
    job_id = uploaded(client, keep_video="true")
    known.finish_known(claimed(job_id))
    job = rows.read(job_id)
    assert (job.state, job.kept_video_bytes) == (State.DONE, len(VIDEO))
    assert b"".join(store.read(job.video, 0, len(VIDEO))) == VIDEO


def test_it_is_read_once_whatever_becomes_of_the_conversion(
    store: Blobs, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "SHORT_SECONDS", -1.0)
    job_id = uploaded(client)
    claim = claimed(job_id)
    with pytest.raises(Unfinished):
        known.finish_known(claim)
    transitions.postpone(claim)
    store.delete(claim.video)
    assert known.finish_known(claimed(job_id)) is None
    assert rows.read(job_id).attempts == 1


def test_a_store_that_is_too_slow_has_it_converted(
    store: Blobs, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(store, client.user_id, {"quality": 3})
    monkeypatch.setattr(known, "READ_SHARE", 0.0)
    job_id = uploaded(client)
    claim = claimed(job_id)
    assert known.finish_known(claim) is None
    assert rows.read(job_id).video_sha256 == ""
    monkeypatch.undo()
    assert known.finish_known(claim) is None


def test_a_copy_that_would_be_too_much_is_converted(
    store: Blobs, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = done(store, client.user_id, {"quality": 3})
    job_id = uploaded(client)
    claim = claimed(job_id)
    monkeypatch.setenv("MAX_USER_BYTES", str(len(AUDIO)))
    assert known.finish_known(claim) is None
    assert (rows.read(job_id).state, rows.read(first).state) == (State.CONVERTING, State.DONE)
    assert claim.audio not in names(store)


def test_a_claim_that_holds_no_more_changes_nothing(store: Blobs, client: Client) -> None:
    first = done(store, client.user_id, {"quality": 3})
    job_id = uploaded(client)
    claim = claimed(job_id)
    transitions.cancel(job_id)
    assert known.finish_known(claim) is None
    with pytest.raises(ClaimLost):
        duplicates.record(claim, DIGEST)
    with pytest.raises(ClaimLost):
        duplicates.finish_known(claim, DIGEST)
    assert (rows.read(job_id).state, f"audio/{first}.1" in names(store)) == (State.CANCELLED, True)


def test_a_death_between_any_two_steps_has_the_next_delivery_do_the_same(
    store: Blobs, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rows.read(done(store, client.user_id, {"quality": 3}))
    job_id = uploaded(client)

    def away(*_arguments: Any) -> None:
        raise Unavailable("gone")

    for step in ("_twin", "_copied", "_finish"):
        with monkeypatch.context() as patch:
            patch.setattr(f"functions.shared.jobs.duplicates.{step}", away)
            with pytest.raises(Unavailable):
                known.finish_known(claimed(job_id))
        rows.change(jobs, jobs.c.id == job_id, lease_until=rows.ago(1))
        assert rows.read(job_id).video_sha256 is None
    assert known.finish_known(claimed(job_id))
    assert audio_of(store, rows.read(job_id)) == AUDIO == audio_of(store, first)
