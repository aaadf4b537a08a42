"""functions/upload/tus.py: the protocol tus 1.0.0, as its text has it."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from functions.shared.blobs import Blobs, Piece
from functions.shared.middleware.resumable import VERSION
from functions.shared.problems import PROBLEMS, Unavailable
from functions.shared.tables import jobs
from functions.shared.tables import uploads as table
from functions.sweep import files
from functions.upload import uploads
from tests.asgi import Answered
from tests.unit import rows
from tests.unit.sink import Sink
from tests.unit.tus_client import Client, content_of, metadata

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")

VIDEO = bytes(range(256)) * 4


@pytest.fixture
def client(sink: Sink, secrets: dict[str, str]) -> Client:
    """Somebody who uploads."""
    return Client()


def test_what_the_server_can_do_is_told_to_everybody(client: Client) -> None:
    answer = client.ask("OPTIONS", "/v1/uploads", Authorization="", Tus_Resumable="")
    assert (answer.status, answer.headers["tus-version"], answer.headers["tus-resumable"]) == (204, "1.0.0", "1.0.0")
    assert set(answer.headers["tus-extension"].split(",")) == {
        *("creation", "creation-with-upload", "creation-defer-length", "expiration"),
        *("checksum", "termination", "concatenation"),
    }
    assert int(answer.headers["tus-max-size"]) > 0
    assert answer.headers["tus-checksum-algorithm"].split(",")[:3] == ["sha1", "sha256", "sha512"]


def test_a_job_is_queued_once_when_the_last_byte_is_there(client: Client, sink: Sink) -> None:
    path = client.create(1024, Upload_Metadata=metadata(filename="a/b.mp4", quality="4", filetype="video/mp4"))
    job_id = path.rpartition("/")[2]
    assert client.patch(path, 0, [VIDEO[:100], VIDEO[100:300]]).headers["upload-offset"] == "300"
    job = rows.read(job_id)
    assert (job.state, job.filename, job.options) == ("receiving", "b.mp4", {"quality": 4})
    assert job.progress == pytest.approx(300 / 1024)
    assert rows.messages(job_id) == []
    last = client.patch(path, 300, VIDEO[300:])
    assert (last.status, last.headers["upload-offset"]) == (204, "1024")
    assert "upload-expires" not in last.headers
    job = rows.read(job_id)
    assert (job.state, job.video_bytes, job.progress) == ("queued", 1024, 0)
    assert sink.types() == ["video.uploaded"]
    assert content_of(path) == VIDEO
    assert client.offset(path) == 1024
    assert code(client.patch(path, 1024, b"x")) == (409, "wrong-state")
    assert len(rows.messages(job_id)) == 1


def test_the_first_request_may_bring_it_all(client: Client, sink: Sink) -> None:
    answer = client.ask("POST", "/v1/uploads", VIDEO, Upload_Length="1024")
    assert (answer.status, answer.headers["upload-offset"]) == (201, "1024")
    assert content_of(answer.headers["location"]) == VIDEO
    assert sink.types() == ["video.uploaded"]


def test_an_empty_upload_is_complete_at_once(client: Client, sink: Sink) -> None:
    path = client.create(0)
    assert (rows.read(path.rpartition("/")[2]).state, sink.types()) == ("queued", ["video.uploaded"])


def test_the_length_may_come_late_and_only_once(client: Client, sink: Sink) -> None:
    path = client.create(None)
    client.patch(path, 0, VIDEO[:500])
    head = client.ask("HEAD", path).headers
    assert (head["upload-defer-length"], head["upload-offset"]) == ("1", "500")
    assert "upload-length" not in head
    assert code(client.patch(path, 500, b"", Upload_Length="499")) == (400, "bad-request")
    assert client.patch(path, 500, VIDEO[500:600], Upload_Length="1024").status == 204
    assert code(client.patch(path, 600, b"", Upload_Length="1025")) == (400, "bad-request")
    assert client.patch(path, 600, VIDEO[600:], Upload_Length="1024").headers["upload-offset"] == "1024"
    assert (content_of(path), sink.types()) == (VIDEO, ["video.uploaded"])


def test_a_length_that_is_all_there_ends_the_upload_without_a_byte(client: Client, sink: Sink) -> None:
    path = client.create(None)
    client.patch(path, 0, VIDEO)
    assert sink.types() == []
    assert client.patch(path, 1024, b"", Upload_Length="1024").status == 204
    assert (content_of(path), sink.types()) == (VIDEO, ["video.uploaded"])


def test_what_came_of_a_request_that_broke_off_is_kept(client: Client) -> None:
    path = client.create(1024)
    client.patch(path, 0, [VIDEO[:10], VIDEO[10:700]], whole=False)
    assert (client.offset(path), content_of(path)) == (700, VIDEO[:700])


def test_head_says_all_that_is_known_and_is_kept_by_nobody(client: Client) -> None:
    told = metadata(filename="a.mp4", relativePath="null")
    path = client.create(1024, Upload_Metadata=told)
    head = client.ask("HEAD", path).headers
    assert (head["upload-length"], head["upload-offset"], head["upload-metadata"]) == ("1024", "0", told)
    assert head["cache-control"] == "no-store"
    assert head["upload-expires"].endswith(" GMT")
    assert "upload-concat" not in head


@pytest.mark.parametrize("offset", ["1", "99", "101", "1024", "999999999999999999"])
def test_bytes_for_another_offset_are_refused_and_nothing_changes(client: Client, offset: str) -> None:
    path = client.create(1024, VIDEO[:100])
    refused = client.patch(path, int(offset), VIDEO)
    assert code(refused) == (409, "wrong-offset")
    assert refused.headers["upload-offset"] == "100"
    assert (client.offset(path), content_of(path)) == (100, VIDEO[:100])


@pytest.mark.parametrize("said", ["", "-1", "+1", "1.0", "0x1", "٣", "1" * 19, "1 2", "x"])
def test_an_offset_or_a_length_that_is_no_number_is_refused(client: Client, said: str) -> None:
    path = client.create(10)
    assert code(client.ask("PATCH", path, b"x", Upload_Offset=said.encode().decode("latin-1")))[1] == "bad-request"
    length = client.ask("POST", "/v1/uploads", Upload_Length=said.encode().decode("latin-1"))
    assert code(length) == (400, "bad-request")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload_Length": "1", "Upload_Defer_Length": "1"},
        {"Upload_Defer_Length": "2"},
        {"Upload_Defer_Length": "0", "Upload_Length": "1"},
        {"Upload_Length": "1", "Upload_Concat": "whole"},
        {"Upload_Concat": "final;"},
        {"Upload_Concat": "final;/v1/uploads/x"},
        {"Upload_Concat": f"final;/v1/uploads/{'a' * 32} /v1/uploads/{'a' * 32}"},
        {"Upload_Length": "1", "Upload_Metadata": "filename"},
        {"Upload_Length": "1", "Upload_Metadata": "filename !"},
        {"Upload_Length": "1", "Upload_Metadata": "filename gA=="},
        {"Upload_Length": "1", "Upload_Metadata": "filename YQ==,filename YQ=="},
        {"Upload_Length": "1", "Upload_Metadata": ",filename YQ=="},
        {"Upload_Length": "1", "Upload_Checksum": "sha1"},
        {"Upload_Length": "1", "Upload_Checksum": "crc32 AAAA"},
        {"Upload_Length": "1", "Upload_Checksum": "sha1 !!"},
    ],
    ids=str,
)
def test_what_is_not_of_the_protocol_is_refused_before_anything_is_made(
    client: Client, headers: dict[str, str]
) -> None:
    answer = client.ask("POST", "/v1/uploads", b"", **headers)
    if headers == {"Upload_Length": "1", "Upload_Metadata": "filename"}:
        # A key may stand alone, for an empty value.
        assert answer.status == 201
        return
    assert code(answer) == (400, "bad-request")
    assert answer.headers["tus-resumable"] == VERSION
    assert rows.jobs_of(client.user_id) == []


@pytest.mark.parametrize(
    ("key", "value"), [("colour", "red"), ("quality", "11"), ("FILENAME", "a"), ("file name", "a")]
)
def test_an_option_that_there_is_not_is_refused_by_its_name(client: Client, key: str, value: str) -> None:
    pair = f"{key} {b64encode(value.encode()).decode()}"
    answer = client.ask("POST", "/v1/uploads", Upload_Length="1", Upload_Metadata=pair)
    assert answer.status == 400
    assert rows.jobs_of(client.user_id) == []


@pytest.mark.parametrize("version", ["", "0.2.2", "2.0.0", "1.0"])
def test_another_version_of_the_protocol_is_refused_with_the_one_that_is_known(client: Client, version: str) -> None:
    path = client.create(10)
    for answer in (
        client.ask("POST", "/v1/uploads", Upload_Length="1", Tus_Resumable=version),
        client.patch(path, 0, b"x", Tus_Resumable=version),
        client.ask("HEAD", path, Tus_Resumable=version),
        client.ask("DELETE", path, Tus_Resumable=version),
    ):
        assert (answer.status, answer.headers["tus-version"]) == (412, "1.0.0")
    assert client.offset(path) == 0


def test_bytes_of_another_kind_are_refused(client: Client) -> None:
    path = client.create(10)
    assert code(client.patch(path, 0, b"x", Content_Type="video/mp4")) == (415, "unsupported-media-type")
    refused = client.ask("POST", "/v1/uploads", b"x", Upload_Length="1", Content_Type="video/mp4")
    assert code(refused) == (415, "unsupported-media-type")


def test_more_bytes_than_were_announced_are_refused_and_what_was_there_stays(client: Client) -> None:
    path = client.create(100, VIDEO[:50])
    assert code(client.patch(path, 50, VIDEO[:51])) == (413, "too-large")
    assert (client.offset(path), content_of(path)) == (50, VIDEO[:50])


def test_an_upload_that_is_larger_than_any_may_be_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_UPLOAD_BYTES", "100")
    assert code(client.ask("POST", "/v1/uploads", Upload_Length="101")) == (413, "too-large")
    path = client.create(None, VIDEO[:60])
    assert code(client.patch(path, 60, VIDEO[:41])) == (413, "too-large")
    assert code(client.patch(path, 60, b"", Upload_Length="101")) == (413, "too-large")
    assert client.patch(path, 60, VIDEO[:40], Upload_Length="100").status == 204


def test_what_comes_of_uploads_that_announce_no_length_counts_for_the_quota(
    client: Client, monkeypatch: pytest.MonkeyPatch, store: Blobs
) -> None:
    monkeypatch.setenv("MAX_USER_BYTES", "1500")
    first, second = client.create(None, VIDEO), client.create(None, VIDEO[:400])
    answer = client.patch(second, 400, VIDEO[:100])
    assert (answer.status, json.loads(answer.body)["used"]) == (403, 1524)
    assert (client.offset(second), len(list(store.all()))) == (400, 2)
    assert client.ask("DELETE", first).status == 204
    assert client.patch(second, 400, VIDEO[:100]).status == 204


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512", "md5"])
def test_bytes_are_kept_if_their_checksum_is_right(client: Client, algorithm: str, store: Blobs) -> None:
    path = client.create(1024)
    wrong = client.patch(path, 0, VIDEO[:600], Upload_Checksum=checksum(algorithm, VIDEO[:601]))
    assert code(wrong) == (460, "checksum-mismatch")
    assert (client.offset(path), list(store.all())) == (0, [])
    assert client.patch(path, 0, VIDEO[:600], Upload_Checksum=checksum(algorithm, VIDEO[:600])).status == 204
    client.patch(path, 600, VIDEO[600:], whole=False, Upload_Checksum=checksum(algorithm, VIDEO[600:]))
    assert client.offset(path) == 600
    assert client.patch(path, 600, VIDEO[600:], Upload_Checksum=checksum(algorithm, VIDEO[600:])).status == 204
    assert content_of(path) == VIDEO


def test_an_upload_whose_first_bytes_are_refused_is_not_begun(client: Client, store: Blobs) -> None:
    wrong = {"Upload_Length": "10", "Upload_Checksum": checksum("sha1", b"y")}
    assert code(client.ask("POST", "/v1/uploads", b"x", **wrong)) == (460, "checksum-mismatch")
    assert code(client.ask("POST", "/v1/uploads", b"xyz", Upload_Length="2")) == (413, "too-large")
    assert (rows.jobs_of(client.user_id), list(store.all())) == ([], [])


def test_deleting_an_upload_takes_what_has_arrived_along(client: Client, store: Blobs) -> None:
    path = client.create(1024, VIDEO[:100])
    client.patch(path, 100, VIDEO[100:200])
    assert len(list(store.all())) == 2
    assert client.ask("DELETE", path).status == 204
    assert list(store.all()) == []
    assert code(client.patch(path, 200, b"x")) == (404, "not-found")
    assert client.ask("HEAD", path).status == 404
    assert code(client.ask("DELETE", path)) == (404, "not-found")


def test_deleting_a_complete_upload_deletes_its_job_and_its_video(client: Client, store: Blobs) -> None:
    path = client.create(1024, VIDEO)
    assert client.ask("DELETE", path).status == 204
    assert (list(store.all()), rows.read(path.rpartition("/")[2])) == ([], None)


def test_an_upload_that_nobody_went_on_with_is_gone(client: Client) -> None:
    path = client.create(1024, VIDEO[:100])
    rows.change(table, table.c.job_id == path.rpartition("/")[2], expires_at=rows.ago(1))
    assert client.ask("HEAD", path).status == 410
    assert code(client.patch(path, 100, VIDEO[100:])) == (410, "expired")


def test_parts_make_one_video_in_the_order_that_is_asked_for(client: Client, sink: Sink, store: Blobs) -> None:
    first = client.create(500, VIDEO[:300], Upload_Concat="partial")
    second = client.create(524, VIDEO[500:], Upload_Concat="partial")
    concat = f"final;http://localhost{first} {second}"
    assert code(client.ask("POST", "/v1/uploads", Upload_Concat=concat)) == (409, "wrong-state")
    client.patch(first, 300, VIDEO[300:500])
    assert sink.types() == []
    assert client.ask("HEAD", first).headers["upload-concat"] == "partial"
    told = metadata(filename="whole.mp4", bitrate="64")
    answer = client.ask("POST", "/v1/uploads", Upload_Concat=concat, Upload_Metadata=told)
    assert (answer.status, answer.headers["upload-offset"]) == (201, "1024")
    path = answer.headers["location"]
    job = rows.read(path.rpartition("/")[2])
    assert (job.state, job.filename, job.options, job.video_bytes) == ("queued", "whole.mp4", {"bitrate": 64}, 1024)
    assert (content_of(path), sink.types()) == (VIDEO, ["video.uploaded"])
    head = client.ask("HEAD", path).headers
    assert (head["upload-concat"], head["upload-length"], head["upload-offset"]) == (concat, "1024", "1024")
    assert code(client.patch(path, 1024, b"x")) == (403, "final-upload")
    # The answer was lost: whoever asks again gets the same.
    assert client.ask("POST", "/v1/uploads", Upload_Concat=concat).headers["location"] == path
    assert client.ask("HEAD", first).status == 404
    client.ask("DELETE", path)
    assert list(store.all()) == []


def test_of_two_who_put_the_same_together_at_once_both_get_it(
    client: Client, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    concat, join = f"final;{client.create(1024, VIDEO, Upload_Concat='partial')}", store.join
    first: list[str] = []

    def meanwhile(name: str, pieces: Sequence[Piece]) -> None:
        monkeypatch.setattr(store, "join", join)
        first.append(client.ask("POST", "/v1/uploads", Upload_Concat=concat).headers["location"])
        join(name, pieces)

    monkeypatch.setattr(store, "join", meanwhile)
    assert client.ask("POST", "/v1/uploads", Upload_Concat=concat).headers["location"] == first[0]
    assert len(list(store.all())) == 2


def test_what_is_joined_stays_for_hours_until_its_job_is_queued_and_goes_if_it_is_not(
    client: Client, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -1)
    concat, join = f"final;{client.create(1024, VIDEO, Upload_Concat='partial')}", store.join
    between: list[Callable[[], object]] = [files.delete_orphans]

    def stop_after(name: str, pieces: Sequence[Piece]) -> None:
        join(name, pieces)
        between[0]()

    monkeypatch.setattr(store, "join", stop_after)
    path = client.ask("POST", "/v1/uploads", Upload_Concat=concat).headers["location"]
    files.delete_orphans()
    assert content_of(path) == VIDEO
    concat = f"final;{client.create(1024, VIDEO, Upload_Concat='partial')}"

    def fail() -> None:
        raise Unavailable("the store is away")

    def forget() -> None:
        rows.change(jobs, jobs.c.reserved_bytes.is_(None), lease_until=rows.ago(1), updated_at=rows.ago(100_000))
        files.forget_unfinished()

    for stop, status in ((fail, 503), (forget, 423)):
        between[0] = stop
        assert client.ask("POST", "/v1/uploads", Upload_Concat=concat).status == status
        files.delete_orphans()
        # The video that there was before; and of this one the part, for whoever asks again.
        assert sorted(blob.name.partition("/")[0] for blob in store.all()) == ["piece", "piece", "video"]
    between[0] = files.delete_orphans
    assert content_of(client.ask("POST", "/v1/uploads", Upload_Concat=concat).headers["location"]) == VIDEO


def test_a_video_is_made_of_ones_own_parts_alone(client: Client) -> None:
    mine, other = client.create(10, VIDEO[:10], Upload_Concat="partial"), Client()
    theirs = other.create(10, VIDEO[:10], Upload_Concat="partial")
    final = client.ask("POST", "/v1/uploads", Upload_Concat=f"final;{mine} {theirs}")
    assert code(final) == (404, "not-found")
    plain = client.create(10, VIDEO[:5])
    assert code(client.ask("POST", "/v1/uploads", Upload_Concat=f"final;{mine} {plain}")) == (400, "bad-request")
    assert (client.offset(mine), other.offset(theirs)) == (10, 10)


def test_a_method_may_be_named_by_a_header(client: Client) -> None:
    path = client.create(1024)
    named = {"Upload_Offset": "0", "X_HTTP_Method_Override": "PATCH"}
    assert client.ask("POST", path, VIDEO[:10], **named).headers["upload-offset"] == "10"
    assert client.ask("POST", path, X_HTTP_Method_Override="GET").status == 405
    assert client.ask("POST", path, X_HTTP_Method_Override="DELETE").status == 204
    assert client.ask("HEAD", path).status == 404


def test_a_token_that_has_expired_costs_no_byte_that_has_arrived(client: Client) -> None:
    path = client.create(1024, VIDEO[:600])
    expired = client.patch(path, 600, VIDEO[600:], Authorization=f"Bearer {client.token(-60)}")
    assert code(expired) == (401, "unauthenticated")
    assert (client.offset(path), content_of(path)) == (600, VIDEO[:600])
    assert client.patch(path, 600, VIDEO[600:]).status == 204
    assert content_of(path) == VIDEO


def test_somebody_elses_upload_is_not_there(client: Client) -> None:
    path, other = client.create(1024, VIDEO[:10]), Client()
    assert other.ask("HEAD", path).status == 404
    assert code(other.patch(path, 10, VIDEO[10:])) == (404, "not-found")
    assert code(other.ask("DELETE", path)) == (404, "not-found")
    assert (client.offset(path), content_of(path)) == (10, VIDEO[:10])


def test_a_request_that_lasts_is_answered_with_what_has_come(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.upload.receiving.ANSWERED_WITHIN", 0)
    path = client.create(1024)
    answer = client.patch(path, 0, [VIDEO[:400], VIDEO[400:]])
    assert (answer.status, answer.headers["upload-offset"]) == (204, "400")
    assert code(client.patch(path, 400, [VIDEO[400:500], b"x"], Upload_Checksum=checksum("sha1", b"x"))) == (
        *(408, "too-slow"),
    )
    assert content_of(path) == VIDEO[:400]


def test_long_uploads_come_in_many_pieces(client: Client, store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.upload.arrival.PIECE_SECONDS", 0)
    monkeypatch.setattr("functions.upload.arrival.LONGER_SECONDS", 0)
    monkeypatch.setattr("functions.upload.stream.CHORES_A_SECOND", 1_000_000)
    monkeypatch.setattr("functions.upload.stream.MIN_BATCH_BYTES", 100)
    monkeypatch.setattr("functions.upload.stream.MAX_BATCH_BYTES", 100)
    path = client.create(1024)
    client.patch(path, 0, [VIDEO[start : start + 64] for start in range(0, 1024, 64)])
    assert len(uploads.pieces_of(path.rpartition("/")[2])) > 5
    assert content_of(path) == VIDEO


def test_an_upload_in_too_many_pieces_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.upload.uploads.MAX_PIECES", 2)
    path = client.create(1024, VIDEO[:1])
    client.patch(path, 1, VIDEO[1:2])
    assert code(client.patch(path, 2, VIDEO[2:])) == (413, "too-large")


def test_whoever_dies_before_the_job_is_queued_leaves_it_to_the_next_who_asks(
    client: Client, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = client.create(1024, VIDEO[:1000])
    job_id = path.rpartition("/")[2]
    # As if the last piece had been recorded, and nothing after that.
    with monkeypatch.context() as patch:
        patch.setattr("functions.upload.arrival.Arrival._is_last", lambda *_: False)
        client.patch(path, 1000, VIDEO[1000:])
    assert rows.read(job_id).state == "receiving"
    assert client.offset(path) == 1024
    assert (rows.read(job_id).state, sink.types(), content_of(path)) == ("queued", ["video.uploaded"], VIDEO)


def test_the_problems_that_are_told_are_those_of_the_protocol() -> None:
    statuses = {"wrong-offset": 409, "upload-taken-over": 423, "checksum-mismatch": 460, "tus-version": 412}
    assert {each: PROBLEMS[each].status for each in statuses} == statuses


def code(answer: Answered) -> tuple[int, Any]:
    assert answer.body, answer
    return answer.status, json.loads(answer.body)["code"]


def checksum(algorithm: str, data: bytes) -> str:
    return f"{algorithm} {b64encode(hashlib.new(algorithm, data).digest()).decode()}"
