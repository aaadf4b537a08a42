"""functions/sweep/backup.py: what is brought back into empty stores goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from functions.shared import blobs, database, unwanted
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.tables import chores, jobs, metadata, outbox
from functions.sweep import backup, main
from tests import asgi, media
from tests.chaos.dying import event
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables")

MP3 = Audio(5, "cd" * 32, 1.0)


def test_what_was_in_flight_ends_after_a_restore_and_what_was_done_is_there(
    store: Blobs, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, done = queued(store, media.make(tmp_path / "audio-only.ogg").read_bytes()), finished(store)
    assert claims.claim(at_work)
    before = everything()

    assert backup.back_up(tmp_path / "backup") == (sum(map(len, before.values())), 2)
    lose_all(tmp_path, monkeypatch)
    backup.restore(tmp_path / "backup")

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


def lose_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty tables, and another, empty, store."""
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    monkeypatch.setenv("BLOBS_URL", f"file:{tmp_path / 'others'}")
    blobs.store.cache_clear()


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
