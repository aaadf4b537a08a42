"""functions/upload/arrival.py: several requests of one upload, in any order, at any offset, cut off anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared import audit
from functions.shared.blobs import Blobs
from functions.shared.jobs import deletion, names
from functions.shared.jobs.claims import ClaimLost
from functions.shared.problems import Problem
from functions.shared.tables import jobs
from functions.sweep import files
from functions.upload import uploads
from functions.upload.arrival import Arrival
from functions.upload.uploads import Upload
from tests.unit import rows
from tests.unit.sink import Sink
from tests.unit.tus_client import Client, content_of

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")

VIDEO = bytes(range(256)) * 2


def begin(size: int | None = len(VIDEO)) -> tuple[str, str]:
    """A new upload. Returns: its owner, and its id."""
    owner, upload_id = rows.user(), uploads.new_id()
    uploads.create(owner, "a.mp4", {}, Upload(upload_id, size, 0))
    return owner, upload_id


def test_of_two_requests_for_one_offset_the_later_one_wins_and_no_byte_is_wrong(store: Blobs) -> None:
    owner, upload_id = begin()
    first = Arrival(owner, uploads.take(owner, upload_id, 0))
    first.write([b"wrong" * 20])
    second = Arrival(owner, uploads.take(owner, upload_id, 0))
    second.write([VIDEO[:300]])
    with pytest.raises(ClaimLost):
        first.end()
    second.end()
    third = Arrival(owner, uploads.take(owner, upload_id, 300))
    with pytest.raises(Problem, match="goes on at 300"):
        uploads.take(owner, upload_id, 0)
    third.write([VIDEO[300:]])
    third.end()
    assert content_of(upload_id) == VIDEO
    assert sorted(blob.size_bytes for blob in store.all()) == [212, 300, 512]


@pytest.mark.parametrize("recorded", [0, 100, len(VIDEO)])
def test_a_request_that_was_taken_over_cannot_end_the_upload(store: Blobs, recorded: int) -> None:
    owner, upload_id = begin()
    first = Arrival(owner, uploads.take(owner, upload_id, 0))
    first.write([b"w" * len(VIDEO)])
    second = Arrival(owner, uploads.take(owner, upload_id, 0))
    if recorded:
        second.write([VIDEO[:recorded]])
        second.end()
    before = set(store.all())
    with pytest.raises(ClaimLost):
        first.end()
    assert set(store.all()) == before
    assert len(rows.messages(upload_id)) == (recorded == len(VIDEO))
    if recorded < len(VIDEO):
        rest = Arrival(owner, uploads.take(owner, upload_id, recorded))
        rest.write([VIDEO[recorded:]])
        rest.end()
    assert (content_of(upload_id), len(rows.messages(upload_id))) == (VIDEO, 1)


def test_a_request_whose_upload_is_deleted_meanwhile_leaves_nothing(store: Blobs) -> None:
    owner, upload_id = begin()
    arrived = Arrival(owner, uploads.take(owner, upload_id, 0))
    arrived.write([VIDEO[:100]])
    deletion.delete(rows.read(upload_id), audit.SWEEP)
    with pytest.raises(ClaimLost):
        arrived.end()
    assert list(store.all()) == []


def test_what_nobody_goes_on_with_is_swept_with_its_pieces(store: Blobs) -> None:
    owner, upload_id = begin()
    _, other = begin()
    for part in (VIDEO[:100], VIDEO[100:250]):
        arrived = Arrival(owner, uploads.take(owner, upload_id, None))
        arrived.write([part])
        arrived.end()
    files.forget_unfinished()
    assert len(list(store.all())) == 2
    rows.change(jobs, jobs.c.id == upload_id, lease_until=rows.ago(1), updated_at=rows.ago(100_000))
    files.forget_unfinished()
    files.delete_unwanted()
    assert (list(store.all()), rows.read(upload_id), rows.read(other).state) == ([], None, "receiving")


def test_sweep_deletes_pieces_of_nobody_and_no_others(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -1)
    owner, upload_id = begin()
    # As if a process had died between the piece and its row.
    with store.writing(names.piece(upload_id, uploads.take(owner, upload_id, 0).claim.token, 0)) as writer:
        writer.write(b"w" * 50)
    arrived = Arrival(owner, uploads.take(owner, upload_id, 0))
    arrived.write([VIDEO[:100]])
    arrived.end()
    # And as if another had died between the joining and the row.
    store.join(f"video/{upload_id}.1", uploads.pieces_of(upload_id))
    files.delete_orphans()
    assert content_of(upload_id) == VIDEO[:100]
    assert len(list(store.all())) == 1
    rest = Arrival(owner, uploads.take(owner, upload_id, 100))
    rest.write([VIDEO[100:]])
    rest.end()
    files.delete_orphans()
    assert content_of(upload_id) == VIDEO


def test_a_piece_that_is_written_down_hours_after_it_was_stored_is_still_there(
    store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -1)
    owner, upload_id = begin()
    record, finish = uploads.record, uploads.finish

    def late(write_down: Callable[..., Any]) -> Callable[..., Any]:
        def write_down_late(*args: Any) -> Any:
            # As if the process had been stopped for hours in between.
            files.delete_orphans()
            return write_down(*args)

        return write_down_late

    monkeypatch.setattr(uploads, "record", late(record))
    monkeypatch.setattr(uploads, "finish", late(finish))
    for start, end in ((0, 100), (100, len(VIDEO))):
        arrived = Arrival(owner, uploads.take(owner, upload_id, start))
        arrived.write([VIDEO[start:end]])
        arrived.end()
    files.delete_orphans()
    assert content_of(upload_id) == VIDEO


requests = st.lists(
    st.tuples(
        st.sampled_from(["right", "right", "right", "early", "late"]),
        st.integers(0, 200),
        st.lists(st.integers(1, 90), max_size=4),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sequence=requests, deferred=st.booleans())
def test_whatever_is_sent_in_whatever_order_what_arrives_is_the_video(
    sink: Sink, sequence: list[tuple[str, int, list[int], bool]], deferred: bool
) -> None:
    """The model of an upload is its offset: what HEAD says and what there is agree with it after each request."""
    client = Client()
    path, reached = client.create(None if deferred else len(VIDEO)), 0
    for where, distance, sizes, whole in sequence:
        offset = {"right": reached, "early": max(0, reached - distance), "late": reached + distance}[where]
        pieces, at = [], offset
        for size in sizes:
            pieces.append(VIDEO[at : at + size])
            at += len(pieces[-1])
        answer = client.patch(path, offset, pieces, whole=whole)
        if offset == reached:
            reached = at
        assert answer.status in (204, 409)
        assert client.offset(path) == reached
        assert content_of(path) == VIDEO[:reached]
    client.patch(path, reached, VIDEO[reached:], Upload_Length=str(len(VIDEO)))
    assert (client.offset(path), content_of(path)) == (len(VIDEO), VIDEO)
    assert len(rows.messages(path.rpartition("/")[2])) == 1
