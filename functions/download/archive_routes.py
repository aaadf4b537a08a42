"""Many MP3s at once: a zip that is made while it is downloaded."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.download import archives
from functions.download.archive_shapes import ZIP, Archive, NewArchive
from functions.download.link_shapes import SIGNED
from functions.download.routes import routes
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.scopes import Scope
from functions.shared.takes import json_body

__all__ = ["make_archive", "read_archive"]


@routes.operation(
    "POST",
    "/v1/archives",
    tag="Files",
    access=Access.TOKEN,
    scope=Scope.JOBS_READ,
    takes=(json_body(NewArchive),),
    answers={201: Success("The link to it.", Archive)},
    problems=("not-found",),
    settings=("LINK_SECRET",),
)
def make_archive(_request: Request, user_id: str, body: NewArchive) -> Response:
    """Get a link to a zip of the MP3s of several jobs, good for an hour.

    Jobs that have no MP3 are passed over.
    """
    return json_response(archives.create(user_id, body.ids), 201)


@routes.operation(
    "GET",
    "/v1/archives/<signed>",
    tag="Files",
    access=Access.LINK,
    takes=(SIGNED,),
    answers={200: ZIP},
    problems=("not-found", "link-over"),
    settings=("LINK_SECRET",),
)
def read_archive(request: Request, signed: str) -> Response:
    """A zip of the MP3s that there are now of the jobs that it was asked for.

    It is made while it is sent, and begins anew when it breaks off. `Content-Length` says how large it is.
    """
    return archives.respond(request, signed)
