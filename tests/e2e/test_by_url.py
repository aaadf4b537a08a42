"""Videos that lie elsewhere, duplicates, and digests, through the whole system."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.inside import check_problem, job_row
from tests.system import Audiolift, User
from tests.unit.origin import Origin

VIDEO = {"Content-Type": "video/mp4"}


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """An audiolift that may fetch from one address of this machine."""
    running = Audiolift(tmp_path_factory.mktemp("reaching") / "data", {"FETCH_ALLOWED_NETWORKS": "127.0.0.2/32"})
    yield running
    running.stop()


@pytest.fixture
def fetcher(reaching: Audiolift) -> User:
    """A user of it."""
    return reaching.user()


@pytest.fixture
def origin(video: Path) -> Iterator[Origin]:
    """Has the video."""
    with Origin(video.read_bytes(), "127.0.0.2") as running:
        yield running


def test_a_video_is_fetched_over_a_broken_connection_and_converted(fetcher: User, origin: Origin) -> None:
    origin.cut(len(origin.content) // 2)
    response = fetcher.http.post("/v1/jobs", json={"source_url": origin.url, "options": {"quality": 5}})

    assert (response.status_code, response.json()["state"]) == (202, "receiving")
    assert response.headers["Location"] == f"/v1/jobs/{response.json()['id']}"
    job = fetcher.wait(response.json()["id"])
    assert (job["state"], job["filename"], job["options"]) == ("done", "talk.mp4", {"quality": 5})
    assert origin.asked == ["", f"bytes={len(origin.content) // 2}-"]


def test_a_redirect_into_the_network_ends_the_job(fetcher: User, origin: Origin) -> None:
    origin.status(302, Location=origin.url.replace("127.0.0.2", "127.0.0.1"))
    job = fetcher.wait(fetcher.http.post("/v1/jobs", json={"source_url": origin.url}).json()["id"])

    assert (job["state"], job["error"]["code"]) == ("failed", "refused-url")


def test_a_batch_becomes_mp3s_and_problems_and_is_listed(fetcher: User, origin: Origin) -> None:
    items = [{"source_url": origin.url, "filename": "1.mp4"}, {"source_url": "http://127.0.0.1/"}, {"url": origin.url}]
    batch = fetcher.http.post("/v1/batches", json={"items": items}, headers={"Idempotency-Key": "once"})
    again = fetcher.http.post("/v1/batches", json={"items": items}, headers={"Idempotency-Key": "once"})

    assert batch.status_code == again.status_code == 202
    assert [item["status"] for item in batch.json()["items"]] == [202, 400, 400]
    assert "`url`" in batch.json()["items"][2]["problem"]["detail"]
    assert again.json()["id"] == batch.json()["id"]
    listed = fetcher.http.get("/v1/jobs", params={"batch": batch.json()["id"]}).json()["items"]
    assert [job["id"] for job in listed] == [batch.json()["items"][0]["job"]["id"]]
    assert fetcher.wait(listed[0]["id"])["state"] == "done"


def test_a_thousand_items_are_taken_and_one_more_is_not(fetcher: User) -> None:
    item = {"source_url": "http://127.0.0.1/" + "x" * 1900}

    assert len(fetcher.http.post("/v1/batches", json={"items": [item] * 1000}).json()["items"]) == 1000
    check_problem(fetcher.http.post("/v1/batches", json={"items": [item] * 1001}), 400, "bad-request")
    check_problem(fetcher.http.post("/v1/batches", json={"items": []}), 400, "bad-request")
    check_problem(fetcher.http.post("/v1/batches", json={"items": [item], "deduplicate": True}), 400, "bad-request")


def test_the_same_video_again_is_done_in_the_answer(
    reaching: Audiolift, fetcher: User, video: Path, origin: Origin
) -> None:
    first = fetcher.convert(video, quality=5)
    response = fetcher.http.post(
        "/v1/jobs?quality=5&deduplicate=true&filename=again.mp4", content=video.read_bytes(), headers=VIDEO
    )
    fetched = fetcher.http.post(
        "/v1/jobs", json={"source_url": origin.url, "options": {"quality": 5, "deduplicate": True}}
    )

    again = response.json()
    assert (response.status_code, again["state"], again["filename"]) == (202, "done", "again.mp4")
    mp3 = fetcher.http.get(f"/v1/jobs/{first['id']}/audio").content
    fetcher.http.delete(f"/v1/jobs/{first['id']}").raise_for_status()
    third = fetcher.wait(fetched.json()["id"])
    for job in (again, third):
        assert fetcher.http.get(f"/v1/jobs/{job['id']}/audio").content == mp3
        assert not (reaching.data / "blobs" / str(job_row(reaching, job["id"])["video"])).exists()
    # Of the first one, too, unless it was deleted sooner.
    assert len(fetcher.wait_for_mails(2)) <= 3
    other = reaching.user()
    response = other.http.post("/v1/jobs?quality=5&deduplicate=true", content=video.read_bytes(), headers=VIDEO)
    assert response.json()["state"] != "done"


def test_a_digest_that_is_true_changes_nothing_and_one_that_is_not_keeps_nothing(user: User, video: Path) -> None:
    content = video.read_bytes()
    field = f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
    for name in ("Content-Digest", "Repr-Digest"):
        sound = user.http.post("/v1/jobs", content=content, headers={**VIDEO, name: field})
        assert user.wait(sound.json()["id"])["state"] == "done"
        broken = user.http.post("/v1/jobs", content=content[:-1] + b"x", headers={**VIDEO, name: field})
        check_problem(broken, 400, "digest-mismatch")
    in_form = user.http.post("/v1/jobs", files={"file": b"x"}, headers={"Repr-Digest": field})
    check_problem(in_form, 400, "bad-request")
    assert len(user.http.get("/v1/jobs").json()["items"]) == 2
