"""functions/shared/jobs: the life of a job."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from events.catalogue import VideoUploaded
from functions.shared import database, outbox
from functions.shared.job_warnings import WARNINGS, JobWarning
from functions.shared.jobs import claims, leases, transitions
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.states import LIVE, State
from functions.shared.jobs.transitions import Audio
from functions.shared.reasons import Failure
from functions.shared.tables import jobs as table
from functions.shared.tables import outbox as messages
from functions.shared.views import job_view
from functions.sweep import files
from tests.unit import rows
from tests.unit.processes import race

pytestmark = pytest.mark.usefixtures("tables", "store")

AUDIO = Audio(size_bytes=10, sha256="ab" * 32, duration_seconds=1.5)

# What can happen to a job, and from which state to which it leads; from every other one it leads nowhere.
ACTIONS: dict[str, tuple[Callable[[str], Any], dict[State, State]]] = {
    "queue": (
        lambda job: transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000),
        {State.RECEIVING: State.QUEUED},
    ),
    "claim": (claims.claim, {State.QUEUED: State.CONVERTING}),
    "renew": (lambda job: leases.renew(rows.claim_of(job), 0.5), {State.CONVERTING: State.CONVERTING}),
    "release": (lambda job: claims.release(rows.claim_of(job), counts=True), {State.CONVERTING: State.QUEUED}),
    "postpone": (lambda job: transitions.postpone(rows.claim_of(job)), {State.CONVERTING: State.QUEUED}),
    "finish": (lambda job: transitions.finish(rows.claim_of(job), AUDIO), {State.CONVERTING: State.DONE}),
    "fail_claimed": (
        lambda job: transitions.fail_claimed(rows.claim_of(job), Failure("no-audio")),
        {State.CONVERTING: State.FAILED},
    ),
    "fail": (lambda job: transitions.fail(job, Failure("gave-up")), {State.QUEUED: State.FAILED}),
    "cancel": (transitions.cancel, dict.fromkeys(LIVE, State.CANCELLED)),
    "retry": (transitions.retry, {State.FAILED: State.QUEUED, State.CANCELLED: State.QUEUED}),
    "expire": (
        lambda _: files.expire(),
        {State.DONE: State.EXPIRED, State.FAILED: State.EXPIRED, State.CANCELLED: State.EXPIRED},
    ),
}
ALLOWED = [(action, before, after) for action, (_, moves) in ACTIONS.items() for before, after in moves.items()]
FORBIDDEN = [(action, state) for action, (_, moves) in ACTIONS.items() for state in State if state not in moves]


@pytest.mark.parametrize(("action", "before", "after"), ALLOWED)
def test_an_allowed_change_is_made_and_recorded(action: str, before: str, after: str) -> None:
    job = rows.job(before, expires_at=rows.ago(1))
    ACTIONS[action][0](job)
    assert rows.read(job).state == after
    assert rows.history(job) == [after]


@pytest.mark.parametrize(("action", "state"), FORBIDDEN)
def test_a_forbidden_change_leaves_no_trace(action: str, state: str) -> None:
    job = rows.job(state, expires_at=rows.ago(1))
    before = rows.read(job)
    with suppress(ClaimLost):
        assert not ACTIONS[action][0](job)
    assert rows.read(job) == before
    assert rows.history(job) == []
    assert rows.messages(job) == []


@pytest.mark.parametrize("action", ["queue", "claim", "fail", "cancel", "retry"])
def test_nothing_can_happen_to_a_job_that_is_not_there(action: str) -> None:
    with suppress(ClaimLost):
        assert not ACTIONS[action][0]("0" * 32)


@pytest.mark.parametrize(
    ("action", "before", "type_"),
    [
        ("queue", "receiving", "dev.audiolift.video.uploaded.v1"),
        ("finish", "converting", "dev.audiolift.audio.created.v1"),
        ("fail_claimed", "converting", "dev.audiolift.conversion.failed.v1"),
        ("fail", "queued", "dev.audiolift.conversion.failed.v1"),
        ("retry", "cancelled", "dev.audiolift.video.uploaded.v1"),
    ],
)
def test_a_change_that_others_act_on_has_its_event_in_the_outbox(action: str, before: str, type_: str) -> None:
    job = rows.job(before)
    event_id = ACTIONS[action][0](job)
    assert [(row.event_id, row.type, row.sent_at) for row in rows.messages(job)] == [(event_id, type_, None)]


def test_a_change_and_its_event_are_one_transaction() -> None:
    job = rows.job("receiving")
    with database.transaction() as connection:
        outbox.add(connection, job, 0, VideoUploaded(job, "talk.mp4", 1))
    with pytest.raises(Exception, match=r"UNIQUE|Duplicate"):
        transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    assert rows.read(job).state == "receiving"
    assert rows.history(job) == []


def test_of_eight_processes_that_claim_a_job_one_gets_it() -> None:
    job = rows.job()
    said = race(8, "from functions.shared.jobs import claims", f"print(claims.claim('{job}') is not None)")
    assert sorted(said) == ["False"] * 7 + ["True"]
    assert rows.history(job) == ["converting"]
    assert rows.read(job).attempts == 1


def test_a_job_under_a_live_lease_is_not_given_away() -> None:
    job = rows.job()
    assert claims.claim(job)
    assert claims.claim(job) is None
    assert transitions.fail(job, Failure("gave-up")) is None
    assert rows.read(job).state == "converting"


def test_a_job_whose_lease_ran_out_is_given_to_the_next_under_a_new_token() -> None:
    job = rows.job()
    first = taken(job)
    expire_lease(job)
    second = taken(job)
    assert (first.token, second.token) == (1, 2)
    assert first.audio != second.audio


def test_a_job_whose_lease_ran_out_can_be_failed() -> None:
    job = rows.job("converting", lease_until=rows.ago(1))
    assert transitions.fail(job, Failure("gave-up"))
    assert rows.read(job).error_code == "gave-up"


def test_renewing_extends_the_lease_even_when_there_is_no_progress() -> None:
    job = rows.job("converting", progress=0.5, lease_until=rows.ago(-1))
    leases.renew(rows.claim_of(job), 0.5)
    assert rows.read(job).lease_until > rows.ago(-10)
    assert rows.history(job) == []


def test_progress_never_goes_back() -> None:
    job = rows.job("converting", progress=0.5)
    leases.renew(rows.claim_of(job), 0.2)
    assert rows.read(job).progress == 0.5


def test_a_job_that_is_postponed_has_the_next_delivery_on_its_way_and_loses_no_attempt() -> None:
    job = rows.job("converting", progress=0.5, attempts=3)
    event_id = transitions.postpone(rows.claim_of(job))
    row, message = rows.read(job), outbox.read(event_id)
    assert (row.state, row.progress, row.attempts, row.lease_until) == ("queued", 0.5, 0, None)
    assert (message.type, message.settled_at) == (VideoUploaded.TYPE, None)
    assert taken(job).attempts == 1


def test_whether_a_claim_holds_can_be_asked_without_writing() -> None:
    job = rows.job()
    held = taken(job)
    before = rows.read(job)
    assert leases.holds(held)
    assert rows.read(job) == before
    transitions.cancel(job)
    assert not leases.holds(held)


@pytest.mark.parametrize("action", ["renew", "finish", "fail_claimed"])
def test_a_zombie_with_an_old_token_changes_nothing(action: str) -> None:
    job = rows.job()
    zombie = taken(job)
    expire_lease(job)
    claims.claim(job)
    before = rows.read(job)
    acts: dict[str, Callable[[], Any]] = {
        "renew": lambda: leases.renew(zombie, 0.9),
        "finish": lambda: transitions.finish(zombie, AUDIO),
        "fail_claimed": lambda: transitions.fail_claimed(zombie, Failure("damaged")),
    }
    with pytest.raises(ClaimLost):
        acts[action]()
    assert rows.read(job) == before
    assert rows.messages(job) == []


def test_a_zombie_does_not_release_the_job_of_another() -> None:
    job = rows.job()
    zombie = taken(job)
    expire_lease(job)
    claims.claim(job)
    claims.release(zombie, counts=True)
    assert rows.read(job).state == "converting"


def test_a_cancelled_conversion_learns_it_when_it_renews_or_ends() -> None:
    job = rows.job()
    claim = taken(job)
    assert transitions.cancel(job)
    with pytest.raises(ClaimLost):
        leases.renew(claim, 0.5)
    with pytest.raises(ClaimLost):
        transitions.finish(claim, AUDIO)
    assert rows.read(job).state == "cancelled"


def test_a_cancelled_job_is_not_sent_to_be_converted_again() -> None:
    job = rows.job("receiving")
    transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    transitions.cancel(job)
    assert rows.unsettled(job) == []


def test_a_retry_while_a_cancelled_conversion_still_runs_fences_that_one_out() -> None:
    job = rows.job()
    cancelled = taken(job)
    transitions.cancel(job)
    transitions.retry(job)
    again = taken(job)
    assert again.token > cancelled.token
    with pytest.raises(ClaimLost):
        transitions.finish(cancelled, AUDIO)
    assert transitions.finish(again, AUDIO)


def test_a_job_whose_conversions_always_die_is_given_up_and_its_owner_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_ATTEMPTS", "3")
    job = rows.job()
    for _ in range(3):
        assert claims.claim(job)
        expire_lease(job)
    assert claims.claim(job) is None
    row = rows.read(job)
    assert (row.state, row.error_code, row.attempts) == ("failed", "gave-up", 3)
    assert rows.unsettled(job) == ["dev.audiolift.conversion.failed.v1"]


def test_a_retry_gives_a_job_all_its_attempts_back() -> None:
    job = rows.job("failed", attempts=5, error_code="gave-up", error_detail="…", fencing_token=5)
    transitions.retry(job)
    row = rows.read(job)
    assert (row.attempts, row.error_code, row.error_detail, row.expires_at) == (0, None, None, None)
    assert claims.claim(job)


def test_what_the_owner_has_to_know_is_there_from_the_moment_that_the_job_is_done() -> None:
    job = rows.job("converting")
    transitions.finish(rows.claim_of(job), AUDIO, (JobWarning("by-ffmpeg"), JobWarning("newer", {"count": 2})))
    row = rows.read(job)
    assert row.warnings == [{"code": "by-ffmpeg", "values": {}}, {"code": "newer", "values": {"count": 2}}]
    assert msgspec.to_builtins(job_view(row).warnings) == [
        {"code": "by-ffmpeg", "text": WARNINGS["by-ffmpeg"], "values": {}},
        {"code": "newer", "text": "newer", "values": {"count": 2}},
    ]


def test_a_job_without_warnings_has_none_also_one_of_the_release_before() -> None:
    job = rows.job("converting")
    assert msgspec.to_builtins(job_view(rows.read(job)).warnings) == []
    transitions.finish(rows.claim_of(job), AUDIO)
    assert (rows.read(job).warnings, msgspec.to_builtins(job_view(rows.read(job)).warnings)) == (None, [])


def test_a_retry_clears_the_warnings() -> None:
    job = rows.job("failed", error_code="damaged", error_detail="…", warnings=[{"code": "by-ffmpeg", "values": {}}])
    transitions.retry(job)
    assert rows.read(job).warnings is None


def test_each_generation_of_an_event_has_an_id_of_its_own() -> None:
    job = rows.job("receiving")
    ids = [transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)]
    for _ in range(2):
        claim = taken(job)
        ids.append(transitions.fail_claimed(claim, Failure("damaged")))
        ids.append(str(transitions.retry(job)))
    assert len(set(ids)) == 5


def test_the_id_of_an_event_is_made_of_job_type_and_generation_alone() -> None:
    def id_of(job: str, generation: int, size: int) -> str:
        with database.transaction() as connection:
            event_id = outbox.add(connection, job, generation, VideoUploaded(job, "x", size))
            connection.execute(messages.delete())
            return event_id

    one, other = rows.job(), rows.job()
    assert id_of(one, 1, 10) == id_of(one, 1, 99)
    assert len({id_of(one, 1, 10), id_of(one, 2, 10), id_of(other, 1, 10)}) == 3


def test_a_new_event_settles_what_the_job_had_waiting() -> None:
    job = rows.job("receiving")
    transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    claim = taken(job)
    transitions.finish(claim, AUDIO)
    assert rows.unsettled(job) == ["dev.audiolift.audio.created.v1"]


def test_a_file_name_of_any_script_comes_back_as_it_was() -> None:
    name = "Grüße 你好 🎬 \u202e\N{SNOWMAN}.mp4"
    job = rows.job("receiving")
    transitions.queue(claims.claim_upload(job), name, {"quality": 2}, 1000)
    claim = taken(job)
    assert (claim.filename, claim.options) == (name, {"quality": 2})


def taken(job: str) -> Claim:
    claim = claims.claim(job)
    assert claim
    return claim


def expire_lease(job: str) -> None:
    rows.change(table, table.c.id == job, lease_until=rows.ago(1))


def test_an_attempt_that_only_met_an_outage_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_ATTEMPTS", "2")
    job = rows.job("queued")
    for _ in range(5):
        claim = claims.claim(job)
        assert claim
        claims.release(claim, counts=False)
    assert (rows.read(job).state, rows.read(job).attempts) == ("queued", 0)
