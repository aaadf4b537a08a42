"""A video in a request, or video.submitted with its URL → a queued job, and video.uploaded."""

from __future__ import annotations

import hashlib

import functions_framework.aio
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from functions.shared import blobs, options, outbox, owners, settings
from functions.shared.api import json_response
from functions.shared.bodies import content_length, content_type, query
from functions.shared.jobs import claims, duplicates, leases, transitions
from functions.shared.operations import JSON, Access
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.subscriber import deliver
from functions.shared.takes import json_body, no_query
from functions.shared.views import JOB_ID
from functions.shared.web import afterwards, answer
from functions.upload import admission, batches, by_url, digests, intake, submitted, tus
from functions.upload.body import Received, check_head, name_in_head, receive
from functions.upload.digests import DIGESTS
from functions.upload.routes import accepted
from functions.upload.shapes import ACCEPTED, FILENAME, KEY, OPTIONS, VIDEO, Again
from functions.upload.stream import pause_seconds
from functions.upload.threads import blocking, entered
from functions.upload.url_shapes import BY_URL, TAKEN, NewBatch

# A thousand URLs of the greatest length, with names and options.
MAX_BATCH_BYTES = 4 * 1024 * 1024

# Those of resumable uploads are there already.
routes = tus.routes
# When many uploads come at a time, the lease of each is looked after when so much of it has gone by.
LOOKED_AFTER = 0.3


@functions_framework.aio.http
async def upload(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("POST", "/", takes_events=True)
def on_event(request: Request) -> Response:
    """video.submitted → a job whose video is fetched from a URL."""
    return deliver(request, submitted.on_submitted)


@routes.operation(
    "POST",
    "/v1/jobs",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(VIDEO, BY_URL, OPTIONS, FILENAME, DIGESTS, KEY),
    answers={202: ACCEPTED},
    problems=("not-found", "quota-exceeded", "too-busy", "wrong-state"),
    wakes=("convert", "download"),
    # All of the video is flushed to the disk first.
    seconds=300,
)
async def create_job(request: Request, user_id: str) -> Response:
    """Upload a video and have it converted.

    The video is the whole body, or the field `file` of a form; or JSON says from where it is to be fetched. Give
    `quality` or `bitrate`, not both; and `track` or `language`, not both.
    """
    stated = digests.stated(request)
    if content_type(request)[0] == JSON:
        return await blocking(accepted, user_id, *await blocking(by_url.create, request, user_id, _key(request)))
    check_head(request)
    head = Received(name_in_head(request), options.parse(_options(request)))
    once = (_key(request), _fingerprint(request))
    size = content_length(request) or 0
    job_id, new = await blocking(intake.open_job, user_id, head.filename, head.options, *once, size)
    if not new:
        return await blocking(accepted, user_id, job_id)
    try:
        event_id = await _store(request, job_id, head, stated)
    except claims.ClaimLost:
        raise owners.wrong_state(user_id, job_id, "sent a video") from None
    except BaseException:
        await blocking(intake.discard, job_id)
        raise
    return await blocking(accepted, user_id, job_id, event_id)


@routes.operation(
    "POST",
    "/v1/batches",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(json_body(NewBatch, most=MAX_BATCH_BYTES), KEY),
    answers={202: TAKEN},
    problems=("bad-option",),
)
def create_batch(request: Request, user_id: str, body: NewBatch) -> Response:
    """Have up to 1,000 videos fetched by URL and converted.

    Each item has its own result, in the same order. `GET /v1/jobs?batch=…` lists the jobs later.
    """
    no_query(request, by_url.IN_THE_BODY)
    batch_id, event_ids = batches.create(user_id, body, _key(request))
    response = json_response(batches.view(batch_id), 202)
    response.background = afterwards(outbox.send_all, event_ids)
    return response


@routes.operation(
    "POST",
    "/v1/jobs/<job_id>/retry",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID, json_body(Again, optional=True)),
    answers={202: ACCEPTED},
    problems=("bad-option", "not-found", "quota-exceeded", "too-busy", "wrong-state"),
    wakes=("convert",),
)
def retry_job(request: Request, user_id: str, job_id: str, body: Again) -> Response:
    """Queue a job again that failed or was cancelled, or one that is done and keeps its video.

    The MP3 that there is can be downloaded until there is another one, also if there never is.
    """
    no_query(request, by_url.IN_THE_BODY)
    chosen = None if body.options is UNSET else options.parse(body.options)
    owners.job_of(user_id, job_id)
    admission.check_now()
    event_id = transitions.retry_within_quotas(user_id, job_id, chosen)
    if event_id is None:
        raise owners.wrong_state(user_id, job_id, "retried", "Its video is not here: upload it again.")
    return accepted(user_id, job_id, event_id)


def _options(request: Request) -> dict[str, str]:
    return {name: value for name, value in query(request).items() if name != "filename"}


async def _store(request: Request, job_id: str, head: Received, stated: dict[str, str]) -> str:
    claim = await blocking(claims.claim_upload, job_id)
    async with entered(blobs.store().writing(claim.video)) as writer:
        received = await receive(request, head, leases.keeping(claim, writer.write, _pause))
        digests.verify(stated, writer.sha256())
    return await blocking(_queue, claim, received, writer.size_bytes, writer.sha256())


def _queue(claim: claims.Claim, received: Received, size_bytes: int, sha256: str) -> str:
    with intake.whole(claim):
        return duplicates.take_in(claim, received.filename, received.options, size_bytes, sha256)


def _pause() -> float:
    return pause_seconds(1.0, settings.number("LEASE_SECONDS") * LOOKED_AFTER)


def _key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= 255:
        raise Problem("bad-request", "An Idempotency-Key has 1 to 255 characters.")
    return key


def _fingerprint(request: Request) -> str:
    asked = request.scope["query_string"].decode(errors="replace")
    parts = (content_type(request)[0], str(content_length(request)), asked, *digests.stated(request).values())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
