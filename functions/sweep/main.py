"""A tick → what was lost is sent again, what is over is deleted; a dead letter → recorded whole, and its job failed.

Operators see these, jobs and users at /v1/admin: what they do there is done by the same code.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.wire import Envelope
from functions.shared import trace
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.problems import Unavailable
from functions.shared.scopes import Scope
from functions.shared.subscriber import deliver
from functions.shared.takes import json_body, query
from functions.shared.web import answer
from functions.sweep import (
    accounts,
    activity,
    administration,
    batches,
    dead_letters,
    event_routes,
    events,
    files,
    gauges,
    giving_up,
    healing,
    history,
    instance_routes,
    letters,
    reminding,
    replays,
    retention,
    timeline_routes,
)
from functions.sweep.routes import actor, routes
from functions.sweep.shapes import (
    ACCOUNT_ID,
    LETTER_ID,
    Activity,
    ActivityQuery,
    AuditPage,
    AuditQuery,
    Chosen,
    JobCounts,
    JobQuery,
    LetterPage,
    LetterQuery,
    ManagedJobPage,
    ManagedUserPage,
    Replayed,
    Settled,
    UserQuery,
    WholeLetter,
)

log = logging.getLogger(__name__)


# To import them is to serve what they declare.
OTHERS = (event_routes, instance_routes, timeline_routes)

TICK = "dev.knative.sources.ping"


@functions_framework.aio.http
async def sweep(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("POST", "/", takes_events=True)
def on_event(request: Request) -> Response:
    """A tick, or anything else that the broker gave up on, readable or not."""
    return deliver(request, _handle, letters.MAX_BYTES, dead_letters.record_unreadable)


@routes.operation(
    "GET",
    "/v1/admin/dead-letters",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(query(LetterQuery),),
    answers={200: Success("One page.", LetterPage)},
)
def list_dead_letters(_request: Request, user_id: str, query: LetterQuery) -> Response:
    """What the broker gave up on, newest first."""
    return json_response(administration.letter_page(query))


@routes.operation(
    "GET",
    "/v1/admin/dead-letters/<letter_id>/content",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(LETTER_ID,),
    answers={200: Success("The dead letter.", WholeLetter)},
    problems=("not-found",),
)
def read_dead_letter(_request: Request, user_id: str, letter_id: str) -> Response:
    """One dead letter, whole."""
    return json_response(administration.letter(letter_id))


@routes.operation(
    "POST",
    "/v1/admin/dead-letters/replay",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(json_body(Chosen),),
    answers={202: Success("How many will be.", Replayed)},
)
def replay_dead_letters(request: Request, user_id: str, body: Chosen) -> Response:
    """Replay dead letters.

    A job that its owner has cancelled stays so. What has had its effect has no other.
    """
    return json_response(administration.replay(body, actor(request, user_id)), 202)


@routes.operation(
    "POST",
    "/v1/admin/dead-letters/settle",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(json_body(Chosen),),
    answers={200: Success("How many were.", Settled)},
)
def settle_dead_letters(request: Request, user_id: str, body: Chosen) -> Response:
    """Take dead letters off the list: they are dealt with."""
    return json_response(administration.settle(body, actor(request, user_id)))


@routes.operation(
    "GET",
    "/v1/admin/jobs",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(query(JobQuery),),
    answers={200: Success("One page.", ManagedJobPage)},
)
def list_all_jobs(_request: Request, user_id: str, query: JobQuery) -> Response:
    """Everybody's jobs, newest first; nothing of what is in their files."""
    return json_response(administration.job_page(query))


@routes.operation(
    "GET",
    "/v1/admin/jobs/counts",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    answers={200: Success("The numbers.", JobCounts)},
)
def count_jobs(_request: Request, user_id: str) -> Response:
    """How many jobs there are, by state and reason."""
    return json_response(administration.job_counts())


@routes.operation(
    "GET",
    "/v1/admin/jobs/activity",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(query(ActivityQuery),),
    answers={200: Success("The numbers.", Activity)},
)
def read_activity(_request: Request, user_id: str, query: ActivityQuery) -> Response:
    """How many jobs began and ended, hour by hour.

    By the jobs that are listed: those that were deleted, or have expired, are in no number but that of their beginning,
    and of one that was tried again only the last end counts.
    """
    return json_response(activity.of_hours(query.hours))


@routes.operation(
    "GET",
    "/v1/admin/users",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(query(UserQuery),),
    answers={200: Success("One page.", ManagedUserPage)},
)
def list_users(_request: Request, user_id: str, query: UserQuery) -> Response:
    """Users and what they use, newest first."""
    return json_response(administration.user_page(query))


@routes.operation(
    "POST",
    "/v1/admin/users/<account_id>/suspend",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(ACCOUNT_ID,),
    answers={204: Success("It is suspended.")},
    problems=("not-found", "operator-needed"),
)
def suspend_user(request: Request, user_id: str, account_id: str) -> Response:
    """Suspend an account: its sessions end, and its tokens, keys and links are good for nothing.

    What is under way ends by itself. Files and rows stay. Nobody suspends themselves, nor the last operator.
    """
    administration.suspend(account_id, actor(request, user_id))
    return Response(status_code=204)


@routes.operation(
    "POST",
    "/v1/admin/users/<account_id>/resume",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(ACCOUNT_ID,),
    answers={204: Success("It is not suspended.")},
    problems=("not-found",),
)
def resume_user(request: Request, user_id: str, account_id: str) -> Response:
    """Let a suspended account be used again, from a new sign-in on."""
    administration.resume(account_id, actor(request, user_id))
    return Response(status_code=204)


@routes.operation(
    "GET",
    "/v1/admin/audit",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    takes=(query(AuditQuery),),
    answers={200: Success("One page.", AuditPage)},
)
def list_audit(_request: Request, user_id: str, query: AuditQuery) -> Response:
    """What operators did, and what was deleted by whom, newest first."""
    return json_response(administration.acts(query))


def _handle(event: Envelope) -> None:
    if event.type == TICK:
        return tick()
    return dead_letters.record(event)


# What time makes due goes on in the trace of its job, not in the tick's.
@trace.following(None)
def tick() -> None:
    """Everything that time alone makes due, each step on its own. Two at once do no harm.

    Raises: Unavailable, at the end, when a store was away for one of them.
    """
    failed, away = 0, None
    for step in _steps():
        try:
            step()
        except Unavailable as error:
            away = error
        except Exception:
            failed += 1
            log.exception("a step of this tick failed; the others are taken all the same")
    if failed:
        log.error("steps of this tick that failed: %d", failed)
    if away:
        raise away


def _steps() -> Iterator[Callable[[], None]]:
    yield replays.replay_wanted
    yield events.send_again
    yield batches.announce
    yield reminding.announce
    yield healing.heal
    yield files.expire
    yield files.forget_unfinished
    yield giving_up.fail_unfetched
    yield accounts.finish_deleting
    yield history.forget
    yield retention.forget
    yield retention.clear_lost_notices
    yield files.delete_unwanted
    yield files.clear_orphans
    yield gauges.show
