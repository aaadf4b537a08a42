"""The MP3 on its way out: ranges, conditions, names, links, and an end to it all."""

from __future__ import annotations

import sqlite3
import subprocess
import uuid
import zipfile
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e.inside import blobs, check_problem, secrets, tick
from tests.patience import PATIENCE, eventually
from tests.system import Audiolift, User


@pytest.fixture(scope="session")
def audio(owner: User, done: dict[str, Any]) -> bytes:
    """The MP3 of `done`."""
    return owner.audio(done)


def test_the_whole_file_says_all_about_itself(owner: User, done: dict[str, Any], audio: bytes) -> None:
    response = fetch(owner, done)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert int(response.headers["Content-Length"]) == len(audio) == done["size_bytes"]


def test_the_name_is_the_videos_in_ascii_and_in_unicode(owner: User, done: dict[str, Any]) -> None:
    disposition = fetch(owner, done).headers["Content-Disposition"]

    assert disposition.startswith("attachment; ")
    assert 'filename="_bung _eins_ 100_.mp3"' in disposition
    assert disposition.endswith("filename*=UTF-8''%C3%9Cbung%20%E2%80%9Eeins%E2%80%9C%20100%25.mp3")


def test_head_is_get_without_the_body(owner: User, done: dict[str, Any]) -> None:
    head, whole = owner.http.head(done["links"]["audio"]), fetch(owner, done)

    assert head.status_code == 200
    assert head.content == b""
    assert comparable(head) == comparable(whole)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=100-99999999", 100, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_a_range_is_that_part_of_the_file(
    owner: User, done: dict[str, Any], audio: bytes, asked: str, start: int, stop: int | None
) -> None:
    response = fetch(owner, done, Range=asked)

    part = audio[start:stop]
    first = audio.index(part) if start < 0 else start
    assert response.status_code == 206
    assert response.content == part
    assert response.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(audio)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-999999999"])
def test_a_range_beyond_the_end_cannot_be_satisfied(
    owner: User, done: dict[str, Any], audio: bytes, asked: str
) -> None:
    response = fetch(owner, done, Range=asked)

    check_problem(response, 416, "range-not-satisfiable")
    assert response.headers["Content-Range"] == f"bytes */{len(audio)}"


@pytest.mark.parametrize(
    "asked", ["", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=²-", "seconds=0-1", "bytes=0-0,5-9", "bytes=-0"]
)
def test_a_range_that_is_not_understood_is_passed_over(
    owner: User, done: dict[str, Any], audio: bytes, asked: str
) -> None:
    response = owner.http.get(done["links"]["audio"], headers={b"Range": asked.encode()})

    assert response.status_code == 200
    assert response.content == audio


def test_another_file_than_the_one_asked_for_is_not_sent(owner: User, done: dict[str, Any]) -> None:
    etag = fetch(owner, done).headers["ETag"]

    assert fetch(owner, done, **{"If-Match": f'"other", {etag}'}).status_code == 200
    assert fetch(owner, done, **{"If-Match": "*"}).status_code == 200
    for tag in ('"other"', f"W/{etag}"):
        check_problem(fetch(owner, done, **{"If-Match": tag}), 412, "file-changed")


@pytest.mark.parametrize("tag", ["{}", "W/{}", '"other", {}', "*"])
def test_what_the_client_has_is_not_sent_again(owner: User, done: dict[str, Any], tag: str) -> None:
    etag = fetch(owner, done).headers["ETag"]
    response = fetch(owner, done, **{"If-None-Match": tag.format(etag), "Range": "bytes=0-0"})

    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["ETag"] == etag
    assert fetch(owner, done, **{"If-None-Match": '"other"'}).status_code == 200


def test_a_range_of_another_version_is_the_whole_file(owner: User, done: dict[str, Any], audio: bytes) -> None:
    etag = fetch(owner, done).headers["ETag"]

    assert fetch(owner, done, Range="bytes=0-9", **{"If-Range": etag}).content == audio[:10]
    assert fetch(owner, done, Range="bytes=0-9", **{"If-Range": '"other"'}).content == audio
    assert fetch(owner, done, Range="bytes=0-9", **{"If-Range": "Sat, 01 Jan 2000 00:00:00 GMT"}).content == audio


def test_a_signed_link_needs_no_token(audiolift: Audiolift, done: dict[str, Any], audio: bytes) -> None:
    response = httpx.get(audiolift.url + done["links"]["download"], headers={"Range": "bytes=10-"}, timeout=PATIENCE)

    assert response.status_code == 206
    assert response.content == audio[10:]


def test_the_link_in_the_mail_is_such_a_link(owner: User, done: dict[str, Any], audio: bytes) -> None:
    # Other tests have its owner told of other things.
    texts = eventually(lambda: [mail["text"] for mail in owner.mails() if "/v1/files/" in mail["text"]], "the mail")
    link = next(line for line in texts[0].splitlines() if "/v1/files/" in line)

    assert owner.http.get(httpx.URL(link).raw_path.decode()).content == audio


def test_a_link_that_is_forged_or_over_is_not_found(audiolift: Audiolift, done: dict[str, Any]) -> None:
    secret, good = secrets(audiolift)["link-secret"], {"sub": done["id"], "exp": 2**31}
    header = {"typ": "audiolift-link+jwt"}
    links = {
        "over": jwt.encode({**good, "exp": 1}, secret, "HS256", headers=header),
        "no end": jwt.encode({"sub": done["id"]}, secret, "HS256", headers=header),
        "another secret": jwt.encode(good, "s" * 43, "HS256", headers=header),
        "no signature": jwt.encode(good, "", "none", headers=header),
        "another type": jwt.encode(good, secret, "HS256"),
        "no job": jwt.encode({**good, "sub": uuid.uuid4().hex}, secret, "HS256", headers=header),
        "changed": done["links"]["download"].rpartition("/")[2][:-2],
        "made up": "a.b.c",
    }

    for what, link in links.items():
        response = httpx.get(f"{audiolift.url}/v1/files/{link}", timeout=PATIENCE)
        status, code = (410, "link-over") if what == "over" else (404, "not-found")
        assert check_problem(response, status, code), what
    sound = jwt.encode(good, secret, "HS256", headers=header)
    assert httpx.get(f"{audiolift.url}/v1/files/{sound}", timeout=PATIENCE).is_success


def test_a_token_is_no_link_and_a_link_no_token(owner: User, done: dict[str, Any]) -> None:
    link = done["links"]["download"].rpartition("/")[2]

    assert owner.http.get("/v1/jobs", headers={"Authorization": f"Bearer {link}"}).status_code == 401
    assert owner.http.get(f"/v1/files/{owner.tokens['access_token']}").status_code == 404


def test_many_are_one_zip_without_a_token(
    audiolift: Audiolift, owner: User, done: dict[str, Any], audio: bytes, tmp_path: Path
) -> None:
    made = owner.http.post("/v1/archives", json={"ids": [done["id"], uuid.uuid4().hex]}).raise_for_status().json()
    answer = httpx.get(made["url"], timeout=PATIENCE).raise_for_status()
    assert int(answer.headers["Content-Length"]) == len(answer.content) == made["size_bytes"]
    with zipfile.ZipFile(BytesIO(answer.content)) as zipped:
        (name,) = zipped.namelist()
        assert (name, zipped.read(name)) == ("Übung „eins“ 100%.mp3", audio)
    head, body, signature = made["url"].rpartition("/")[2].split(".")
    for tampered in (
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
        done["links"]["download"].rpartition("/")[2],
    ):
        check_problem(httpx.get(f"{audiolift.url}/v1/archives/{tampered}", timeout=PATIENCE), 404, "not-found")
        check_problem(
            httpx.get(f"{audiolift.url}/v1/files/{made['url'].rpartition('/')[2]}", timeout=PATIENCE), 404, "not-found"
        )
    check_problem(owner.http.post("/v1/archives", json={"ids": [uuid.uuid4().hex]}), 404, "not-found")


def test_an_mp3_that_was_encoded_has_a_waveform(owner: User, done: dict[str, Any]) -> None:
    answer = owner.http.get(done["links"]["peaks"]).raise_for_status()
    drawn = answer.json()
    assert (len(drawn["peaks"]) - 1) * drawn["seconds_per_peak"] < done["duration_seconds"] + 0.1
    assert len(drawn["peaks"]) * drawn["seconds_per_peak"] > done["duration_seconds"] - 0.1
    assert max(drawn["peaks"]) > 10
    known = {"If-None-Match": answer.headers["ETag"]}
    assert owner.http.get(done["links"]["peaks"], headers=known).status_code == 304


def test_a_job_that_is_not_done_has_no_mp3_yet(user: User, empty: Path) -> None:
    job = user.convert(empty)

    problem = check_problem(user.http.get(f"/v1/jobs/{job['id']}/audio"), 409, "wrong-state")
    assert problem["state"] == "failed"


def test_an_expired_job_is_gone_with_its_files(audiolift: Audiolift, user: User, video: Path) -> None:
    job = user.convert(video)
    with closing(sqlite3.connect(audiolift.data / "audiolift.db", timeout=PATIENCE)) as connection, connection:
        just_over = datetime.now(UTC) - timedelta(minutes=1)
        over = f"{just_over:%Y-%m-%d %H:%M:%S.%f}"
        connection.execute("UPDATE jobs SET expires_at = ? WHERE id = ?", (over, job["id"]))
    tick(audiolift)

    assert user.wait(job["id"], "expired")["links"].keys() == {"self", "events"}
    for link in ("audio", "download"):
        check_problem(user.http.get(job["links"][link]), 410, "expired")
    eventually(lambda: not [name for name in blobs(audiolift) if job["id"] in name], "no blob")


def test_curl_resumes_what_was_cut_off(owner: User, done: dict[str, Any], audio: bytes, tmp_path: Path) -> None:
    path = tmp_path / "audio.mp3"
    path.write_bytes(audio[: len(audio) // 2])
    url, token = f"{owner.http.base_url}{done['links']['audio']}", owner.http.headers["Authorization"]

    subprocess.run(["curl", "-sSf", "-C", "-", "-H", f"Authorization: {token}", "-o", path, url], check=True)

    assert path.read_bytes() == audio


def fetch(user: User, job: Mapping[str, Any], **headers: str) -> httpx.Response:
    return user.http.get(job["links"]["audio"], headers=headers)


def comparable(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in ("date", "x-request-id")}
