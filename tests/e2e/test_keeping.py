"""What is kept of a job, for how long, and what stops when its owner has enough of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.inside import blobs, check_problem, job_row, rows
from tests.patience import eventually
from tests.system import Audiolift, User

VIDEO = {"Content-Type": "video/mp4"}
PIECES, PIECE, PAUSE_SECONDS = 1200, 256 * 1024, 0.05


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_an_upload_whose_job_is_cancelled_or_deleted_stops_and_leaves_nothing(
    audiolift: Audiolift, user: User, how: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(user.http.post, "/v1/jobs?filename=x.mp4", content=slowly(), headers=VIDEO)
        job = eventually(lambda: user.http.get("/v1/jobs?state=receiving").json()["items"], "a job that comes in")[0]
        eventually(lambda: blobs_of(audiolift, job), "some of the upload")
        if how == "cancel":
            assert user.http.post(job["links"]["cancel"]).json()["state"] == "cancelled"
        else:
            assert user.http.delete(job["links"]["self"]).status_code == 204
        # It is looked once a second, when a piece comes.
        eventually(lambda: not blobs_of(audiolift, job), "nothing of the upload")
        # The client sends for some seconds more, so that it gets to the answer.
        check_problem(upload.result(), *((409, "wrong-state") if how == "cancel" else (404, "not-found")))
    assert not blobs_of(audiolift, job)
    if how == "cancel":
        assert "retry" not in user.job(job["id"])["links"]
        check_problem(user.http.post(f"/v1/jobs/{job['id']}/retry"), 409, "wrong-state")


def test_a_video_that_is_kept_is_converted_again_and_the_first_mp3_stays_until_then(
    audiolift: Audiolift, user: User, video: Path
) -> None:
    first = user.convert(video, quality=9, keep_video="true")
    here = first["links"]["self"]
    assert names(audiolift, first) == {"audio", "video"}
    again = user.http.post(first["links"]["retry"], json={"options": {"bitrate": 320, "keep_video": True}})
    assert (again.status_code, again.json()["options"]) == (202, {"bitrate": 320, "keep_video": True})
    assert user.http.get(f"{here}/audio").status_code == 200
    second = user.wait(first["id"])
    assert second["state"] == "done"
    assert second["size_bytes"] > 2 * first["size_bytes"]
    assert names(audiolift, first) == {"audio", "video"}
    assert user.http.post(second["links"]["retry"], json={"options": {}}).status_code == 202
    last = user.wait(first["id"])
    assert (last["state"], "retry" in last["links"]) == ("done", False)
    assert names(audiolift, first) == {"audio"}
    check_problem(user.http.post(f"{here}/retry"), 409, "wrong-state")


def test_a_conversion_again_that_is_cancelled_leaves_the_mp3_that_there_was(
    audiolift: Audiolift, user: User, long_audio: Path, video: Path
) -> None:
    done = user.convert(video, keep_video="true")
    for _ in range(2):
        user.upload(long_audio)
    user.http.post(done["links"]["retry"]).raise_for_status()
    user.http.post(f"/v1/jobs/{done['id']}/cancel").raise_for_status()
    job = user.job(done["id"])
    assert job["state"] == "cancelled"
    assert user.http.get(job["links"]["audio"]).headers["ETag"] == f'"{job_row(audiolift, job["id"])["audio_sha256"]}"'
    assert user.http.get(job["links"]["download"]).status_code == 200
    for each in user.http.get("/v1/jobs").json()["items"]:
        assert user.http.delete(each["links"]["self"]).status_code == 204


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"options": {"qualty": 1}}, "bad-option"),
        ({"options": {"quality": 1, "bitrate": 64}}, "bad-option"),
        ({"options": None}, "bad-request"),
        ({"option": {}}, "bad-request"),
        ({"options": {}, "user_id": "0" * 32}, "bad-request"),
        ([], "bad-request"),
    ],
    ids=str,
)
def test_options_of_a_retry_that_cannot_be_change_nothing(
    user: User, failed: dict[str, Any], body: Any, code: str
) -> None:
    check_problem(user.http.post(f"/v1/jobs/{failed['id']}/retry", json=body), 400, code)
    assert user.job(failed["id"]) == failed


def test_an_owner_says_how_long_files_are_kept(user: User, empty: Path) -> None:
    job = user.convert(empty, keep_days=0.5)
    kept = datetime.fromisoformat(job["expires_at"]) - datetime.fromisoformat(job["updated_at"])
    assert abs(kept - timedelta(hours=12)) < timedelta(minutes=1)
    for days in ("31", "0.001", "-1", "soon"):
        refused = user.http.post("/v1/jobs", params={"keep_days": days}, content=b"x", headers=VIDEO)
        check_problem(refused, 400, "bad-option")


def test_it_is_written_down_who_deleted_a_job(audiolift: Audiolift, user: User, failed: dict[str, Any]) -> None:
    sent = {"X-Request-Id": "goodbye-1"}
    assert user.http.delete(f"/v1/jobs/{failed['id']}", headers=sent).status_code == 204
    (act,) = rows(audiolift, "SELECT * FROM audit WHERE request_id = 'goodbye-1'")
    assert (act["actor"], act["action"]) == (user.http.get("/v1/me").json()["id"], "job.deleted")
    assert failed["id"] in act["target"]
    assert failed["filename"] not in act["target"]


def slowly() -> Iterator[bytes]:
    """A minute of an upload."""
    for _ in range(PIECES):
        yield bytes(PIECE)
        time.sleep(PAUSE_SECONDS)


def names(audiolift: Audiolift, job: dict[str, Any]) -> set[str]:
    """The kinds of blobs that a job has, once all that is unwanted is deleted."""
    job_id = job["id"]
    left = "SELECT * FROM unwanted_blobs WHERE job_id = ?"
    eventually(lambda: not rows(audiolift, left, job_id), "nothing unwanted is left")
    return {name.partition("/")[0] for name in blobs(audiolift) if job_id in name}


def blobs_of(audiolift: Audiolift, job: dict[str, Any]) -> set[str]:
    """The files that there are of a job, and those that are not whole yet, of which nobody knows whose they are."""
    return {name for name in blobs(audiolift) if job["id"] in name or name.startswith("unfinished/")}
