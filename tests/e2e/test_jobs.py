"""Jobs over the HTTP API: options, lists, idempotency, deleting, cancelling, trying again."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.inside import blobs, check_problem, engines, job_row, readers
from tests.patience import eventually
from tests.system import Audiolift, User

VIDEO = {"Content-Type": "video/mp4"}


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "image/png", "video", "nonsense"])
def test_what_is_no_video_by_its_type_is_refused(user: User, kind: str) -> None:
    response = user.http.post("/v1/jobs", content=b"x", headers={"Content-Type": kind})

    check_problem(response, 415, "unsupported-media-type")
    assert "multipart/form-data" in response.headers["Accept-Post"]
    assert user.http.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize(
    "options",
    [
        {"quality": "10"},
        {"quality": "-1"},
        {"quality": "٣"},
        {"quality": "2", "bitrate": "128"},
        {"bitrate": "129"},
        {"bitrate": "128k"},
        {"sample_rate": "1"},
        {"channels": "3"},
        {"track": "-vn"},
        {"qualty": "2"},
        {"acodec": "copy"},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_before_anything_is_kept(user: User, options: dict[str, str]) -> None:
    response = user.http.post("/v1/jobs", params=options, content=b"x", headers=VIDEO)

    problem = check_problem(response, 400, "bad-option")
    assert any(name in problem["detail"] for name in options)
    assert user.http.get("/v1/jobs").json()["items"] == []


def test_jobs_come_in_pages_newest_first(user: User, empty: Path) -> None:
    ids = [user.upload(empty)["id"] for _ in range(5)]

    pages = [page["items"] for page in all_pages(user, limit=2)]

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [job["id"] for page in pages for job in page] == ids[::-1]


def test_jobs_are_filtered_by_state(user: User, failed: dict[str, Any]) -> None:
    assert [job["id"] for job in user.http.get("/v1/jobs?state=failed").json()["items"]] == [failed["id"]]
    assert user.http.get("/v1/jobs?state=done").json() == {"items": [], "next_cursor": None}


def test_jobs_are_found_renamed_and_deleted_together(user: User, failed: dict[str, Any], empty: Path) -> None:
    other = user.upload(empty)["id"]
    renamed = user.http.patch(f"/v1/jobs/{failed['id']}", json={"filename": "AC/DC, Übung 7.mkv"})
    assert renamed.json()["filename"] == "AC-DC, Übung 7.mkv"
    found = user.http.get("/v1/jobs", params={"q": "übung", "state": "done,failed"}).json()["items"]
    assert [job["id"] for job in found] == [failed["id"]]
    chosen = {"ids": [failed["id"], other, uuid.uuid4().hex]}
    assert sorted(user.http.post("/v1/jobs/delete", json=chosen).json()["ids"]) == sorted([failed["id"], other])
    assert user.http.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "state=done,",
        "state=done&state=failed",
        f"q={'x' * 256}",
        "limit=0",
        "limit=101",
        "limit=many",
        "limit=²",
        "cursor=x",
        "cursor=ÿ",
        "cursor=" + base64.urlsafe_b64encode(b"2026-01-01T00:00:00 x").decode(),
        "cursor=" + base64.urlsafe_b64encode(b"0001-01-01T00:00:00+23:00 x").decode(),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(user: User, query: str) -> None:
    problem = check_problem(user.http.get(f"/v1/jobs?{query}"), 400, "bad-request")

    assert f"`{query.partition('=')[0]}`" in problem["detail"]


def test_a_request_repeated_with_its_idempotency_key_is_the_same_job(user: User, empty: Path) -> None:
    headers = {**VIDEO, "Idempotency-Key": "one"}
    first, again = (user.http.post("/v1/jobs", content=empty.read_bytes(), headers=headers) for _ in range(2))

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.headers["Location"] == again.headers["Location"]
    assert len(user.http.get("/v1/jobs").json()["items"]) == 1
    check_problem(user.http.post("/v1/jobs", content=b"something else", headers=headers), 422, "key-reused")
    long = user.http.post("/v1/jobs", content=b"x", headers={**VIDEO, "Idempotency-Key": "x" * 256})
    check_problem(long, 400, "bad-request")


def test_an_idempotency_key_is_its_owners_alone(audiolift: Audiolift, user: User) -> None:
    headers = {**VIDEO, "Idempotency-Key": "one"}
    mine = user.http.post("/v1/jobs", content=b"", headers=headers)
    theirs = audiolift.user().http.post("/v1/jobs", content=b"", headers=headers)

    assert mine.json()["id"] != theirs.json()["id"]


def test_while_a_request_is_under_way_its_idempotency_key_is_in_progress(user: User, video: Path) -> None:
    go_on = threading.Event()

    def body(waits: bool) -> Iterator[bytes]:
        data = video.read_bytes()
        yield data[:1000]
        if waits:
            go_on.wait()
        yield data[1000:]

    def send(waits: bool) -> httpx.Response:
        return user.http.post("/v1/jobs", content=body(waits), headers={**VIDEO, "Idempotency-Key": "one"})

    with ThreadPoolExecutor() as pool:
        first = pool.submit(send, True)
        try:
            eventually(lambda: user.http.get("/v1/jobs?state=receiving").json()["items"], "the first request")
            concurrent = send(False)
        finally:
            go_on.set()
    check_problem(concurrent, 409, "in-progress")
    assert int(concurrent.headers["Retry-After"]) > 0
    assert first.result().status_code == 202
    assert send(False).json()["id"] == first.result().json()["id"]
    assert user.wait(first.result().json()["id"])["state"] == "done"


def test_a_deleted_job_is_gone_with_its_files(audiolift: Audiolift, user: User, video: Path) -> None:
    job = user.convert(video)
    download = job["links"]["download"]

    assert user.http.delete(f"/v1/jobs/{job['id']}").status_code == 204

    check_problem(user.http.get(f"/v1/jobs/{job['id']}"), 404, "not-found")
    check_problem(user.http.get(download), 404, "not-found")
    check_problem(user.http.delete(f"/v1/jobs/{job['id']}"), 404, "not-found")
    assert not [name for name in blobs(audiolift) if job["id"] in name]


def test_a_job_that_is_deleted_or_cancelled_stops_being_converted(
    audiolift: Audiolift, user: User, long_audio: Path
) -> None:
    deleted, cancelled = (user.upload(long_audio)["id"] for _ in range(2))
    eventually(lambda: readers(deleted) and readers(cancelled), "both are being converted")
    eventually(lambda: len(engines(audiolift.process.pid)) == 2, "two engines at work")

    assert user.http.delete(f"/v1/jobs/{deleted}").status_code == 204
    assert user.http.post(f"/v1/jobs/{cancelled}/cancel").json()["state"] == "cancelled"

    eventually(lambda: not readers(deleted) and not readers(cancelled), "neither is converted")
    assert not engines(audiolift.process.pid)
    eventually(lambda: not [name for name in blobs(audiolift) if deleted in name], "no blob any more")
    assert user.job(cancelled)["state"] == "cancelled"
    assert job_row(audiolift, cancelled)["lease_until"] is None
    assert user.mails() == []


def test_a_cancelled_job_can_be_retried(user: User, long_audio: Path, video: Path) -> None:
    ahead = [user.upload(long_audio)["id"] for _ in range(2)]
    job_id = user.upload(video)["id"]
    user.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
    for other in ahead:
        user.http.delete(f"/v1/jobs/{other}").raise_for_status()

    assert user.http.post(f"/v1/jobs/{job_id}/retry").status_code == 202

    assert user.wait(job_id)["state"] == "done"


def test_a_failed_job_is_tried_again_and_reported_again(
    audiolift: Audiolift, user: User, failed: dict[str, Any]
) -> None:
    user.wait_for_mails(1)
    response = user.http.post(failed["links"]["retry"])

    assert response.status_code == 202
    assert response.json()["error"] is None
    assert user.wait(failed["id"])["state"] == "failed"
    assert len(user.wait_for_mails(2)) == 2
    assert job_row(audiolift, failed["id"])["attempts"] == 1


@pytest.mark.parametrize("action", ["retry", "cancel"])
def test_a_job_that_is_done_is_neither_retried_nor_cancelled(owner: User, done: dict[str, Any], action: str) -> None:
    problem = check_problem(owner.http.post(f"/v1/jobs/{done['id']}/{action}"), 409, "wrong-state")

    assert problem["state"] == "done"
    assert owner.job(done["id"])["state"] == "done"


def all_pages(user: User, limit: int) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page: dict[str, Any] = user.http.get("/v1/jobs", params=query).json()
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return
