"""The headers of the protocol tus: what requests say by them, and what answers do."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.requests import Request

from functions.shared import settings
from functions.shared.bodies import content_type
from functions.shared.middleware.resumable import VERSION
from functions.shared.problems import Problem
from functions.shared.sizes import too_large

if TYPE_CHECKING:
    from functions.upload.uploads import Upload

__all__ = ["MEDIA_TYPE", "brings_bytes", "check_version", "offset", "progress", "state", "stated_size", "whole_number"]

MEDIA_TYPE = "application/offset+octet-stream"
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def check_version(request: Request) -> None:
    """Raises: Problem (412)."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Problem("tus-version", f"This is tus {VERSION}: send Tus-Resumable: {VERSION}.")


def brings_bytes(request: Request) -> bool:
    """Whether there are bytes of the upload in the body. Raises: Problem (415) for a body of another kind."""
    kind, _ = content_type(request)
    headers = request.headers
    if kind not in ("", MEDIA_TYPE) and (headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers):
        raise Problem("unsupported-media-type", f"Send the bytes as {MEDIA_TYPE}.")
    return kind == MEDIA_TYPE


def whole_number(request: Request, name: str) -> int | None:
    """The value of a header; None when it is not there. Raises: Problem (400) when it is no whole number."""
    value = request.headers.get(name)
    if value is not None and not _NUMBER.fullmatch(value):
        raise Problem("bad-request", f"{name} must be a whole number of bytes.")
    return None if value is None else int(value)


def offset(request: Request) -> int:
    """Upload-Offset. Raises: Problem (400)."""
    value = whole_number(request, "Upload-Offset")
    if value is None:
        raise Problem("bad-request", "Upload-Offset says where the bytes go.")
    return value


def stated_size(request: Request) -> int | None:
    """How many bytes a new upload will have; None when that is said later. Raises: Problem (400, 413)."""
    size, deferred = whole_number(request, "Upload-Length"), request.headers.get("Upload-Defer-Length")
    if (size is None) is not (deferred == "1") or deferred not in (None, "1"):
        raise Problem("bad-request", "Send either Upload-Length, or Upload-Defer-Length: 1.")
    if (size or 0) > settings.number("MAX_UPLOAD_BYTES"):
        raise too_large()
    return size


def progress(reached: int, expires_at: datetime | None) -> dict[str, str]:
    """How far an upload is, and until when it may go on."""
    told = {"Upload-Offset": str(reached)}
    return told if expires_at is None else {**told, "Upload-Expires": format_datetime(expires_at, usegmt=True)}


def state(upload: Upload) -> dict[str, str]:
    """All that is to be known of an upload; of nobody but its owner, so that it is not to be kept on the way."""
    told = {"Cache-Control": "no-store", **progress(upload.offset, upload.expires_at)}
    told |= {"Upload-Defer-Length": "1"} if upload.size is None else {"Upload-Length": str(upload.size)}
    return told | ({"Upload-Metadata": upload.metadata} if upload.metadata else {})
