"""Jobs and their MP3s: list, read, follow live, cancel, delete, download."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.download import files, listing, live
from functions.shared import blobs, database, owners, tokens
from functions.shared.jobs import transitions
from functions.shared.routing import Routes
from functions.shared.web import answer, json_response

routes = Routes(lambda: database.ping(), lambda: blobs.store().ping())


@functions_framework.aio.http
async def download(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("GET", "/v1/jobs")
def list_jobs(request: Request) -> Response:
    """?state=&cursor=&limit= → {items, next_cursor}, newest first."""
    user_id = tokens.bearer(request.headers.get("Authorization"))
    return json_response(listing.page(user_id, request.query_params))


@routes.add("GET", "/v1/jobs/<job_id>")
def read_job(request: Request, job_id: str) -> Response:
    """The job."""
    job = owners.job_of(tokens.bearer(request.headers.get("Authorization")), job_id)
    return json_response(listing.view(job))


@routes.add("DELETE", "/v1/jobs/<job_id>")
def delete_job(request: Request, job_id: str) -> Response:
    """The job, its files and its history are gone; a running conversion stops."""
    listing.delete(tokens.bearer(request.headers.get("Authorization")), job_id)
    return Response(status_code=204)


@routes.add("POST", "/v1/jobs/<job_id>/cancel")
def cancel_job(request: Request, job_id: str) -> Response:
    """A queued or converting job → cancelled."""
    user_id = tokens.bearer(request.headers.get("Authorization"))
    owners.job_of(user_id, job_id)
    if not transitions.cancel(job_id):
        raise owners.wrong_state(user_id, job_id, "cancelled")
    return json_response(listing.view(owners.job_of(user_id, job_id)))


@routes.add("GET", "/v1/jobs/<job_id>/events")
def follow_job(request: Request, job_id: str) -> Response:
    """Every change of the job as it happens (server-sent events), from Last-Event-ID on."""
    user_id = tokens.bearer(request.headers.get("Authorization"))
    owners.job_of(user_id, job_id)
    return live.stream(user_id, job_id, request.headers.get("Last-Event-ID", ""))


@routes.add("GET", "/v1/jobs/<job_id>/audio")
def read_audio(request: Request, job_id: str) -> Response:
    """The MP3: whole or a range, or only its headers."""
    job = owners.job_of(tokens.bearer(request.headers.get("Authorization")), job_id)
    return files.respond(request, job)


@routes.add("GET", "/v1/files/<signed>")
def read_signed(request: Request, signed: str) -> Response:
    """The same, for whoever holds the link."""
    job = files.job_behind(signed)
    return files.respond(request, job)
