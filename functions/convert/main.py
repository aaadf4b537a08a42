"""video.uploaded → audio.created | conversion.failed."""

from __future__ import annotations

import functools
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.catalogue import VideoUploaded
from events.codec import decode
from events.wire import Envelope
from functions.convert import crashes, engine, known
from functions.convert.errors import Crash, Unconfined, Unfinished
from functions.convert.sandbox import nursery, policy
from functions.shared import blobs, database, logs, outbox, telemetry, trace, unwanted
from functions.shared.credentials import AccountGone
from functions.shared.jobs import claims, leases, rollouts, transitions
from functions.shared.once import once
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.routing import Routes
from functions.shared.starting import CannotStart, before_serving
from functions.shared.subscriber import deliver
from functions.shared.web import answer

if TYPE_CHECKING:
    from functions.convert.result import Converted

log = logging.getLogger(__name__)


@before_serving
def _check_sandbox() -> None:
    try:
        policy.check()
    except Unconfined as error:
        raise CannotStart(str(error)) from error


@once
def _warm() -> None:
    """A pod starts for a conversion that comes soon: it may come while its video is still on the way."""
    nursery.warm()


@once
def _take_over() -> None:
    """From the convert of the release before, which gets no events once this one is ready."""
    rollouts.end(rollouts.OLD_CONVERT)


routes = Routes(lambda: database.ping(), lambda: blobs.store().ping(), _take_over, _warm)


@functions_framework.aio.http
async def convert(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("POST", "/", takes_events=True)
def on_event(request: Request) -> Response:
    """video.uploaded → the MP3 of a job."""
    return deliver(request, on_uploaded)


def on_uploaded(envelope: Envelope) -> None:
    """Claim the job whose turn it is, make its MP3, and finish it; or do nothing when there is nothing to do."""
    event = decode(envelope, VideoUploaded)
    # The engine starts while the database is asked.
    nursery.warm()
    names = (envelope.id, event.job_id)
    # Which job it is about may change while this waits (turns.py).
    about = functools.partial(claims.job_of, *names)
    claim = leases.claim_when_free(functools.partial(claims.claim_turn, *names), about)
    if claim is None:
        return outbox.send_unsent(about())
    if claim.taken_over:
        telemetry.count("audiolift.lease.takeovers")
    with (
        trace.following(trace.current() if claim.job_id == event.job_id else outbox.trace_of(claim.job_id)),
        logs.about(job_id=claim.job_id),
        telemetry.span("convert", audiolift__job_id=claim.job_id, audiolift__attempt=claim.attempts),
    ):
        return _convert(claim)


def _convert(claim: claims.Claim) -> None:
    try:
        result = _finish(claim)
    except (claims.ClaimLost, AccountGone):
        log.info("job %s was cancelled or given to another conversion, or its owner is gone", claim.job_id)
        # It may be whole: nobody else writes, or finishes a job with, a name that has this claim's token.
        with suppress(Unavailable):
            blobs.store().delete(claim.audio)
    except BaseException as error:
        if isinstance(error, Crash):
            crashes.record(claim, error)
        claims.release(claim, counts=not isinstance(error, Unavailable))
        raise
    else:
        outbox.send(result)
        unwanted.delete_of(claim.job_id)


def _measured(claim: claims.Claim) -> Converted:
    began = time.monotonic()
    with telemetry.span("engine"):
        converted = engine.convert(claim)
    telemetry.record("audiolift.conversion.duration", time.monotonic() - began)
    return converted


def _finish(claim: claims.Claim) -> str:
    if not rollouts.can_keep(claim.options):
        raise Unavailable("a video is kept once sweep of the release before is gone")
    try:
        if event_id := known.finish_known(claim):
            return event_id
        converted = _measured(claim)
    except Unfinished:
        log.info("job %s is resumed by the next delivery", claim.job_id)
        return transitions.postpone(claim)
    except Failure as failure:
        return transitions.fail_claimed(claim, failure)
    try:
        result = transitions.finish(claim, converted.audio, converted.warnings, **converted.more)
    except transitions.OverMinutes as over:
        with suppress(Unavailable):
            blobs.store().delete(claim.audio)
        return over.event_id
    for warning in converted.warnings:
        log.warning("job %s is done with a warning: %s", claim.job_id, warning.code)
    return result
