"""A tick → what was lost is sent again, what is over is deleted; a dead letter → recorded whole, and its job failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.wire import Envelope
from functions.shared import blobs, database, tables, trace
from functions.shared.jobs import rollouts
from functions.shared.once import once
from functions.shared.problems import Unavailable
from functions.shared.routing import Routes
from functions.shared.subscriber import deliver
from functions.shared.web import answer
from functions.sweep import accounts, dead_letters, events, files, giving_up, healing, letters, replays, rows

log = logging.getLogger(__name__)


@once
def _take_over() -> None:
    """From the sweep of the release before, which gets no events once this one is ready."""
    rollouts.end(rollouts.OLD_SWEEP)


routes = Routes(lambda: database.ping(), lambda: blobs.store().ping(), _take_over)

TICK = "dev.knative.sources.ping"
# Orphans are rare, and finding them reads the whole list of files.
HOURLY_AT = 7


@functions_framework.aio.http
async def sweep(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("POST", "/", takes_events=True)
def on_event(request: Request) -> Response:
    """A tick, or anything else that the broker gave up on, readable or not."""
    return deliver(request, _handle, letters.MAX_BYTES, dead_letters.record_unreadable)


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
    yield healing.heal
    yield files.expire
    yield files.forget_unfinished
    yield giving_up.fail_unfetched
    yield rows.forget
    yield accounts.finish_deleting
    yield accounts.forget
    yield healing.forget
    if tables.now().minute == HOURLY_AT:
        yield files.delete_orphans
