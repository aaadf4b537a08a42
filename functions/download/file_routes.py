"""MP3s, one by one: to their owners, and by signed links to everybody else."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.download import files, links, waveforms
from functions.download.link_shapes import LINK_ID, SIGNED, FileLink, FileLinkList, NewLink
from functions.download.routes import routes
from functions.download.shapes import CONDITIONS, FILE, FILE_PROBLEMS, Waveform
from functions.shared import link_pages, owners
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.takes import json_body
from functions.shared.views import JOB_ID

__all__ = ["list_links", "make_link", "read_audio", "read_peaks", "read_signed", "revoke_link", "revoke_links"]


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
    "/v1/jobs/<job_id>/peaks",
    tag="Files",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(JOB_ID, CONDITIONS[-1]),
    answers={
        200: Success("The waveform.", Waveform, headers=("ETag",)),
        304: Success("The copy you have is good.", headers=("ETag",)),
    },
    problems=("not-found", "wrong-state", "expired"),
)
def read_peaks(request: Request, user_id: str, job_id: str) -> Response:
    """The waveform of the MP3 of your job, to be drawn.

    Some MP3s have none: those whose sound was copied as it was, zips, and those of an older release.
    """
    return waveforms.respond(request, owners.job_of(user_id, job_id))


@routes.operation(
    "GET",
    "/v1/files/<signed>",
    tag="Files",
    access=Access.LINK,
    takes=(SIGNED, *CONDITIONS),
    answers=FILE,
    problems=(*FILE_PROBLEMS, "link-over"),
    settings=("LINK_SECRET",),
)
def read_signed(request: Request, signed: str) -> Response:
    """The MP3 of a job, by a signed link and without a token.

    The link is in the job (`links.download`) and in the mail, and is good as long as the file; or its owner has made
    it. A browser is told by a page when it leads to no file.
    """
    try:
        return files.respond(request, links.job_behind(signed), files.PUBLIC)
    except Problem as problem:
        return link_pages.told(request, problem)


@routes.operation(
    "POST",
    "/v1/jobs/<job_id>/links",
    tag="Files",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID, json_body(NewLink, optional=True)),
    answers={201: Success("The link.", FileLink)},
    problems=("not-found", "wrong-state", "expired", "too-many-links"),
    settings=("LINK_SECRET",),
)
def make_link(_request: Request, user_id: str, job_id: str, body: NewLink) -> Response:
    """Make a signed link to the MP3, which can be revoked.

    Whoever has it can download the MP3 without signing in, until the link ends, or the file.
    """
    return json_response(links.create(user_id, job_id, body), 201)


@routes.operation(
    "GET",
    "/v1/jobs/<job_id>/links",
    tag="Files",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(JOB_ID,),
    answers={200: Success("The links.", FileLinkList)},
    problems=("not-found",),
    settings=("LINK_SECRET",),
)
def list_links(_request: Request, user_id: str, job_id: str) -> Response:
    """The links that you have made and that are good, newest first."""
    return json_response(links.every(user_id, job_id))


@routes.operation(
    "DELETE",
    "/v1/jobs/<job_id>/links",
    tag="Files",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID,),
    answers={204: Success("None of them opens the file any more.")},
    problems=("not-found",),
)
def revoke_links(_request: Request, user_id: str, job_id: str) -> Response:
    """Revoke every signed link to the MP3 that anybody has.

    Those in mails and in what was read of the job (`links.download`), too. The job has a new one from then on.
    """
    links.revoke_all(owners.job_of(user_id, job_id).id)
    return Response(status_code=204)


@routes.operation(
    "DELETE",
    "/v1/jobs/<job_id>/links/<link_id>",
    tag="Files",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID, LINK_ID),
    answers={204: Success("It does not open the file any more.")},
    problems=("not-found",),
)
def revoke_link(_request: Request, user_id: str, job_id: str, link_id: str) -> Response:
    """Revoke a link."""
    links.revoke(owners.job_of(user_id, job_id).id, link_id)
    return Response(status_code=204)
