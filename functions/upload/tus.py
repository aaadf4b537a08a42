"""Resumable uploads: the protocol tus 1.0.0 (https://tus.io/protocols/resumable-upload), routes and headers."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.shared import audit, settings
from functions.shared.middleware.resumable import PATH, VERSION
from functions.shared.middleware.telemetry import REQUEST_ID
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.takes import no_query
from functions.upload import concatenation, metadata, receiving, tus_headers, uploads
from functions.upload.routes import announced, routes
from functions.upload.shapes import (
    APPENDED,
    BYTES,
    CHECKSUM,
    CREATED,
    DESCRIBED,
    LATE_LENGTH,
    NEW_UPLOAD,
    RESUMABLE,
    UPLOAD,
    UPLOAD_ID,
)
from functions.upload.threads import blocking

__all__ = ["append_upload", "create_upload", "describe_uploads", "read_upload", "routes", "terminate_upload"]

EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation"
OF_ONE = ("not-found", "expired", "tus-version")


@routes.operation(
    "OPTIONS",
    PATH,
    tag="Uploads",
    access=Access.PUBLIC,
    answers={204: DESCRIBED},
)
async def describe_uploads(_request: Request) -> Response:
    """What the server can do of the protocol tus."""
    limit = str(settings.number("MAX_UPLOAD_BYTES"))
    told = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": limit}
    told |= {"Tus-Checksum-Algorithm": ",".join(tus_headers.ALGORITHMS)}
    return Response(status_code=204, headers=told)


@routes.operation(
    "POST",
    PATH,
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(RESUMABLE, NEW_UPLOAD, CHECKSUM, BYTES),
    answers={201: CREATED},
    problems=(
        *OF_ONE,
        "checksum-mismatch",
        "quota-exceeded",
        "too-busy",
        "storage-full",
        "upload-taken-over",
        "wrong-state",
    ),
    wakes=("convert", "download"),
    seconds=300,
)
async def create_upload(request: Request, user_id: str) -> Response:
    """Begin a resumable upload.

    The body may bring the first bytes. The upload's id is the job's. With `Upload-Concat: final;…` it is put together
    of others, which are gone by that.
    """
    tus_headers.check_version(request)
    no_query(request, "what is wanted of an upload stands in Upload-Metadata")
    header, concat = request.headers.get("Upload-Metadata", ""), request.headers.get("Upload-Concat", "")
    named = metadata.read(header)
    if concat.startswith(tus_headers.FINAL):
        return await _concatenate(user_id, named, header, concat)
    if concat not in ("", uploads.PARTIAL):
        raise Problem("bad-request", "Upload-Concat is `partial`, or `final;` and the addresses of uploads.")
    new = uploads.Upload(uploads.new_id(), tus_headers.stated_size(request), 0, header, concat)
    brings, checksum = tus_headers.brings_bytes(request), tus_headers.checksum(request)
    taken = await blocking(uploads.create, user_id, *named, new)
    try:
        arrived = await receiving.receive(request, user_id, taken, checksum, brings=brings)
    except BaseException:
        # Its address was not told yet: nobody could go on with it.
        await blocking(uploads.discard, _actor(request, user_id), new.job_id)
        raise
    return announced(_created(new.job_id, tus_headers.progress(arrived.offset, arrived.expires_at)), arrived.event_id)


@routes.operation(
    "HEAD",
    f"{PATH}/<upload_id>",
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(UPLOAD_ID, RESUMABLE),
    answers={200: UPLOAD},
    problems=OF_ONE,
)
async def read_upload(request: Request, user_id: str, upload_id: str) -> Response:
    """How much of an upload has arrived."""
    tus_headers.check_version(request)
    upload = await blocking(uploads.find, user_id, upload_id)
    event_id = await blocking(receiving.settle, user_id, upload)
    return announced(Response(status_code=200, headers=tus_headers.state(upload)), event_id)


@routes.operation(
    "PATCH",
    f"{PATH}/<upload_id>",
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(UPLOAD_ID, RESUMABLE, BYTES, CHECKSUM, LATE_LENGTH),
    answers={204: APPENDED},
    problems=(
        *OF_ONE,
        "checksum-mismatch",
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
async def append_upload(request: Request, user_id: str, upload_id: str) -> Response:
    """Bring the next bytes of an upload.

    What arrived of a request that breaks off is kept. A request that lasts long is answered before its end: go on
    from the offset in the answer.
    """
    tus_headers.check_version(request)
    if not tus_headers.brings_bytes(request):
        raise Problem("unsupported-media-type", f"Send the bytes as {tus_headers.MEDIA_TYPE}.")
    offset, size = tus_headers.offset(request), tus_headers.whole_number(request, "Upload-Length")
    checksum = tus_headers.checksum(request)
    taken = await blocking(uploads.take, user_id, upload_id, offset, size)
    arrived = await receiving.receive(request, user_id, taken, checksum)
    headers = tus_headers.progress(arrived.offset, arrived.expires_at)
    return announced(Response(status_code=204, headers=headers), arrived.event_id)


@routes.operation(
    "DELETE",
    f"{PATH}/<upload_id>",
    tag="Uploads",
    access=Access.TOKEN,
    scope=Scope.JOBS_WRITE,
    takes=(UPLOAD_ID, RESUMABLE),
    answers={204: Success("It is gone.", headers=("Tus-Resumable",))},
    problems=OF_ONE,
)
async def terminate_upload(request: Request, user_id: str, upload_id: str) -> Response:
    """Give an upload up, and delete what has arrived.

    Of a complete one, that is its job with its files.
    """
    tus_headers.check_version(request)
    await blocking(uploads.delete, _actor(request, user_id), upload_id)
    return Response(status_code=204)


def _actor(request: Request, user_id: str) -> audit.Actor:
    return audit.Actor(user_id, request.headers[REQUEST_ID])


async def _concatenate(user_id: str, named: tuple[str, dict[str, Any]], header: str, concat: str) -> Response:
    parts = tus_headers.concatenated(concat)
    upload, event_id = await blocking(concatenation.concatenate, user_id, named, header, concat, parts)
    return announced(_created(upload.job_id, tus_headers.progress(upload.offset, None)), event_id)


def _created(upload_id: str, progress: dict[str, str]) -> Response:
    return Response(status_code=201, headers={"Location": f"{PATH}/{upload_id}", **progress})
