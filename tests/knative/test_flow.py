"""The whole way of a user, through gateway, queue-proxies, ingress and dispatchers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import media
from tests.knative.checks import told
from tests.knative.plane import Plane
from tests.patience import eventually
from tests.system import User


def test_who_uploads_by_the_public_name_follows_the_job_gets_mail_and_downloads(
    plane: Plane, user: User, video: Path
) -> None:
    job_id = user.upload(video)["id"]

    with user.http.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        *_, job = told(stream.iter_lines())

    assert job["state"] == "done", job["error"]
    assert media.tone(user.audio(job)) == pytest.approx(440, abs=2)
    (mail,) = eventually(lambda: plane.mailbox.of(user.email), "a mail")
    assert mail["Subject"] == f"Your MP3 is ready: {video.name}"


def test_events_of_a_job_come_while_it_goes_on(user: User, long_audio: Path) -> None:
    job_id = user.upload(long_audio)["id"]
    with user.http.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        assert any(job["state"] == "converting" for job in told(stream.iter_lines()))
        # Nothing has kept it back until the end.
        assert user.job(job_id)["state"] == "converting"
    assert user.wait(job_id)["state"] == "done"


def test_parts_of_an_mp3_are_downloaded_by_range(user: User, video: Path) -> None:
    job = user.convert(video)
    whole, link = user.audio(job), job["links"]["audio"]

    head = user.http.head(link)
    part = user.http.get(link, headers={"Range": "bytes=100-199"})
    end = user.http.get(link, headers={"Range": "bytes=-50", "If-Range": head.headers["ETag"]})
    beyond = user.http.get(link, headers={"Range": f"bytes={len(whole)}-"})

    assert (head.status_code, int(head.headers["Content-Length"]), head.content) == (200, len(whole), b"")
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert (end.status_code, end.content) == (206, whole[-50:])
    assert beyond.status_code == 416


def test_an_upload_that_is_sent_again_with_its_key_is_one_job(user: User, video: Path) -> None:
    """The front writes the names of all headers in lower case, as Envoy does."""
    headers = {
        "Idempotency-Key": "one",
        "Content-Type": "video/mp4",
        "Content-Disposition": 'attachment; filename="a.mp4"',
    }
    answers = [user.http.post("/v1/jobs", content=video.read_bytes(), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202], answers[-1].text
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[0].json()["filename"] == "a.mp4"
