"""functions/download/export.py: all of an account, and nothing of another."""

from __future__ import annotations

import io
import json
from zipfile import ZipFile

import pytest
from starlette.requests import Request

from functions.download import export, main
from functions.shared import database
from functions.shared.blobs import Blobs
from functions.shared.jobs import names
from functions.shared.problems import Problem
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import metadata, now, refresh_tokens, users
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store")


def zip_of(user: str) -> ZipFile:
    return ZipFile(io.BytesIO(b"".join(export.pieces(user))))


def lines(found: ZipFile, table: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in found.read(f"{table}.ndjson").splitlines()]


def stored(store: Blobs, name: str, data: bytes) -> str:
    with store.writing(name) as writer:
        writer.write(data)
    return name


def converted(store: Blobs, owner: str, filename: str = "talk.mp4", **values: object) -> str:
    """A job that is done, with its files."""
    job = rows.job("done", owner=owner, filename=filename, fencing_token=1, **values)
    video, audio = stored(store, names.video(job, 0), b"video" + job.encode()), names.audio(job, 1)
    stored(store, audio, b"audio" + job.encode())
    rows.change(jobs_table, jobs_table.c.id == job, video=video, audio=audio)
    rows.event(job)
    return job


def signed_in(user: str) -> None:
    values = {"digest": "d" * 64, "user_id": user, "family": "f" * 32, "expires_at": rows.ago(-60), "issued_at": now()}
    with database.transaction() as connection:
        connection.execute(refresh_tokens.insert().values(**values))


def test_it_has_all_rows_and_files_of_the_account_and_of_nobody_else(store: Blobs) -> None:
    anna, eve = rows.user("anna@example.com"), rows.user("eve@example.com")
    mine, hers = converted(store, anna), converted(store, eve)
    signed_in(anna)
    found = zip_of(anna)
    assert found.testzip() is None
    assert [each["email"] for each in lines(found, "users")] == ["anna@example.com"]
    assert [each["id"] for each in lines(found, "jobs")] == [mine]
    assert [each["job_id"] for each in lines(found, "job_events")] == [mine]
    assert [each["family"] for each in lines(found, "refresh_tokens")] == ["f" * 32]
    assert found.read(f"files/{mine}.video") == b"video" + mine.encode()
    assert found.read(f"files/{mine}.mp3") == b"audio" + mine.encode()
    assert hers not in str(found.namelist())


def test_what_lets_somebody_in_is_not_in_it(store: Blobs) -> None:
    anna = rows.user()
    signed_in(anna)
    assert not {"digest", "password_hash"} & {
        name for each in ("users", "refresh_tokens") for line in lines(zip_of(anna), each) for name in line
    }


def test_every_table_that_is_about_accounts_is_exported_or_left_out_for_a_reason() -> None:
    about = {name for name, table in metadata.tables.items() if {"user_id", "job_id"} & set(table.columns.keys())}
    # Dead letters are what an operator looks into, and healed ones are forgotten.
    assert about - {"dead_letters"} | {"users", "jobs"} == {
        *(table.name for table in export.exported("")),
        *export.LEFT_OUT,
    }


def test_no_column_of_an_exported_table_looks_like_a_secret_and_is_shown() -> None:
    shown = {column.name for table in export.exported("") for column in table.columns} - export.SECRETS
    assert [name for name in shown if any(word in name for word in ("hash", "digest", "secret", "password"))] == []


@pytest.mark.parametrize("filename", ["../../etc/passwd", "/etc/passwd", "C:\\x.mp4", "x" * 255, "a/../b.mp4"])
def test_no_file_name_leads_out_of_it(store: Blobs, filename: str) -> None:
    anna = rows.user()
    job = converted(store, anna, filename)
    found = zip_of(anna)
    assert {name.partition(".")[0] for name in found.namelist() if "/" in name} == {f"files/{job}"}
    assert lines(found, "jobs")[0]["filename"] == filename


def test_split_chapters_are_a_zip(store: Blobs) -> None:
    anna = rows.user()
    job = converted(store, anna, options={"chapters": "split"})
    assert f"files/{job}.zip" in zip_of(anna).namelist()


def test_a_file_that_is_gone_is_left_out(store: Blobs) -> None:
    anna = rows.user()
    job = converted(store, anna)
    store.delete(names.audio(job, 1))
    assert [name for name in zip_of(anna).namelist() if "/" in name] == [f"files/{job}.video"]


def test_more_rows_than_a_batch_are_all_there(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.download.export.BATCH", 3)
    anna = rows.user()
    expected = sorted(rows.job("failed", owner=anna) for _ in range(10))
    assert [each["id"] for each in lines(zip_of(anna), "jobs")] == expected


def test_a_large_file_goes_through_in_pieces(store: Blobs) -> None:
    anna = rows.user()
    job = converted(store, anna)
    size = 40 * 1024 * 1024
    store.delete(names.audio(job, 1))
    stored(store, names.audio(job, 1), b"\0" * size)
    largest = max(map(len, export.pieces(anna)))
    assert largest < size / 4


def test_an_account_that_is_gone_or_going_has_no_export() -> None:
    going = rows.user()
    rows.change(users, users.c.id == going, deleted_at=now())
    for user in (going, "0" * 32):
        with pytest.raises(Problem) as caught:
            export.check(user)
        assert caught.value.code == "unauthenticated"


def test_whoever_asks_for_the_head_alone_is_told_no_length() -> None:
    """Nobody knows it before the end."""
    answer = main.export_account(Request({"type": "http", "method": "HEAD", "headers": []}), rows.user())
    assert (answer.status_code, "content-length" in answer.headers) == (200, False)
