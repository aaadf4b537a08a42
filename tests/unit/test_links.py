"""functions/download/links.py and shared/link_pages.py: links that end, and what is said of those that have."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.requests import Request

from functions.download import links, listing
from functions.download.link_shapes import NewLink
from functions.shared import audit, link_pages, tokens
from functions.shared.jobs import deletion
from functions.shared.jobs.states import State
from functions.shared.problems import MARK, PROBLEMS, Problem
from functions.shared.tables import jobs as table
from functions.shared.tables import links as made_links
from functions.shared.tables import now
from functions.sweep import retention
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")


@pytest.fixture
def user() -> str:
    return rows.user()


@pytest.fixture
def job(user: str) -> str:
    """A job that is done, whose file is there for an hour."""
    return rows.job(State.DONE, owner=user, audio="audio/x.1", audio_bytes=10, audio_sha256="ab" * 32)


def make(user: str, job: str, seconds: float | None = None) -> tuple[str, str]:
    """A link that ends in so many seconds. Returns: its id, and what it ends with."""
    until = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
    link = links.create(user, job, NewLink(until))
    return link.id, link.url.rpartition("/")[2]


def refused(signed: str) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        links.job_behind(signed)
    return caught.value.status, caught.value.code


def test_a_link_opens_its_job_and_no_other(user: str, job: str) -> None:
    rows.job(State.DONE, owner=user, audio="audio/x.1")
    assert links.job_behind(make(user, job)[1]).id == job


def test_it_ends_when_it_was_said_to_and_with_the_file_at_the_latest(user: str, job: str) -> None:
    file_ends = rows.read(job).expires_at
    soon, late, unsaid = (links.create(user, job, NewLink(until)) for until in (rows.ago(-60), rows.ago(-9999), None))
    assert soon.expires_at < late.expires_at == unsaid.expires_at
    assert abs(datetime.fromisoformat(late.expires_at) - file_ends) < timedelta(seconds=1)
    rows.change(made_links, made_links.c.id == soon.id, expires_at=rows.ago(1))
    assert [link.id for link in links.every(user, job).items if link.id == soon.id] == []


def test_one_whose_time_is_over_says_so(job: str) -> None:
    assert refused(tokens.link(tokens.Link(job, "a" * 32), rows.ago(1).timestamp())) == (410, "link-over")


def test_a_revoked_link_is_over_and_no_other_is(user: str, job: str) -> None:
    one, signed = make(user, job)
    _, other = make(user, job)
    links.revoke(job, one)
    assert refused(signed) == (410, "link-over")
    assert links.job_behind(other).id == job
    assert links.job_behind(of_view(job)).id == job
    with pytest.raises(Problem) as caught:
        links.revoke(job, one)
    assert caught.value.status == 404


def test_all_are_revoked_at_once_those_in_mails_too(user: str, job: str) -> None:
    before = [make(user, job)[1], of_view(job), tokens.link(tokens.Link(job), rows.ago(-60).timestamp())]
    links.revoke_all(job)
    assert [refused(signed) for signed in before] == [(410, "link-over")] * 3
    assert links.every(user, job).items == []
    again = [make(user, job)[1], of_view(job)]
    assert [links.job_behind(signed).id for signed in again] == [job] * 2
    links.revoke_all(job)
    assert [refused(signed) for signed in (*before, *again)] == [(410, "link-over")] * 5


def test_a_link_is_revoked_by_its_own_job_alone(user: str, job: str) -> None:
    link_id, signed = make(user, job)
    with pytest.raises(Problem):
        links.revoke(rows.job(State.DONE, owner=user, audio="audio/x.1"), link_id)
    assert links.job_behind(signed).id == job


def test_a_row_of_another_job_makes_no_link_good(user: str, job: str) -> None:
    """As if what signs had been made to sign it."""
    link_id, _ = make(user, job)
    other = rows.job(State.DONE, audio="audio/x.1")
    assert refused(tokens.link(tokens.Link(other, link_id), rows.ago(-60).timestamp())) == (410, "link-over")


@pytest.mark.parametrize(
    "change",
    [
        lambda signed: signed[:-2] + ("AA" if signed[-2:] != "AA" else "BB"),
        lambda signed: signed[:-1],
        lambda signed: signed[1:],
        lambda signed: ".".join([*signed.split(".")[:2], ""]),
        lambda signed: signed.replace(".", ""),
        lambda signed: "x",
    ],
)
def test_one_that_is_altered_is_none(user: str, job: str, change: Any) -> None:
    assert refused(change(make(user, job)[1])) == (404, "not-found")


def test_of_a_deleted_job_it_is_not_found(user: str, job: str) -> None:
    _, signed = make(user, job)
    deletion.delete(rows.read(job), audit.SWEEP)
    assert refused(signed) == (404, "not-found")


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.QUEUED, "wrong-state"), (State.FAILED, "wrong-state"), (State.EXPIRED, "expired")],
)
def test_where_there_is_no_file_there_is_no_link(user: str, state: State, code: str) -> None:
    with pytest.raises(Problem) as caught:
        links.create(user, rows.job(state, owner=user), NewLink())
    assert caught.value.code == code


def test_nobody_makes_or_sees_links_of_anothers_job(job: str) -> None:
    stranger = rows.user()
    for act in (lambda: links.create(stranger, job, NewLink()), lambda: links.every(stranger, job)):
        with pytest.raises(Problem) as caught:
            act()
        assert caught.value.code == "not-found"


@pytest.mark.parametrize("until", [datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_an_end_that_is_over_or_beyond_all_time_is_refused(until: datetime) -> None:
    with pytest.raises(Problem) as caught:
        NewLink(until)
    assert caught.value.code == "bad-request"


def test_however_many_make_links_at_once_a_job_has_so_many(
    user: str, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.download.links.MAX_LINKS", 5)
    ready = threading.Barrier(8)

    def attempt(_: int) -> str:
        ready.wait()
        try:
            return make(user, job)[0]
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(attempt, range(8)))
    assert made.count("too-many-links") == 3
    assert len(links.every(user, job).items) == 5
    links.revoke(job, next(each for each in made if each != "too-many-links"))
    assert make(user, job)


def test_links_that_are_over_make_room_and_are_swept(user: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.download.links.MAX_LINKS", 1)
    make(user, job)
    rows.change(made_links, made_links.c.job_id == job, expires_at=rows.ago(1))
    _, kept = make(user, job)
    other = rows.job(State.DONE, owner=user, audio="audio/x.1")
    make(user, other)
    rows.change(made_links, made_links.c.job_id == other, expires_at=rows.ago(1))
    retention.forget()
    assert links.job_behind(kept).id == job
    rows.change(made_links, made_links.c.job_id == other, expires_at=now() + timedelta(hours=1))
    assert links.every(user, other).items == []


def test_a_row_of_the_release_before_is_of_the_first_generation(job: str) -> None:
    rows.change(table, table.c.id == job, links_generation=None)
    signed = of_view(job)
    assert links.job_behind(signed).id == job
    links.revoke_all(job)
    assert refused(signed) == (410, "link-over")


BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "text/html",
    "application/json;q=0.1, TEXT/HTML;charset=utf-8",
]
PROGRAMS = [
    "",
    "*/*",
    "application/json",
    "audio/mpeg",
    "text/*",
    "text/html;q=0",
    "text/html;q=0.0, */*",
    "text/htmlx",
]


@pytest.mark.parametrize("accept", BROWSERS)
def test_a_browser_is_told_by_a_page(accept: str) -> None:
    problem = Problem("link-over", "<b>Gone</b>", {"Content-Type": "x", "Retry-After": "3"})
    page = link_pages.told(asking(accept), problem)
    assert (page.status_code, page.headers["Retry-After"], page.headers[MARK]) == (410, "3", "link-over")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Accept" in page.headers["Vary"]
    read = Reader()
    read.feed(bytes(page.body).decode())
    assert {"<b>Gone</b>", PROBLEMS["link-over"].title, PROBLEMS["link-over"].advice} <= set(read.texts)
    assert not {"script", "b"} & set(read.tags)


def test_a_browser_is_told_in_german_what_there_is_german_for() -> None:
    headers = [(b"accept", b"text/html"), (b"accept-language", b"de-AT,de;q=0.9,en;q=0.1")]
    asking_in_german = Request({"type": "http", "headers": headers})
    page = bytes(link_pages.told(asking_in_german, Problem("link-over", "Gone.")).body).decode()
    assert '<html lang="de">' in page
    assert "<h1>Dieser Link gilt nicht mehr</h1>" in page
    page = bytes(link_pages.told(asking_in_german, Problem("internal", "Oh.")).body).decode()
    assert '<html lang="en">' in page


@pytest.mark.parametrize("accept", PROGRAMS)
def test_a_program_is_told_by_problem_details(accept: str) -> None:
    problem = Problem("link-over", "Gone.")
    with pytest.raises(Problem) as caught:
        link_pages.told(asking(accept), problem)
    assert caught.value is problem


class Reader(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """One more."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """One more."""
        self.texts.append(data.strip())


def asking(accept: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept", accept.encode())] if accept else []})


def of_view(job: str) -> str:
    """What the link ends with that the job's own view has."""
    return str(listing.view(rows.read(job)).links.download).rpartition("/")[2]
