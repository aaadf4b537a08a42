"""functions/sweep/backup.py: what is brought back into empty stores goes on where it was."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
import sqlalchemy as sa

from functions.shared import blobs, database, unwanted
from functions.shared.blobs import Blobs, Piece
from functions.shared.jobs import claims, names, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.tables import chores, jobs, metadata, outbox
from functions.sweep import backup, main
from tests import asgi, media
from tests.chaos.dying import event
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables")

Use: TypeAlias = Callable[[str], Blobs]
MP3 = Audio(5, "cd" * 32, 1.0)


@pytest.fixture(params=["directory", "GridFS"])
def stores(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Says which store the functions find by BLOBS_URL, and gives it; it is empty."""

    def use(name: str) -> Blobs:
        server = request.getfixturevalue("mongo").url.rpartition("/")[0] if request.param == "GridFS" else ""
        monkeypatch.setenv("BLOBS_URL", f"{server}/{uuid.uuid4().hex}" if server else f"file:{tmp_path / name}")
        blobs.store.cache_clear()
        if request.param == "GridFS":
            request.addfinalizer(blobs.store().close)
        return blobs.store()

    yield use
    blobs.store.cache_clear()


def test_what_was_in_flight_ends_after_a_restore_and_what_was_done_is_there(
    stores: Use, sink: Sink, tmp_path: Path
) -> None:
    store, sound = stores("before"), media.make(tmp_path / "audio-only.ogg").read_bytes()
    at_work, done, resumable = queued(store, sound), finished(store), in_pieces(store, sound)
    assert claims.claim(at_work)
    before, files = everything(), contents(store)

    assert backup.back_up(tmp_path / "backup") == (sum(map(len, before.values())), len(files))
    lose_rows()
    store = stores("after")
    assert contents(store) == {}
    backup.restore(tmp_path / "backup")
    assert contents(store) == files

    sent = [outbox.c.sent_at, outbox.c.settled_at]
    assert {name: len(found) for name, found in everything().items()} == {n: len(found) for n, found in before.items()}
    assert all(everything()[name] == before[name] for name in before if name != "outbox")
    assert read(rows.read(done).audio) == b"audio"
    assert query(*sent)
    assert all(row.sent_at is None for row in query(*sent) if row.settled_at is None)

    rows.change(jobs, jobs.c.id == at_work, lease_until=rows.ago(1))
    rows.change(outbox, outbox.c.job_id == at_work, created_at=rows.ago(60))
    main.tick()
    assert [each.subject for each in sink.received if each.type.endswith("uploaded.v1")] == [at_work]
    headers, body = event(rows.messages(at_work)[0].event_id)
    assert asgi.call(asgi.app_of("convert"), "POST", "/", headers, body).status == 204
    assert rows.read(at_work).state == "done"
    headers, body = event(rows.messages(resumable)[0].event_id)
    assert asgi.call(asgi.app_of("convert"), "POST", "/", headers, body).status == 204
    assert rows.read(resumable).state == "done"


def test_while_files_are_kept_none_is_deleted_and_afterwards_they_are(store: Blobs) -> None:
    job = queued(store, b"video")
    claim = claims.claim(job)
    assert claim
    with unwanted.kept() as keep:
        write(store, claim.audio, b"audio")
        transitions.finish(claim, MP3)
        unwanted.delete_of(job)
        keep()
        assert unwanted.delete_some() == 0
        assert read(claim.video) == b"video"
    unwanted.delete_some()
    assert {blob.name for blob in store.all()} == {claim.audio}


def test_nobody_who_died_keeps_files_for_ever(store: Blobs) -> None:
    job = queued(store, b"video")
    unwanted._keep()
    transitions.cancel(job)
    with database.transaction() as connection:
        unwanted.note(connection, [f"video/{job}.0"])
    assert unwanted.delete_some() == 0
    rows.change(chores, chores.c.name.is_not(None), begun_at=rows.ago(700))
    assert unwanted.delete_some() == 1


def test_nothing_is_written_over(store: Blobs, tmp_path: Path) -> None:
    queued(store, b"video")
    backup.back_up(tmp_path / "backup")
    with pytest.raises(backup.NotEmpty):
        backup.back_up(tmp_path / "backup")
    with pytest.raises(backup.NotEmpty):
        backup.restore(tmp_path / "backup")
    (tmp_path / "backup" / "revision").write_text("0001")
    with pytest.raises(backup.NotEmpty, match="0001"):
        backup.restore(tmp_path / "backup")


def lose_rows() -> None:
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


def contents(store: Blobs) -> dict[str, bytes]:
    """All files, by their names."""
    return {blob.name: b"".join(store.read(blob.name, 0, store.size(blob.name))) for blob in store.all()}


def everything() -> dict[str, list[sa.Row[tuple[object, ...]]]]:
    """All rows, of each table in the order of its key."""
    kept = [table for table in metadata.sorted_tables if table.name != "chores"]
    with database.reading() as connection:
        return {each.name: list(connection.execute(each.select().order_by(*each.primary_key))) for each in kept}


def query(*columns: sa.ColumnElement[object]) -> list[sa.Row[tuple[object, ...]]]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(*columns)))


def queued(store: Blobs, video: bytes) -> str:
    job = rows.job("receiving")
    claim = claims.claim_upload(job)
    write(store, claim.video, video)
    transitions.queue(claim, "sound.ogg", {}, len(video))
    return job


def in_pieces(store: Blobs, video: bytes) -> str:
    """A queued job whose video came in two pieces, of which it is joined."""
    job = rows.job("receiving")
    claim = claims.claim_upload(job)
    pieces = [
        Piece(names.piece(job, 1, start), len(video[start : start + 9000])) for start in range(0, len(video), 9000)
    ]
    for at, piece in enumerate(pieces):
        write(store, piece.name, video[at * 9000 :][:9000])
    store.join(claim.video, pieces)
    transitions.queue(claim, "sound.ogg", {}, len(video))
    return job


def finished(store: Blobs) -> str:
    job = queued(store, b"video")
    claim = claims.claim(job)
    assert claim
    write(store, claim.audio, b"audio")
    transitions.finish(claim, MP3)
    unwanted.delete_of(job)
    return job


def write(store: Blobs, name: str, data: bytes) -> None:
    with store.writing(name) as writer:
        writer.write(data)


def read(name: str) -> bytes:
    return b"".join(blobs.store().read(name, 0, blobs.store().size(name)))
