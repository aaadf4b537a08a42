"""Jobs and their MP3s: list, read, follow live, cancel, delete, download."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from functions.download import archive_routes, export, file_routes, listing, live, waiting
from functions.download.routes import routes
from functions.download.shapes import LAST_EVENT_ID, WAIT, ChosenJobs, DeletedJobs, Event, JobPage, NewName, PageQuery
from functions.shared import audit, owners, unwanted
from functions.shared.api import json_response
from functions.shared.jobs import transitions
from functions.shared.middleware.telemetry import REQUEST_ID
from functions.shared.operations import ANSWER_SECONDS, Access, Success
from functions.shared.scopes import Scope
from functions.shared.takes import json_body, query
from functions.shared.threads import each_in_thread
from functions.shared.views import JOB_ID, Job
from functions.shared.web import afterwards, answer

# To import them is to serve what they declare.
OTHERS = (file_routes, archive_routes)


@functions_framework.aio.http
async def download(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.operation(
    "GET",
    "/v1/jobs",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(query(PageQuery),),
    answers={200: Success("One page.", JobPage)},
    settings=("LINK_SECRET",),
    wakes=("upload",),
)
def list_jobs(_request: Request, user_id: str, query: PageQuery) -> Response:
    """Your jobs, newest first; all, or those that you look for."""
    return json_response(listing.page(user_id, query))


@routes.operation(
    "GET",
    "/v1/jobs/<job_id>",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(JOB_ID, *WAIT),
    answers={
        200: Success("The job.", Job, headers=("ETag",)),
        304: Success("It is as you know it.", headers=("ETag",)),
    },
    problems=("not-found",),
    settings=("LINK_SECRET",),
    seconds=2 * ANSWER_SECONDS,
)
async def read_job(request: Request, user_id: str, job_id: str) -> Response:
    """One job.

    With `Prefer: wait` (RFC 7240), the answer comes when the job gets into another state, or at once when it is over;
    with `If-None-Match` beside it, when anything has changed. After 50 seconds it comes in any case.
    """
    return await waiting.answer(request, user_id, job_id)


@routes.operation(
    "PATCH",
    "/v1/jobs/<job_id>",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID, json_body(NewName, optional=True)),
    answers={200: Success("The job.", Job)},
    problems=("not-found", "wrong-state"),
    settings=("LINK_SECRET",),
)
def rename_job(_request: Request, user_id: str, job_id: str, body: NewName) -> Response:
    """Rename a job; its MP3 is called so, too, when it is downloaded.

    Not while its video comes in, which brings its name, nor when its files are gone.
    """
    return json_response(listing.rename(user_id, job_id, body))


@routes.operation(
    "DELETE",
    "/v1/jobs/<job_id>",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID,),
    answers={204: Success("It is gone.")},
    problems=("not-found",),
)
def delete_job(request: Request, user_id: str, job_id: str) -> Response:
    """Delete a job with its files, whatever it is doing.

    A conversion that is running stops, and so does a video that comes in.
    """
    listing.delete(job_id, audit.Actor(user_id, request.headers[REQUEST_ID]))
    return Response(status_code=204)


@routes.operation(
    "POST",
    "/v1/jobs/delete",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(json_body(ChosenJobs),),
    answers={200: Success("They are gone.", DeletedJobs)},
)
def delete_jobs(request: Request, user_id: str, body: ChosenJobs) -> Response:
    """Delete several jobs with their files, whatever they are doing.

    Those that are not there any more are passed over.
    """
    deleted = listing.delete_all(body.ids, audit.Actor(user_id, request.headers[REQUEST_ID]))
    response = json_response(DeletedJobs(deleted))
    # After the answer: sweep deletes what is left of them.
    response.background = afterwards(unwanted.delete_of_all, deleted)
    return response


@routes.operation(
    "POST",
    "/v1/jobs/<job_id>/cancel",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID,),
    answers={200: Success("The job.", Job)},
    problems=("not-found", "wrong-state"),
    settings=("LINK_SECRET",),
)
def cancel_job(_request: Request, user_id: str, job_id: str) -> Response:
    """Stop a job that is not over.

    A conversion that is running stops, and so does a video that comes in: then nothing is kept of it.
    """
    owners.job_of(user_id, job_id)
    if not transitions.cancel(job_id):
        raise owners.wrong_state(user_id, job_id, "cancelled")
    response = json_response(listing.whole(owners.job_of(user_id, job_id)))
    # After the answer: what is left of hours of conversion is in thousands of files.
    response.background = afterwards(unwanted.delete_of, job_id)
    return response


@routes.operation(
    "GET",
    "/v1/jobs/events",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(LAST_EVENT_ID,),
    answers={200: Success("Server-sent events, each of them so.", Event, ("text/event-stream",))},
    settings=("LINK_SECRET",),
)
async def follow_jobs(request: Request, user_id: str) -> Response:
    """All your jobs as they change.

    First come those that are not over; with Last-Event-ID, what you missed. The stream ends before ten minutes are
    over: connect again with Last-Event-ID.
    """
    return await live.follow_all(request.state.caller, request.headers.get("Last-Event-ID", ""))


@routes.operation(
    "GET",
    "/v1/jobs/<job_id>/events",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(JOB_ID, LAST_EVENT_ID),
    answers={200: Success("Server-sent events, each of them so.", Event, ("text/event-stream",))},
    problems=("not-found",),
    settings=("LINK_SECRET",),
)
async def follow_job(request: Request, user_id: str, job_id: str) -> Response:
    """A job as it changes.

    The stream ends with the job, and before ten minutes are over in any case: connect again with Last-Event-ID.
    """
    return await live.follow_one(request.state.caller, job_id, request.headers.get("Last-Event-ID", ""))


@routes.operation(
    "GET",
    "/v1/me/export",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    answers={200: Success("The zip.", {}, ("application/zip",), ("Content-Disposition",))},
)
def export_account(request: Request, user_id: str) -> Response:
    """All that is kept of the account: rows as lines of JSON, videos and MP3s, in a zip.

    It is made while it is sent, so that it has no length beforehand, and begins anew when it breaks off.
    """
    export.check(user_id)
    disposition = {"Content-Disposition": f'attachment; filename="{export.FILENAME}"', "Cache-Control": "no-store"}
    pieces = iter(()) if request.method == "HEAD" else export.pieces(user_id)
    return StreamingResponse(each_in_thread(pieces), headers=disposition, media_type="application/zip")
