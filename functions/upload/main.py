"""A video in a request, or video.submitted with its URL → a queued job, and video.uploaded."""

from __future__ import annotations

import hashlib

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.shared import blobs, database, options, outbox, owners
from functions.shared.api import Api, json_response
from functions.shared.bodies import content_length, content_type, query
from functions.shared.jobs import claims, duplicates, leases, transitions
from functions.shared.operations import JSON, Access
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.subscriber import deliver
from functions.shared.takes import json_body
from functions.shared.views import JOB_ID, job_view
from functions.shared.web import afterwards, answer
from functions.upload import batches, by_url, digests, intake, submitted
from functions.upload.body import Received, check_head, name_in_head, receive
from functions.upload.digests import DIGESTS
from functions.upload.shapes import ACCEPTED, FILENAME, KEY, OPTIONS, VIDEO
from functions.upload.url_shapes import BY_URL, TAKEN, NewBatch

# A thousand URLs of the greatest length, with names and options.
MAX_BATCH_BYTES = 4 * 1024 * 1024

routes = Api(lambda: database.ping(), lambda: blobs.store().ping())


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
    problems=("quota-exceeded", "too-busy"),
    wakes=("convert", "download"),
    # All of the video is flushed to the disk first.
    seconds=300,
)
def create_job(request: Request, user_id: str) -> Response:
    """Upload a video and have it converted.

    The video is the whole body, or the field `file` of a form; or JSON says from where it is to be fetched. Give
    `quality` or `bitrate`, not both; and `track` or `language`, not both.
    """
    stated = digests.stated(request)
    if content_type(request)[0] == JSON:
        return _accepted(user_id, *by_url.create(request, user_id, _key(request)))
    check_head(request)
    head = Received(name_in_head(request), options.parse(_options(request)))
    once = (_key(request), _fingerprint(request))
    job_id, new = intake.open_job(user_id, head.filename, head.options, *once, content_length(request) or 0)
    if not new:
        return _accepted(user_id, job_id)
    try:
        event_id = _store(request, job_id, head, stated)
    except claims.ClaimLost:
        raise Problem("not-found", "The job was deleted while its video came in.") from None
    except BaseException:
        intake.discard(job_id)
        raise
    return _accepted(user_id, job_id, event_id)


@routes.operation(
    "POST",
    "/v1/batches",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(json_body(NewBatch, most=MAX_BATCH_BYTES), KEY),
    answers={202: TAKEN},
)
def create_batch(request: Request, user_id: str, body: NewBatch) -> Response:
    """Have up to 1,000 videos fetched by URL and converted.

    Each item has its own result, in the same order. `GET /v1/jobs?batch=…` lists the jobs later.
    """
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
    takes=(JOB_ID,),
    answers={202: ACCEPTED},
    problems=("not-found", "quota-exceeded", "wrong-state"),
    wakes=("convert",),
)
def retry_job(_request: Request, user_id: str, job_id: str) -> Response:
    """Queue a failed or cancelled job again."""
    owners.job_of(user_id, job_id)
    event_id = transitions.retry_within_quotas(user_id, job_id)
    if event_id is None:
        raise owners.wrong_state(user_id, job_id, "retried")
    return _accepted(user_id, job_id, event_id)


def _options(request: Request) -> dict[str, str]:
    return {name: value for name, value in query(request).items() if name != "filename"}


def _store(request: Request, job_id: str, head: Received, stated: dict[str, str]) -> str:
    claim = claims.claim_upload(job_id)
    with blobs.store().writing(claim.video) as writer:
        received = receive(request, head, leases.keeping(claim, writer.write))
        digests.verify(stated, writer.sha256())
    return duplicates.take_in(claim, received.filename, received.options, writer.size_bytes, writer.sha256())


def _accepted(user_id: str, job_id: str, event_id: str | None = None) -> Response:
    response = json_response(job_view(owners.job_of(user_id, job_id)), 202, {"Location": f"/v1/jobs/{job_id}"})
    if event_id is not None:
        # After the answer: a broker that is down must not keep the client waiting.
        response.background = afterwards(outbox.send, event_id)
    return response


def _key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= 255:
        raise Problem("bad-request", "An Idempotency-Key has 1 to 255 characters.")
    return key


def _fingerprint(request: Request) -> str:
    asked = request.scope["query_string"].decode(errors="replace")
    parts = (content_type(request)[0], str(content_length(request)), asked, *digests.stated(request).values())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
