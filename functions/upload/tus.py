"""Resumable uploads: the protocol tus 1.0.0 (https://tus.io/protocols/resumable-upload), routes and headers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.shared import settings
from functions.shared.middleware.resumable import PATH, VERSION
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.views import JOB_ID
from functions.upload import metadata, receiving, tus_headers, uploads
from functions.upload.routes import announced, routes
from functions.upload.shapes import APPENDED, BYTES, CREATED, LATE_LENGTH, NEW_UPLOAD, RESUMABLE, UPLOAD
from functions.upload.threads import blocking

__all__ = ["append_upload", "create_upload", "describe_uploads", "read_upload", "terminate_upload"]

EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,termination"
OF_ONE = ("not-found", "expired", "tus-version")


@routes.operation(
    "OPTIONS",
    PATH,
    tag="Uploads",
    access=Access.PUBLIC,
    answers={204: Success("In headers.", headers=("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size"))},
)
async def describe_uploads(_request: Request) -> Response:
    """What the server can do of the protocol tus."""
    limit = str(settings.number("MAX_UPLOAD_BYTES"))
    told = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": limit}
    return Response(status_code=204, headers=told)


@routes.operation(
    "POST",
    PATH,
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(RESUMABLE, NEW_UPLOAD, BYTES),
    answers={201: CREATED},
    problems=("quota-exceeded", "too-busy", "storage-full", "tus-version"),
    wakes=("convert", "download"),
    seconds=300,
)
async def create_upload(request: Request, user_id: str) -> Response:
    """Begin a resumable upload.

    The body may bring the first bytes. The upload's id is the job's.
    """
    tus_headers.check_version(request)
    size, header = tus_headers.stated_size(request), request.headers.get("Upload-Metadata", "")
    filename, options = metadata.read(header)
    brings = tus_headers.brings_bytes(request)
    new = uploads.Upload(uploads.new_id(), size, 0, header)
    taken = await blocking(uploads.create, user_id, filename, options, new)
    arrived = await receiving.receive(request, user_id, taken, brings=brings)
    headers = {"Location": f"{PATH}/{new.job_id}", **tus_headers.progress(arrived.offset, arrived.expires_at)}
    return announced(Response(status_code=201, headers=headers), arrived.event_id)


@routes.operation(
    "HEAD",
    f"{PATH}/<job_id>",
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID, RESUMABLE),
    answers={200: UPLOAD},
    problems=OF_ONE,
)
async def read_upload(request: Request, user_id: str, job_id: str) -> Response:
    """How much of an upload has arrived."""
    tus_headers.check_version(request)
    upload = await blocking(uploads.find, user_id, job_id)
    event_id = await blocking(receiving.settle, user_id, upload)
    return announced(Response(status_code=200, headers=tus_headers.state(upload)), event_id)


@routes.operation(
    "PATCH",
    f"{PATH}/<job_id>",
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID, RESUMABLE, BYTES, LATE_LENGTH),
    answers={204: APPENDED},
    problems=(
        *OF_ONE,
        "final-upload",
        "quota-exceeded",
        "storage-full",
        "upload-taken-over",
        "wrong-offset",
        "wrong-state",
    ),
    wakes=("convert", "download"),
    seconds=300,
)
async def append_upload(request: Request, user_id: str, job_id: str) -> Response:
    """Bring the next bytes of an upload.

    What arrived of a request that breaks off is kept. A request that lasts long is answered before its end: go on
    from the offset in the answer.
    """
    tus_headers.check_version(request)
    if not tus_headers.brings_bytes(request):
        raise Problem("unsupported-media-type", f"Send the bytes as {tus_headers.MEDIA_TYPE}.")
    offset, size = tus_headers.offset(request), tus_headers.whole_number(request, "Upload-Length")
    taken = await blocking(uploads.take, user_id, job_id, offset, size)
    arrived = await receiving.receive(request, user_id, taken)
    headers = tus_headers.progress(arrived.offset, arrived.expires_at)
    return announced(Response(status_code=204, headers=headers), arrived.event_id)


@routes.operation(
    "DELETE",
    f"{PATH}/<job_id>",
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(JOB_ID, RESUMABLE),
    answers={204: Success("It is gone.", headers=("Tus-Resumable",))},
    problems=OF_ONE,
)
async def terminate_upload(request: Request, user_id: str, job_id: str) -> Response:
    """Give an upload up, and delete what has arrived.

    Of a complete one, that is its job with its files.
    """
    tus_headers.check_version(request)
    await blocking(uploads.delete, user_id, job_id)
    return Response(status_code=204)
