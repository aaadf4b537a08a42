"""Videos on their way in: in every form, of every size, under every name."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import LIMIT
from tests.e2e.inside import blobs, check_problem, function_processes, job_row, peak_rss, rows, tree
from tests.patience import PATIENCE, eventually
from tests.system import Audiolift, User

MEGABYTE = 1_000_000
VIDEO = {"Content-Type": "video/mp4"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'


@pytest.fixture(scope="session")
def cramped(narrow: Audiolift) -> User:
    """A user of the audiolift that takes two megabytes at the most."""
    return narrow.user()


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of zeros, larger than that."""
    return sparse(tmp_path_factory.mktemp("large") / "large.mp4", 300 * MEGABYTE)


def test_the_body_is_the_video(user: User, video: Path) -> None:
    job = user.upload(video, quality=5)

    assert job["filename"] == video.name
    assert job["options"] == {"quality": 5}
    assert user.wait(job["id"])["state"] == "done"


def test_a_body_of_unknown_length_is_the_video_too(audiolift: Audiolift, user: User, video: Path) -> None:
    response = user.http.post("/v1/jobs", content=pieces(video.read_bytes()), headers=VIDEO)

    assert response.status_code == 202
    job = user.wait(response.json()["id"])
    assert job["state"] == "done"
    assert job_row(audiolift, job["id"])["video_bytes"] == video.stat().st_size


def test_a_form_brings_video_and_options(user: User, video: Path) -> None:
    with video.open("rb") as file:
        response = user.http.post("/v1/jobs", data={"bitrate": "64"}, files={"file": ("in the form.mp4", file)})

    job = user.wait(response.raise_for_status().json()["id"])
    assert job["state"] == "done"
    assert (job["filename"], job["options"]) == ("in the form.mp4", {"bitrate": 64})


def test_curl_sends_a_form_with_options_after_the_file(user: User, video: Path) -> None:
    status, _ = curl(user, "-F", f"file=@{video};filename=Übung.mp4", "-F", "channels=1")

    assert status == 202
    jobs = user.http.get("/v1/jobs").json()["items"]
    assert [(job["filename"], job["options"]) for job in jobs] == [("Übung.mp4", {"channels": 1})]
    assert user.wait(jobs[0]["id"])["state"] == "done"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        PART + b"never ends",
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nanother field\r\n--x--\r\n',
        PART + b"one\r\n" + PART + b"two\r\n--x--\r\n",
        PART + b'one\r\n--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n' + b"a" * 5000 + b"\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xff\xfe"\r\nX: \xff\r\n\r\n\r\n--y',
    ],
    ids=["empty", "no form", "cut off", "no file", "two files", "long field", "no text"],
)
def test_a_form_that_is_not_sound_leaves_nothing_behind(audiolift: Audiolift, user: User, body: bytes) -> None:
    check_problem(user.http.post("/v1/jobs", content=body, headers=FORM), 400, "bad-request")

    assert user.http.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize("name", ["note", "qualty"])
def test_what_is_no_option_is_refused_by_name_in_form_and_query(user: User, video: Path, name: str) -> None:
    with video.open("rb") as file:
        in_form = user.http.post("/v1/jobs", data={name: "1"}, files={"file": file})
    in_query = user.http.post("/v1/jobs", params={name: "1"}, content=b"x", headers=VIDEO)

    for response in (in_form, in_query):
        assert f"`{name}`" in check_problem(response, 400, "bad-option")["detail"]
    assert f"`{name}`" in check_problem(user.http.get("/v1/jobs", params={name: "1"}), 400, "bad-request")["detail"]
    twice = user.http.post("/v1/jobs?quality=1&quality=2", content=b"x", headers=VIDEO)
    assert "`quality`" in check_problem(twice, 400, "bad-request")["detail"]
    # Where the query is no place for options, none is passed over there.
    begin = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
    elsewhere: dict[str, dict[str, Any]] = {
        "/v1/uploads": {"headers": begin},
        "/v1/batches": {"json": {"items": [{"source_url": "https://example.com/talk.mp4"}]}},
        f"/v1/jobs/{'0' * 32}/retry": {},
    }
    for path, sent in elsewhere.items():
        response = user.http.post(path, params={"quality": "1"}, **sent)
        assert "`quality`" in check_problem(response, 400, "bad-option")["detail"]
    assert user.http.get("/v1/jobs").json()["items"] == []


def test_an_option_in_a_form_is_checked_though_the_video_came_first(user: User, video: Path) -> None:
    with video.open("rb") as file:
        response = user.http.post("/v1/jobs", data={"quality": "best"}, files={"file": file})

    check_problem(response, 400, "bad-option")
    assert user.http.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Videos\\Ferien.mp4", "Ferien.mp4"),
        ("a\0b\r\nBcc: all@example.com.mp4", "abBcc: all@example.com.mp4"),
        ("two\u2028lines\u2029.mp4", "twolines.mp4"),
        ("\u202egpj.mp4", "gpj.mp4"),
        ("{{ job.id }} <b>%s.mp4", "{{ job.id }} <b>%s.mp4"),
        ("U\u0308bung \N{CLAPPER BOARD}.mp4", "Übung \N{CLAPPER BOARD}.mp4"),
        ("=?utf-8?q?=0A?=.mp4", "=?utf-8?q?=0A?=.mp4"),
        ("\N{CLAPPER BOARD}" * 300, "\N{CLAPPER BOARD}" * 255),
        ("dir/ \t", "video"),
        ("", "video"),
    ],
    ids=ascii,
)
def test_a_hostile_name_is_cleaned_and_reaches_the_owner(user: User, empty: Path, sent: str, kept: str) -> None:
    job = user.upload(empty, filename=sent)

    assert job["filename"] == kept
    (mail,) = user.wait_for_mails(1)
    assert kept in mail["text"]


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [
        ('attachment; filename="plain.mp4"', "plain.mp4"),
        ("attachment; filename=\"no.mp4\"; filename*=UTF-8''%C3%9Cbung%20%E2%82%AC.mp4", "Übung €.mp4"),
        ("attachment; filename*=iso-8859-1'de'%DCbung.mp4", "Übung.mp4"),
        ("attachment; filename*=UTF-8''..%2F..%2Fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''%FF%00.mp4", None),
        ("attachment; filename*=made-up''a.mp4", None),
        ("filename=", "video"),
        (";;;", "video"),
    ],
)
def test_the_name_comes_by_content_disposition(user: User, disposition: str, kept: str | None) -> None:
    response = user.http.post("/v1/jobs", content=b"", headers={**VIDEO, "Content-Disposition": disposition})

    assert response.status_code == 202, response.text
    name = response.json()["filename"]
    assert name.isprintable()
    assert kept is None or name == kept


def test_an_empty_video_is_taken_and_fails_as_empty(user: User, empty: Path) -> None:
    job = user.convert(empty)

    assert (job["state"], job["error"]["code"]) == ("failed", "empty")


@pytest.mark.parametrize("expect", ["100-continue", ""])
def test_curl_hears_of_a_video_that_is_too_large_before_it_has_sent_it(cramped: User, large: Path, expect: str) -> None:
    status, sent = curl(
        cramped, "-T", str(large), "-H", "Content-Type: video/mp4", "-H", f"Expect: {expect}", "-X", "POST"
    )

    assert status == 413
    assert sent < large.stat().st_size


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=str)
def test_the_length_alone_is_enough_to_refuse_a_video(cramped: User, headers: dict[str, str]) -> None:
    with opened(cramped, {**VIDEO, **headers, "Content-Length": str(10**12)}) as connection:
        assert connection.getresponse().status == 413


def test_a_client_that_sends_first_and_reads_later_hears_of_it_too(cramped: User) -> None:
    with opened(cramped, {**VIDEO, "Content-Length": str(300 * MEGABYTE)}) as connection:
        for _ in range(3):
            connection.send(bytes(MEGABYTE))
        response = connection.getresponse()

        assert response.status == 413
        assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("headers", "before"), [(VIDEO, b""), (FORM, PART)], ids=["body", "form"])
def test_a_video_of_unknown_length_is_refused_once_it_is_too_large(
    narrow: Audiolift, cramped: User, headers: dict[str, str], before: bytes
) -> None:
    others = unfinished(narrow)
    response = cramped.http.post("/v1/jobs", content=pieces(before + bytes(3 * LIMIT)), headers=headers)

    problem = check_problem(response, 413, "too-large")
    assert problem["limit_bytes"] == LIMIT
    assert unfinished(narrow) <= others


def test_the_limit_itself_is_allowed(cramped: User) -> None:
    assert cramped.http.post("/v1/jobs", content=bytes(LIMIT), headers=VIDEO).status_code == 202
    assert cramped.http.post("/v1/jobs", files={"file": ("a.mp4", bytes(LIMIT))}).status_code == 202
    check_problem(cramped.http.post("/v1/jobs", content=bytes(LIMIT + 1), headers=VIDEO), 413, "too-large")


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        ({**VIDEO, "Content-Length": "900000"}, bytes(400_000)),
        ({**VIDEO, "Transfer-Encoding": "chunked"}, b"30000\r\n" + bytes(0x30000) + b"\r\n30000\r\n" + bytes(1000)),
        ({**VIDEO, "Transfer-Encoding": "chunked"}, b"30000\r\n" + bytes(0x30000) + b"\r\n"),
        ({**FORM, "Content-Length": "900000"}, PART + bytes(400_000)),
    ],
    ids=["body", "inside a chunk", "between chunks", "form"],
)
def test_an_upload_that_breaks_off_leaves_nothing_behind(
    audiolift: Audiolift, user: User, headers: dict[str, str], part: bytes
) -> None:
    before = unfinished(audiolift)
    with opened(user, headers) as connection:
        connection.send(part)
        (job,) = eventually(lambda: user.http.get("/v1/jobs").json()["items"], "the upload under way")

    eventually(lambda: user.http.get("/v1/jobs").json()["items"] == [], "no job")
    eventually(lambda: not [name for name in blobs(audiolift) if job["id"] in name], "no blob")
    eventually(lambda: unfinished(audiolift) <= before, "nothing unfinished")


def test_a_large_upload_takes_constant_memory(audiolift: Audiolift, user: User, tmp_path: Path) -> None:
    size = 1500 * MEGABYTE
    job = user.upload(sparse(tmp_path / "large.mp4", size))

    assert job_row(audiolift, job["id"])["video_bytes"] == size
    for name in ("upload", "gateway"):
        for process in function_processes(audiolift, name):
            assert max(map(peak_rss, tree(process))) < 120 * MEGABYTE, name
    assert peak_rss(audiolift.process.pid) < 120 * MEGABYTE
    user.http.delete(f"/v1/jobs/{job['id']}").raise_for_status()


def sparse(path: Path, size: int) -> Path:
    """A file of zeros that takes no space."""
    path.touch()
    os.truncate(path, size)
    return path


def pieces(data: bytes) -> Iterator[bytes]:
    """The data bit by bit, so that it is sent chunked."""
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


def unfinished(audiolift: Audiolift) -> set[str]:
    """The uploads that are under way, of the rows and on the disk."""
    files = {name for name in blobs(audiolift) if name.startswith("unfinished/")}
    return files | {row["id"] for row in rows(audiolift, "SELECT id FROM jobs WHERE state = 'receiving'")}


def curl(user: User, *arguments: str) -> tuple[int, int]:
    """POST to /v1/jobs by curl. Returns: the status, and how many bytes curl has sent."""
    command = ["curl", "--silent", "--show-error", "--output", os.devnull, "--write-out", "%{http_code} %{size_upload}"]
    token = f"Authorization: {user.http.headers['Authorization']}"
    said = subprocess.run(
        [*command, "-H", token, *arguments, f"{user.http.base_url}/v1/jobs"], check=True, capture_output=True, text=True
    )
    status, sent = said.stdout.split()
    return int(status), int(sent)


@contextmanager
def opened(user: User, headers: Mapping[str, str]) -> Iterator[http.client.HTTPConnection]:
    """A connection on which the headers of an upload have been sent; it is closed at the end, whatever is missing."""
    place = urlsplit(str(user.http.base_url))
    with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=PATIENCE)) as connection:
        connection.putrequest("POST", "/v1/jobs")
        for name, value in {"Authorization": user.http.headers["Authorization"], **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        yield connection
