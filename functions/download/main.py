"""Jobs and their MP3s: list, read, follow live, cancel, delete, download."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from functions.download import export, files, listing, live
from functions.download.shapes import CONDITIONS, FILE, FILE_PROBLEMS, Event, JobPage, PageQuery
from functions.shared import audit, blobs, database, owners, unwanted
from functions.shared.api import Api, json_response
from functions.shared.jobs import transitions
from functions.shared.middleware.telemetry import REQUEST_ID
from functions.shared.operations import Access, Success, header, part
from functions.shared.scopes import Scope
from functions.shared.takes import query
from functions.shared.threads import each_in_thread
from functions.shared.views import JOB_ID, Job
from functions.shared.web import afterwards, answer

routes = Api(lambda: database.ping(), lambda: blobs.store().ping())


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
    """Your jobs, newest first."""
    return json_response(listing.page(user_id, query))


@routes.operation(
    "GET",
    "/v1/jobs/<job_id>",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(JOB_ID,),
    answers={200: Success("The job.", Job)},
    problems=("not-found",),
    settings=("LINK_SECRET",),
)
def read_job(_request: Request, user_id: str, job_id: str) -> Response:
    """One job."""
    return json_response(listing.view(owners.job_of(user_id, job_id)))


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
    response = json_response(listing.view(owners.job_of(user_id, job_id)))
    # After the answer: what is left of hours of conversion is in thousands of files.
    response.background = afterwards(unwanted.delete_of, job_id)
    return response


@routes.operation(
    "GET",
    "/v1/jobs/<job_id>/events",
    tag="Jobs",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(JOB_ID, header("Last-Event-ID", "The `id` of the last event you saw.", examples=["17"])),
    answers={200: Success("Server-sent events, each of them so.", Event, ("text/event-stream",))},
    problems=("not-found",),
    settings=("LINK_SECRET",),
)
def follow_job(request: Request, user_id: str, job_id: str) -> Response:
    """A job as it changes.

    The stream ends with the job, and after four minutes in any case: connect again with Last-Event-ID.
    """
    owners.job_of(user_id, job_id)
    return live.stream(user_id, job_id, request.headers.get("Last-Event-ID", ""))


@routes.operation(
    "GET",
    "/v1/jobs/<job_id>/audio",
    tag="Files",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(JOB_ID, *CONDITIONS),
    answers=FILE,
    problems=FILE_PROBLEMS,
)
def read_audio(request: Request, user_id: str, job_id: str) -> Response:
    """The MP3 of your job.

    HEAD gives the headers alone.
    """
    return files.respond(request, owners.job_of(user_id, job_id))


@routes.operation(
    "GET",
    "/v1/files/<signed>",
    tag="Files",
    access=Access.LINK,
    takes=(
        part(
            "signed",
            "The end of the link.",
            minLength=1,
            examples=["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjljIn0.c2lnbmF0dXJl"],
        ),
        *CONDITIONS,
    ),
    answers=FILE,
    problems=FILE_PROBLEMS,
    settings=("LINK_SECRET",),
)
def read_signed(request: Request, signed: str) -> Response:
    """The MP3 of a job, by a signed link and without a token.

    The link is in the job (`links.download`) and in the mail, and is good as long as the file.
    """
    return files.respond(request, files.job_behind(signed))


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
    if request.method == "HEAD":
        return Response(headers=disposition, media_type="application/zip")
    return StreamingResponse(each_in_thread(export.pieces(user_id)), headers=disposition, media_type="application/zip")
