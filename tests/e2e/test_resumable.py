"""Resumable uploads, by the protocol tus 1.0.0, one request at a time."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.inside import check_problem, job_row
from tests.system import Audiolift, User

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def test_a_video_that_comes_in_two_requests_is_converted_once(audiolift: Audiolift, user: User, video: Path) -> None:
    content = video.read_bytes()
    upload = create(user, len(content), filename="Übung.mp4", quality="5")
    job_id = upload.rpartition("/")[2]
    assert user.job(job_id)["state"] == "receiving"

    half = len(content) // 2
    assert patch(user, upload, 0, content[:half]).headers["Upload-Offset"] == str(half)
    assert (head(user, upload)["Upload-Offset"], head(user, upload)["Upload-Length"]) == (str(half), str(len(content)))
    assert user.job(job_id)["progress"] == pytest.approx(0.5, abs=0.01)
    assert patch(user, upload, half, content[half:]).headers["Upload-Offset"] == str(len(content))

    job = user.wait(job_id)
    assert (job["state"], job["filename"], job["options"]) == ("done", "Übung.mp4", {"quality": 5})
    assert job_row(audiolift, job_id)["video_bytes"] == len(content)
    assert head(user, upload)["Upload-Offset"] == str(len(content))
    check_problem(patch(user, upload, len(content), b""), 409, "wrong-state")


def test_the_same_video_again_gets_the_mp3_that_is_there(audiolift: Audiolift, user: User, video: Path) -> None:
    content = video.read_bytes()
    plain = user.http.post(
        "/v1/jobs", params={"quality": "6"}, content=content, headers={"Content-Type": "video/mp4"}
    ).json()["id"]
    first = user.wait(plain)
    minutes = used_minutes(user)
    for at in (len(content) // 3, len(content)):
        upload = create(user, len(content), content[:at], filename="again.mp4", quality="6", deduplicate="true")
        if at < len(content):
            patch(user, upload, at, content[at:])
        again = user.wait(upload.rpartition("/")[2])
        assert (again["state"], again["duration_seconds"]) == ("done", first["duration_seconds"])
        assert user.audio(again) == user.audio(first)
    # A conversion would have cost some.
    assert used_minutes(user) == minutes
    other = create(user, len(content), content, filename="again.mp4", quality="7", deduplicate="true")
    assert user.audio(user.wait(other.rpartition("/")[2])) != user.audio(first)
    assert used_minutes(user) > minutes


def used_minutes(user: User) -> float:
    """What conversions of today have cost the user."""
    used: float = user.http.get("/v1/me").json()["usage"]["minutes_a_day"]
    return used


def create(user: User, size: int | None, body: bytes = b"", headers: dict[str, str] | None = None, **pairs: str) -> str:
    """Begin an upload. Returns: its address."""
    response = post(user, size, body, headers, **pairs)
    assert response.status_code == 201, response.text
    return response.headers["Location"]


def post(
    user: User, size: int | None, body: bytes = b"", headers: dict[str, str] | None = None, **pairs: str
) -> httpx.Response:
    """The answer to the beginning of an upload."""
    said = {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
    told = {"Upload-Metadata": metadata(**pairs)} if pairs else {}
    kind = {"Content-Type": BYTES} if body else {}
    return user.http.post("/v1/uploads", headers={**TUS, **said, **told, **kind, **(headers or {})}, content=body)


def patch(user: User, upload: str, offset: int, body: Any, **headers: str) -> httpx.Response:
    """The answer to the next bytes."""
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return user.http.patch(
        upload, content=body, headers={**TUS, "Content-Type": BYTES, "Upload-Offset": str(offset), **said}
    )


def head(user: User, upload: str) -> httpx.Headers:
    """What is known of an upload."""
    response = user.http.head(upload, headers=TUS)
    assert response.status_code == 200, response.status_code
    return response.headers


def metadata(**pairs: str) -> str:
    """Upload-Metadata."""
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())
