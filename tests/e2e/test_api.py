"""The HTTP API, through the gateway: accounts, tokens, jobs, and what it says when something is wrong."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e.inside import blobs, check_problem, eventually, ffmpegs, forge, job_row, secrets
from tests.system import PASSWORD, Audiolift, User

NOBODY = "0" * 32
VIDEO = {"Content-Type": "video/mp4"}


@pytest.fixture
def anyone(audiolift: Audiolift) -> Iterator[httpx.Client]:
    """A client without a token."""
    with httpx.Client(base_url=audiolift.url, timeout=60) as client:
        yield client


@pytest.fixture
def failed(user: User, empty: Path) -> dict[str, Any]:
    """A job of `user` that failed."""
    return user.convert(empty)


@pytest.mark.parametrize(
    ("account", "about"),
    [
        ({"email": "nobody", "password": PASSWORD}, "email"),
        ({"email": "two@at@example.com", "password": PASSWORD}, "email"),
        ({"email": "line\nfeed@example.com", "password": PASSWORD}, "email"),
        ({"email": ["a@example.com"], "password": PASSWORD}, "email"),
        ({"password": PASSWORD}, "email"),
        ({"email": "a@example.com", "password": "short"}, "password"),
        ({"email": "a@example.com", "password": "x" * 257}, "password"),
        ({"email": "a@example.com"}, "password"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_account_that_cannot_be_is_refused_with_the_field_to_mend(
    anyone: httpx.Client, account: dict[str, Any], about: str
) -> None:
    problem = check_problem(anyone.post("/v1/users", json=account), 422, "invalid-account")

    assert problem["detail"].startswith(f"`{about}`")


def test_an_address_has_one_account_however_it_is_written(anyone: httpx.Client, user: User) -> None:
    again = anyone.post("/v1/users", json={"email": user.email.upper(), "password": PASSWORD})

    check_problem(again, 409, "email-taken")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        pytest.param(b"[" * 5000, id="deep"),
        pytest.param(b'{"email": "' + b"a" * 70_000 + b'"}', id="large"),
        pytest.param(rb'{"email": "\ud800@example.com", "password": "long enough"}', id="half a character"),
    ],
)
def test_what_is_no_json_object_is_refused(anyone: httpx.Client, body: bytes) -> None:
    response = anyone.post("/v1/users", content=body, headers={"Content-Type": "application/json"})

    check_problem(response, 400, "bad-request")


def test_an_account_comes_as_json_only(anyone: httpx.Client) -> None:
    check_problem(anyone.post("/v1/users", data={"email": "a@example.com"}), 415, "unsupported-media-type")


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(anyone: httpx.Client, user: User) -> None:
    said = [
        check_problem(sign_in(anyone, username=name, password=password), 401, "invalid-credentials")
        for name, password in ((user.email, "not the password"), ("nobody@example.com", PASSWORD))
    ]

    assert said[0] == said[1]
    assert said[0]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "form", [{}, {"username": "a@example.com", "password": PASSWORD}, {"grant_type": "implicit"}], ids=str
)
def test_a_grant_type_that_is_not_offered_is_named_as_such(anyone: httpx.Client, form: dict[str, str]) -> None:
    problem = check_problem(anyone.post("/v1/token", data=form), 400, "unsupported-grant")

    assert problem["error"] == "unsupported_grant_type"


def test_a_form_for_a_token_is_bounded(anyone: httpx.Client) -> None:
    check_problem(sign_in(anyone, username="a" * 100_000, password=PASSWORD), 400, "bad-request")


def test_http_basic_signs_in(anyone: httpx.Client, user: User) -> None:
    response = anyone.post("/v1/token", auth=(user.email, PASSWORD))

    assert response.json()["token_type"] == "Bearer"
    check_problem(anyone.post("/v1/token", auth=(user.email, "wrong")), 401, "invalid-credentials")


def test_a_refresh_token_is_good_once_and_its_theft_ends_the_family(anyone: httpx.Client, user: User) -> None:
    first = user.sign_in()["refresh_token"]
    second = refresh(anyone, first).json()["refresh_token"]

    check_problem(refresh(anyone, first), 400, "invalid-grant")
    check_problem(refresh(anyone, second), 400, "invalid-grant")


@pytest.mark.parametrize("token", ["", "made up", "é" * 1000])
def test_an_unknown_refresh_token_is_refused(anyone: httpx.Client, token: str) -> None:
    check_problem(refresh(anyone, token), 400, "invalid-grant")


def test_a_token_says_whose_it_is(audiolift: Audiolift, anyone: httpx.Client, user: User) -> None:
    assert user.http.get("/v1/me").json()["email"] == user.email
    check_problem(get(anyone, forge(audiolift), "/v1/me"), 401, "unauthenticated")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer ÿ", "Bearer a b"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/me"])
def test_without_a_token_there_is_a_challenge(anyone: httpx.Client, path: str, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode()}
    response = anyone.get(path, headers=headers)

    check_problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_tokens_that_are_over_or_meant_for_something_else_are_refused(
    audiolift: Audiolift, anyone: httpx.Client
) -> None:
    good = {"iss": "audiolift", "aud": "audiolift", "sub": "nobody", "iat": 1, "exp": 2**40}
    forged = {
        "over": forge(audiolift, exp=int(time.time()) - 60),
        "other issuer": forge(audiolift, iss="elsewhere"),
        "other audience": forge(audiolift, aud="elsewhere"),
        "no end": jwt.encode({"sub": "nobody"}, "x" * 32, "HS256"),
        "an ID token": forge(audiolift, {"typ": "JWT"}),
        "unknown key": forge(audiolift, {"kid": "another"}),
        "no signature": jwt.encode(good, "", "none", headers={"typ": "at+jwt"}),
        "a link": jwt.encode(good, secrets(audiolift)["link-secret"], "HS256", headers={"typ": "at+jwt"}),
    }

    for what, token in forged.items():
        assert get(anyone, token, "/v1/jobs").status_code == 401, what
    assert get(anyone, forge(audiolift), "/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("GET", "/events"),
        ("GET", "/audio"),
        ("HEAD", "/audio"),
    ],
)
def test_somebody_elses_job_does_not_exist(
    user: User, owner: User, done: dict[str, Any], method: str, path: str
) -> None:
    theirs = user.http.request(method, f"/v1/jobs/{done['id']}{path}")
    none = user.http.request(method, f"/v1/jobs/{NOBODY}{path}")

    assert theirs.status_code == none.status_code == 404
    assert theirs.text == none.text
    assert owner.job(done["id"])["updated_at"] == done["updated_at"]


def test_somebody_elses_running_job_goes_on(audiolift: Audiolift, user: User, failed: dict[str, Any]) -> None:
    other = audiolift.user()

    check_problem(other.http.post(f"/v1/jobs/{failed['id']}/retry"), 404, "not-found")
    check_problem(other.http.delete(f"/v1/jobs/{failed['id']}"), 404, "not-found")
    assert user.job(failed["id"]) == failed
    assert other.http.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/jobs/", "/v1//jobs", "/v1/jobs/a/b", "/assets/../main.py"])
def test_an_address_that_leads_nowhere_is_not_found(anyone: httpx.Client, path: str) -> None:
    check_problem(anyone.get(path), 404, "not-found")


@pytest.mark.parametrize("job_id", ["%00", "%ff", "..%2f..%2fetc", "'; DROP TABLE jobs;--", "a" * 5000, "%F0%9F%8E%AC"])
def test_a_hostile_id_is_just_not_found(user: User, job_id: str) -> None:
    for path in ("", "/audio", "/events"):
        check_problem(user.http.get(f"/v1/jobs/{job_id}{path}"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("GET", "/v1/users", "POST"),
        ("DELETE", "/v1/token", "POST"),
        ("PATCH", f"/v1/jobs/{NOBODY}", "DELETE, GET, HEAD"),
        ("POST", f"/v1/jobs/{NOBODY}/audio", "GET, HEAD"),
        ("TRACE", "/", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_is_answered_with_those_that_are(
    anyone: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = anyone.request(method, path)

    check_problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == allowed


def test_every_answer_carries_the_security_headers(anyone: httpx.Client, user: User) -> None:
    for response in (anyone.get("/"), anyone.get("/v1/jobs"), user.http.get("/v1/jobs"), anyone.get("/nothing")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "image/png", "video", "nonsense"])
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


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
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
    eventually(lambda: ffmpegs(deleted) and ffmpegs(cancelled), "ffmpeg at work on both")

    assert user.http.delete(f"/v1/jobs/{deleted}").status_code == 204
    assert user.http.post(f"/v1/jobs/{cancelled}/cancel").json()["state"] == "cancelled"

    eventually(lambda: not ffmpegs(deleted) and not ffmpegs(cancelled), "no ffmpeg any more", patience=10)
    eventually(lambda: not [name for name in blobs(audiolift) if deleted in name], "no blob any more", patience=10)
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


def sign_in(client: httpx.Client, **form: str) -> httpx.Response:
    return client.post("/v1/token", data={"grant_type": "password", **form})


def refresh(client: httpx.Client, token: str) -> httpx.Response:
    return client.post("/v1/token", data={"grant_type": "refresh_token", "refresh_token": token})


def get(client: httpx.Client, token: str, path: str) -> httpx.Response:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


def all_pages(user: User, limit: int) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page: dict[str, Any] = user.http.get("/v1/jobs", params=query).json()
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return
