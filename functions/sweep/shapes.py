"""What operators ask of sweep, and what it answers with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from functions.shared.jobs.states import State
from functions.shared.operations import part
from functions.shared.views import Instant

__all__ = [
    "ACCOUNT_ID",
    "DEFAULT_LIMIT",
    "LETTER_ID",
    "Activity",
    "ActivityHour",
    "ActivityQuery",
    "AuditEntry",
    "AuditPage",
    "AuditQuery",
    "Chosen",
    "Cursor",
    "Deed",
    "Ids",
    "JobCount",
    "JobCounts",
    "JobQuery",
    "Letter",
    "LetterPage",
    "LetterQuery",
    "LetterState",
    "Limit",
    "ManagedJob",
    "ManagedJobPage",
    "ManagedUser",
    "ManagedUserPage",
    "NextCursor",
    "Replayed",
    "Settled",
    "UserQuery",
    "WholeLetter",
]

DEFAULT_LIMIT, MAX_LIMIT, MAX_CHOSEN = 50, 200, 200
Cursor = Annotated[str | None, Meta(description="The next_cursor of the page before.")]
Limit = Annotated[int, Meta(description="Rows per page.", ge=1, le=MAX_LIMIT)]
NextCursor = Annotated[str | None, Meta(description="Send it as `cursor` for the next page; null on the last one.")]
LetterState = Literal["recorded", "unreadable", "wanted", "replayed", "healed", "settled"]
Ids = Annotated[list[str], Meta(min_length=1, max_length=MAX_CHOSEN)]
ACCOUNT_ID = part("account_id", "The account.", minLength=1, maxLength=64)
LETTER_ID = part("letter_id", "The dead letter.", minLength=1, maxLength=64)


class LetterQuery(Struct):
    """Which page of which dead letters."""

    state: Annotated[
        LetterState | None, Meta(description="Only those in this state; all that are not over unless said.")
    ] = None
    type: Annotated[str | None, Meta(description="Only those of this event type.")] = None
    source: Annotated[str | None, Meta(description="Only those from this source.")] = None
    job_id: Annotated[str | None, Meta(description="Only those about this job.")] = None
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


class Letter(Struct, kw_only=True):
    """A dead letter, without what was in it."""

    id: Annotated[str, Meta(description="The letter.")]
    state: Annotated[str, Meta(description="See docs/events.md.", extra_json_schema={"enum": [*LetterState.__args__]})]
    type: Annotated[str | None, Meta(description="Of the event; empty when that cannot be read.")]
    source: Annotated[str | None, Meta(description="Of the event.")]
    event_id: Annotated[str | None, Meta(description="Of the event.")]
    job_id: Annotated[str | None, Meta(description="The job that it is about, or would become.")]
    reason: Annotated[str, Meta(description="Why the broker gave it up.")]
    note: Annotated[str | None, Meta(description="Why it was not replayed.")]
    replays: Annotated[int, Meta(description="How often it was.")]
    recorded_at: Annotated[Instant, Meta(description="When it was last given up.")]
    tried_at: Annotated[Instant | None, Meta(description="When it was last replayed.")]
    closed_at: Annotated[Instant | None, Meta(description="When it healed or was settled.")]


class WholeLetter(Letter, kw_only=True):
    """A dead letter with all that was kept of it."""

    attributes: Annotated[dict[str, str], Meta(description="The attributes of the event.")]
    headers: Annotated[dict[str, str] | None, Meta(description="Of a request that is no event, without credentials.")]
    data: Annotated[str, Meta(description="What was in it.", extra_json_schema={"contentEncoding": "base64"})]


class LetterPage(Struct):
    """Some dead letters."""

    items: Annotated[list[Letter], Meta(description="Newest first.")]
    next_cursor: NextCursor


class Chosen(Struct, forbid_unknown_fields=True):
    """Which dead letters: some by id; or all those of a state, type, source or job; or `all`, and nothing else.

    By type, source or job, and by `all`, they are those that were not replayed yet, unless `state` says otherwise.
    """

    ids: Annotated[Ids | UnsetType, Meta(description="These.")] = UNSET
    state: Annotated[LetterState | UnsetType, Meta(description="Those in this state.")] = UNSET
    type: Annotated[str | UnsetType, Meta(description="Those of this event type.")] = UNSET
    source: Annotated[str | UnsetType, Meta(description="Those from this source.")] = UNSET
    job_id: Annotated[str | UnsetType, Meta(description="Those about this job.")] = UNSET
    all: Annotated[Literal[True] | UnsetType, Meta(description="Every one.")] = UNSET

    def __post_init__(self) -> None:
        alone = [name for name in ("ids", "all") if name in self.named]
        if not self.named or (alone and len(self.named) > 1):
            raise ValueError("Give `ids`, or `all`, or one or more of `state`, `type`, `source` and `job_id`")

    @property
    def named(self) -> dict[str, Any]:
        """What was given."""
        return {name: value for name, value in structs.asdict(self).items() if value is not UNSET}


class Replayed(Struct):
    """What will be replayed."""

    wanted: Annotated[int, Meta(description="How many will be, some hundred a minute.")]
    cut: Annotated[int, Meta(description="How many cannot be, since they were too large to be kept whole.")]


class Settled(Struct):
    """What was settled."""

    settled: Annotated[int, Meta(description="How many were not over yet, and are now.")]


class JobQuery(Struct):
    """Which page of which jobs."""

    state: Annotated[State | None, Meta(description="Only those in this state.")] = None
    reason: Annotated[str | None, Meta(description="Only those that failed for it.")] = None
    user_id: Annotated[str | None, Meta(description="Only those of this user.")] = None
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


class ManagedJob(Struct):
    """A job, as operators see it: neither what is in its files nor what they are called."""

    id: Annotated[str, Meta(description="The job.")]
    user_id: Annotated[str, Meta(description="Whose it is.")]
    state: Annotated[str, Meta(description="As its owner sees it.", extra_json_schema={"enum": [*State]})]
    reason: Annotated[str | None, Meta(description="The code of why it failed.")]
    progress: Annotated[float, Meta(description="Of the conversion.", ge=0, le=1)]
    attempts: Annotated[int, Meta(description="Tries that got no further, since the last that did.")]
    created_at: Annotated[Instant, Meta(description="When the upload began.")]
    updated_at: Annotated[Instant, Meta(description="When it last changed.")]
    expires_at: Annotated[Instant | None, Meta(description="When its files are deleted.")]
    video_bytes: Annotated[int | None, Meta(description="The size of the video.")]
    audio_bytes: Annotated[int | None, Meta(description="The size of the MP3.")]
    duration_seconds: Annotated[float | None, Meta(description="The length of the MP3.")]


class ManagedJobPage(Struct):
    """Some jobs."""

    items: Annotated[list[ManagedJob], Meta(description="Newest first.")]
    next_cursor: NextCursor


class JobCount(Struct):
    """How many jobs there are of a kind."""

    state: Annotated[str, Meta(description="The state.")]
    reason: Annotated[str | None, Meta(description="The code of why they failed.")]
    count: Annotated[int, Meta(description="How many.")]


class JobCounts(Struct):
    """How many jobs there are."""

    items: Annotated[list[JobCount], Meta(description="By state and reason; most first.")]


class ActivityQuery(Struct):
    """How far back."""

    hours: Annotated[int, Meta(description="So many hours, the one that is not over included.", ge=1, le=168)] = 48


class ActivityHour(Struct):
    """What happened in an hour by the clock. Each job counts by its last change, if it is still listed."""

    at: Annotated[Instant, Meta(description="When the hour began.")]
    begun: Annotated[int, Meta(description="Uploads that began.")]
    done: Annotated[int, Meta(description="Jobs that were done.")]
    failed: Annotated[int, Meta(description="Jobs that failed.")]
    cancelled: Annotated[int, Meta(description="Jobs that were cancelled.")]


class Activity(Struct):
    """What happened, hour by hour."""

    items: Annotated[list[ActivityHour], Meta(description="Oldest first; the last hour is not over.")]


class UserQuery(Struct):
    """Which page of which users."""

    email: Annotated[str | None, Meta(description="Only those whose email address begins so.")] = None
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


class ManagedUser(Struct):
    """A user, as operators see them."""

    id: Annotated[str, Meta(description="The account.")]
    email: Annotated[str, Meta(description="In lower case.")]
    created_at: Annotated[Instant, Meta(description="When it was made.")]
    suspended: Annotated[bool, Meta(description="Whether nothing that belongs to it opens anything.")]
    operator: Annotated[bool, Meta(description="Whether they are one.")]
    jobs: Annotated[int, Meta(description="How many they have, those that have expired included.")]
    live_jobs: Annotated[int, Meta(description="How many of these are not over.")]
    stored_bytes: Annotated[int, Meta(description="Of videos and MP3s that are kept for them.")]
    api_keys: Annotated[int, Meta(description="How many they have.")]


class ManagedUserPage(Struct):
    """Some users."""

    items: Annotated[list[ManagedUser], Meta(description="Newest first.")]
    next_cursor: NextCursor


Deed = Literal[
    "operator.granted",
    "operator.revoked",
    "user.suspended",
    "user.resumed",
    "quotas.set",
    "dead-letters.replayed",
    "dead-letters.settled",
    "events.sent-again",
    "job.deleted",
    "jobs.deleted",
    "jobs.expired",
    "jobs.forgotten",
    "uploads.forgotten",
    "orphans.deleted",
    "account.deleted",
]


class AuditQuery(Struct):
    """Which page of what operators did, and of what was deleted."""

    actor: Annotated[str | None, Meta(description="Only what this user did, the `command-line`, or `sweep`.")] = None
    action: Annotated[Deed | None, Meta(description="Only such acts.")] = None
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


class AuditEntry(Struct):
    """What an operator did, or what was deleted."""

    id: Annotated[str, Meta(description="The act.")]
    at: Annotated[Instant, Meta(description="When.")]
    actor: Annotated[str, Meta(description="The id of the user, `command-line`, or `sweep` when time was up.")]
    action: Annotated[str, Meta(description="What.", extra_json_schema={"enum": [*Deed.__args__]})]
    target: Annotated[dict[str, Any], Meta(description="On what, and how many that were.")]
    request_id: Annotated[str | None, Meta(description="The X-Request-Id of the request.")]


class AuditPage(Struct):
    """Some of what operators did, and of what was deleted."""

    items: Annotated[list[AuditEntry], Meta(description="Newest first.")]
    next_cursor: NextCursor
