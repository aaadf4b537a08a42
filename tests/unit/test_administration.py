"""functions/sweep/administration.py: what operators see, and what they do, which is written down."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from events.wire import Envelope
from functions.shared import database, outbox, quotas, settings, tables
from functions.shared.audit import Actor
from functions.shared.jobs import claims, transitions
from functions.shared.problems import Problem
from functions.shared.tables import audit, dead_letters, now, users
from functions.sweep import activity, administration, letters, main, replays
from functions.sweep import dead_letters as recording
from functions.sweep.shapes import AuditQuery, Chosen, JobQuery, LetterQuery, UserQuery
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

ANNA = Actor("anna", "request-1")
FOREIGN = Envelope({"id": "7", "source": "/cms", "type": "com.example.thing.v1", "specversion": "1.0"}, b"\x00\xff{")


def test_letters_are_listed_in_pages_and_found_whole() -> None:
    ids = [letter(number) for number in range(5)]
    seen, cursor = [], None
    for _ in range(3):
        page = administration.letter_page(LetterQuery(limit=2, cursor=cursor))
        seen += [each.id for each in page.items]
        cursor = page.next_cursor
    assert (seen, cursor) == (ids[::-1], None)
    whole = administration.letter(ids[0])
    assert base64.b64decode(whole.data) == FOREIGN.data
    assert whole.attributes["source"] == "/cms"
    with pytest.raises(Problem) as caught:
        administration.letter("nothing")
    assert caught.value.code == "not-found"


def test_the_list_has_open_ones_unless_a_state_is_named_and_filters_by_each() -> None:
    healed, job = letter(1), letter(2, subject="x" * 32, source="/audiolift/upload")
    rows.change(dead_letters, dead_letters.c.id == healed, state="healed", healed_at=rows.ago(0))
    assert listed() == [job]
    assert listed(state="healed") == [healed]
    assert listed(source="/audiolift/upload") == listed(job_id="x" * 32) == [job]
    assert listed(type="com.example.other.v1") == []


def test_a_cursor_that_is_none_is_refused() -> None:
    for cursor in ("x", "é", "e30", base64.urlsafe_b64encode(b"2026-01-01T00:00:00 x").decode()):
        with pytest.raises(Problem):
            administration.letter_page(LetterQuery(cursor=cursor))


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"ids": []},
        {"all": False},
        {"all": True, "state": "recorded"},
        {"ids": ["x"], "source": "/cms"},
        {"ids": ["x"], "all": True},
        {"state": "cancelled"},
        {"sorce": "/cms"},
        {"source": "/cms", "typ": "com.example.thing.v1"},
        {"ids": "x"},
    ],
)
def test_a_choice_that_says_nothing_or_may_be_a_slip_is_refused(chosen: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(chosen, Chosen)


def test_one_is_replayed_or_all_of_a_kind_or_all_that_were_not_yet(sink: Sink) -> None:
    first, second, third = letter(1), letter(2, source="/other"), letter(3)
    assert replayed(ids=[first]) == (1, 0)
    assert wanted() == {first}
    main.tick()
    assert replayed(source="/cms") == (1, 0)
    assert wanted() == {third}
    assert replayed(all=True) == (1, 0)
    assert wanted() == {second, third}
    main.tick()
    assert [event.id for event in sink.received] == ["1", "2", "3"]
    assert replayed(all=True) == (0, 0)
    assert replayed(state="replayed", source="/cms") == (2, 0)


def test_what_was_cut_is_counted_and_not_replayed() -> None:
    cut = letter(1)
    rows.change(dead_letters, dead_letters.c.id == cut, reason=f"500 ({letters.TRUNCATED})")
    assert replayed(ids=[cut]) == (0, 1)


def test_however_many_are_to_be_replayed_a_tick_takes_so_many_and_the_next_one_the_rest(sink: Sink) -> None:
    several = replays.REPLAYS_A_TICK + 3
    with database.transaction() as connection:
        values = [_row(number) for number in range(several)]
        connection.execute(dead_letters.insert(), values)
    assert replayed(all=True) == (several, 0)
    replays.replay_wanted()
    assert len(sink.received) == replays.REPLAYS_A_TICK
    replays.replay_wanted()
    assert sorted(event.id for event in sink.received) == sorted(map(str, range(several)))


@pytest.mark.parametrize("choice", [{"all": True}, {"source": "/audiolift/upload"}, {"state": "recorded"}, {"ids": []}])
def test_a_job_that_its_owner_cancelled_is_revived_by_no_choice(sink: Sink, choice: dict[str, Any]) -> None:
    job = rows.job("receiving")
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    outbox.send(event_id)
    recording.record(sink.received.pop().with_attributes(knativeerrorcode="500"))
    transitions.retry(job)
    transitions.cancel(job)
    sink.received.clear()
    (found,) = listed()
    assert replayed(**({"ids": [found]} if "ids" in choice else choice)) == (1, 0)
    main.tick()
    assert (rows.read(job).state, sink.received) == ("cancelled", [])
    assert rows.unsettled(job) == []


def test_settled_letters_are_off_the_list() -> None:
    first, second = letter(1), letter(2)
    assert administration.settle(Chosen(ids=[first]), ANNA).settled == 1
    assert administration.settle(Chosen(ids=[first]), ANNA).settled == 0
    assert listed() == [second]


def test_every_act_is_written_down_with_who_what_on_what_when_and_by_which_request() -> None:
    first = letter(1)
    replayed(ids=[first])
    administration.settle(Chosen(source="/cms", state="wanted"), Actor("berta", "request-2"))
    settled, again = administration.acts(AuditQuery()).items
    assert (again.actor, again.action, again.request_id) == ("anna", "dead-letters.replayed", "request-1")
    assert again.target == {"ids": [first], "count": 1}
    assert (settled.actor, settled.target) == ("berta", {"source": "/cms", "state": "wanted", "count": 1})
    assert [act.id for act in administration.acts(AuditQuery(actor="berta")).items] == [settled.id]
    assert [act.id for act in administration.acts(AuditQuery(action="dead-letters.replayed")).items] == [again.id]


@pytest.mark.parametrize("act", [administration.replay, administration.settle])
def test_what_cannot_be_written_down_does_not_happen(act: Any) -> None:
    letter(1)
    # Half a character: no database takes it.
    with pytest.raises(UnicodeEncodeError):
        act(Chosen(all=True), Actor("anna", "\ud800"))
    with database.reading() as connection:
        assert connection.execute(audit.select()).all() == []
        assert connection.execute(dead_letters.select()).one().state == "recorded"


def test_jobs_are_counted_and_listed_without_what_is_in_them() -> None:
    owner = rows.user()
    job = rows.job("failed", owner, error_code="gave-up", error_detail="secret detail", filename="secret name.mp4")
    rows.job("failed", error_code="gave-up")
    rows.job("done")
    counted = [(each.state, each.reason, each.count) for each in administration.job_counts().items]
    assert counted == [("failed", "gave-up", 2), ("done", None, 1)]
    (one,) = administration.job_page(JobQuery(user_id=owner)).items
    assert (one.id, one.user_id, one.reason) == (job, owner, "gave-up")
    assert b"secret" not in msgspec.json.encode(one)
    assert len(administration.job_page(JobQuery(reason="gave-up")).items) == 2
    assert len(administration.job_page(msgspec.convert({"state": "done"}, JobQuery)).items) == 1


def test_users_are_found_with_what_they_use_and_nothing_secret() -> None:
    anna, other = rows.user("anna_1@example.com"), rows.user("annax1@example.com")
    rows.job("queued", anna, video_bytes=100)
    rows.job("done", anna, video_bytes=100, audio_bytes=7)
    rows.job("expired", anna, video_bytes=100, audio_bytes=7)
    rows.change(users, users.c.id == anna, password_hash="secret hash")
    with database.transaction() as connection:
        quotas.spend(connection, anna, 90)
        connection.execute(tables.quotas.insert().values(user_id=anna, jobs=3))
    # `_` stands for itself, and not for any character.
    (found,) = administration.user_page(UserQuery(email="Anna_")).items
    assert (found.id, found.operator) == (anna, False)
    assert (found.jobs, found.live_jobs, found.stored_bytes, found.api_keys) == (3, 1, 107, 0)
    assert (found.minutes_today, found.quotas.jobs) == (1.5, 3)
    assert found.quotas.stored_bytes == (settings.number("MAX_USER_BYTES") or None)
    assert b"secret" not in msgspec.json.encode(found)
    everybody = administration.user_page(UserQuery()).items
    assert {each.id: each.jobs for each in everybody} == {anna: 3, other: 0}


def letter(number: int, **attributes: str) -> str:
    """Record a dead letter of another system. Returns: its id."""
    event = FOREIGN.with_attributes(id=str(number), knativeerrorcode="500", **attributes)
    before = set(listed())
    recording.record(event)
    (new,) = set(listed()) - before
    rows.change(dead_letters, dead_letters.c.id == new, recorded_at=rows.ago(60 - number))
    return new


def listed(**query: Any) -> list[str]:
    return [each.id for each in administration.letter_page(LetterQuery(**query)).items]


def replayed(**chosen: Any) -> tuple[int, int]:
    done = administration.replay(msgspec.convert(chosen, Chosen), ANNA)
    return done.wanted, done.cut


def wanted() -> set[str]:
    return set(listed(state="wanted"))


def _row(number: int) -> dict[str, Any]:
    named = {"event_id": str(number), "source": "/cms", "type": "com.example.thing.v1", "job_id": None}
    attributes = {**FOREIGN.attributes, "id": str(number)}
    kept = {"attributes": attributes, "data": b"{}", "reason": "500", "state": "recorded", "replays": 0}
    return {"id": f"letter-{number}", "recorded_at": rows.ago(number), **named, **kept}


def test_activity_is_counted_by_the_hour_and_the_empty_hours_are_there_too() -> None:
    moment = now().replace(minute=30)
    before = moment - timedelta(hours=3)
    for state in ("done", "done", "failed", "cancelled", "queued", "expired"):
        rows.job(state, created_at=before, updated_at=moment)
    rows.job("done", created_at=moment - timedelta(hours=30), updated_at=moment - timedelta(hours=29))
    hours = activity.of_hours(24).items
    assert len(hours) == 24
    assert [(each.begun, each.done, each.failed, each.cancelled) for each in hours if each.begun or each.done] == [
        (6, 0, 0, 0),
        (0, 2, 1, 1),
    ]
    assert hours[-1].at.startswith(f"{moment:%Y-%m-%dT%H}:00:00")
