"""functions/download/archives.py and functions/shared/zips.py: many MP3s in one zip, which is made while it is sent."""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import StreamingResponse

from functions.download import archives, links
from functions.shared import audit, suspension, tokens
from functions.shared.blobs import Blobs
from functions.shared.jobs.states import State
from functions.shared.problems import Problem
from functions.shared.tables import archives as table
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import now
from functions.shared.zips import ZipStream, length
from functions.sweep import retention
from tests.unit import rows

HOSTILE = ["../../etc/passwd", "a\\b:c*.mp4", "\u202efdp.mp4", "CON.mp4", ".mp4", "x" * 255, "ö" * 255, "🎧.mkv"]


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=99)), max_size=9), st.sampled_from([50, 2**31 - 1]))
def test_the_length_is_known_before_it_is_made(files: list[tuple[str, bytes]], limit: int) -> None:
    """Also where sizes and places take 64 bits, and where there are too many files for 16."""
    files = [(f"{at}{name.encode(errors='ignore').decode()}", data) for at, (name, data) in enumerate(files)]
    files = [(name.replace("\0", ""), data) for name, data in files]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", limit)
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 4 if limit == 50 else 65535)
        zipped = ZipStream()
        made = b"".join(piece for name, data in files for piece in zipped.add(name, now(), [data[:5], data[5:]]))
        made += b"".join(zipped.end())
        assert len(made) == length((name.partition("\0")[0], len(data)) for name, data in files)
    with zipfile.ZipFile(BytesIO(made)) as read:
        assert read.testzip() is None
        assert [read.read(each) for each in read.infolist()] == [data for _, data in files]


pytestmark = pytest.mark.usefixtures("tables", "secrets")


def test_every_mp3_is_in_it_once_under_a_name_of_its_own_that_leads_nowhere(store: Blobs) -> None:
    user = rows.user()
    jobs = [done(store, user, name) for name in (*HOSTILE, "talk.mp4", "TALK.mkv", "talk.mp4")]
    split = done(store, user, "book.mp4", audio_type="application/zip")
    nothing, hers = rows.job(State.FAILED, owner=user), done(store, rows.user(), "hers.mp4")
    made = archives.create(user, [*jobs, jobs[0], split, nothing, hers])
    answer = opened(made.url)
    content = body_of(answer)
    assert (made.files, made.size_bytes) == (len(jobs) + 1, len(content))
    assert answer.headers["Content-Length"] == str(len(content))
    with zipfile.ZipFile(BytesIO(content)) as read:
        assert [read.read(each) for each in read.namelist()] == [each.encode() for each in (*jobs, split)]
        names = read.namelist()
    assert names[-4:] == ["talk.mp3", "TALK (2).mp3", "talk (3).mp3", "book.zip"]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(len(name.encode()) <= 255 and not set('/\\\\:*?"<>|\u202e') & set(name) for name in names)
    assert "CON.mp3" not in names


def test_it_has_what_there_is_when_it_is_fetched(store: Blobs) -> None:
    user = rows.user()
    jobs = [done(store, user, f"{number}.mp4") for number in range(2)]
    link = archives.create(user, jobs).url
    rows.change(jobs_table, jobs_table.c.id == jobs[0], state=State.EXPIRED)
    content = body_of(opened(link))
    assert zipfile.ZipFile(BytesIO(content)).namelist() == ["1.mp3"]
    rows.change(jobs_table, jobs_table.c.id == jobs[1], state=State.EXPIRED)
    assert refused(link) == "not-found"
    with pytest.raises(Problem, match="None of these"):
        archives.create(user, jobs)


def test_a_file_that_is_deleted_while_it_is_sent_breaks_it_off(store: Blobs) -> None:
    user = rows.user()
    link = archives.create(user, [done(store, user, "x.mp4")]).url
    (blob,) = store.all()
    store.delete(blob.name)
    with pytest.raises(Problem):
        body_of(opened(link))


def test_a_link_ends_with_its_time_and_with_the_account_and_stands_in_for_no_other(store: Blobs) -> None:
    user = rows.user()
    job = done(store, user, "x.mp4")
    link = archives.create(user, [job]).url
    row_id = tokens.archived(link.rpartition("/")[2])
    assert refused(tokens.archive(row_id, rows.ago(1).timestamp())) == "link-over"
    assert refused(tokens.link(tokens.Link(row_id), rows.ago(-60).timestamp())) == "not-found"
    with pytest.raises(Problem):
        tokens.linked(link.rpartition("/")[2])
    suspension.suspend(user, audit.COMMAND_LINE)
    assert refused(link) == "link-over"


def test_who_revokes_all_links_of_a_job_revokes_those_to_zips_with_it(store: Blobs) -> None:
    user = rows.user()
    first, second = (done(store, user, f"{number}.mp4") for number in range(2))
    both, other = archives.create(user, [first, second]).url, archives.create(user, [second]).url
    links.revoke_all(first)
    assert refused(both) == "link-over"
    assert body_of(opened(other))


def test_of_one_account_the_newest_links_are_good_and_rows_of_old_ones_go(store: Blobs) -> None:
    user = rows.user()
    job = done(store, user, "x.mp4")
    urls = [archives.create(user, [job]).url for _ in range(archives.MAX_ARCHIVES + 1)]
    assert refused(urls[0]) == "link-over"
    assert body_of(opened(urls[1]))
    rows.change(table, table.c.user_id == user, expires_at=rows.ago(1))
    retention.forget()
    assert refused(urls[-1]) == "link-over"


def done(store: Blobs, user: str, name: str, **values: Any) -> str:
    """A job with an MP3, whose bytes are its id."""
    job = rows.job(State.DONE, owner=user, filename=name)
    with store.writing(f"audio/{job}.1") as writer:
        writer.write(job.encode())
    known = {
        "audio": f"audio/{job}.1",
        "audio_bytes": len(job),
        "audio_sha256": hashlib.sha256(job.encode()).hexdigest(),
    }
    rows.change(jobs_table, jobs_table.c.id == job, **{**known, **values})
    return job


def opened(link: str) -> Any:
    return archives.respond(Request({"type": "http", "method": "GET", "headers": []}), link.rpartition("/")[2])


def refused(link: str) -> str:
    with pytest.raises(Problem) as caught:
        opened(link)
    return caught.value.code


def body_of(response: StreamingResponse) -> bytes:
    async def read() -> bytes:
        return b"".join([bytes(piece) async for piece in response.body_iterator])  # type: ignore[arg-type]

    return asyncio.run(read())
