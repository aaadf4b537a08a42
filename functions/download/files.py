"""The MP3, or the zip of several, as an HTTP response: Range, conditional requests, HEAD (RFC 9110, 13 and 14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from werkzeug.http import parse_etags, parse_range_header, unquote_etag

from functions.download import downloads
from functions.shared import blobs
from functions.shared.blobs import NoSuchBlob
from functions.shared.file_names import ending_of, renamed
from functions.shared.jobs import names
from functions.shared.jobs.states import State
from functions.shared.problems import Problem
from functions.shared.threads import each_in_thread

__all__ = ["PUBLIC", "attached", "check_there", "is_there", "read", "respond", "unmodified"]


# Of an answer to whoever has a link: the address lets anybody in, so nothing keeps it or passes it on.
PUBLIC = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


def respond(request: Request, job: Any, more: Mapping[str, str] | None = None) -> Response:
    """The MP3 of a job, or what was asked for of it; with `more` headers. Raises: Problem (409, 410, 412 or 416)."""
    check_there(job)
    headers = {**_headers(job), **(more or {})}
    _check_same(request, headers["ETag"])
    if unmodified(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    span = _span(request, headers["ETag"], job.audio_bytes)
    start, stop = span or (0, job.audio_bytes)
    headers["Content-Length"] = str(stop - start)
    if span:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{job.audio_bytes}"
    if request.method == "HEAD":
        return Response(headers=headers)
    pieces = read(job, start, stop)
    told = downloads.noted(job, pieces) if stop == job.audio_bytes else pieces
    return StreamingResponse(each_in_thread(told), 206 if span else 200, headers)


def check_there(job: Any) -> None:
    """Raises: Problem (409, 410) when the job has no MP3."""
    if job.state == State.EXPIRED:
        raise _expired()
    if not names.audio_of(job):
        raise Problem("wrong-state", f"There is no MP3: the job is {job.state}.", state=job.state)


def is_there(job: Any) -> bool:
    """Whether the job has an MP3."""
    return names.audio_of(job) is not None


def read(job: Any, start: int, stop: int) -> Iterator[bytes]:
    """The bytes of the MP3 of a job from `start` up to, not including, `stop`. Raises: Problem (410)."""
    try:
        return blobs.store().read(job.audio, start, stop)
    except NoSuchBlob:
        raise _expired() from None


def _headers(job: Any) -> dict[str, str]:
    return {
        "Content-Type": "application/zip" if ending_of(job) == "zip" else "audio/mpeg",
        "ETag": f'"{job.audio_sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": attached(renamed(job.filename, ending_of(job))),
    }


def attached(name: str) -> str:
    """attachment, named in ASCII for old clients and in UTF-8 for all others (RFC 6266, appendix D; RFC 8187)."""
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def unmodified(request: Request, etag: str) -> bool:
    """Whether the client has what this entity tag is of (RFC 9110, section 13.1.2)."""
    asked = parse_etags(request.headers.get("If-None-Match"))
    return bool(asked) and asked.contains_weak(unquote_etag(etag)[0] or "")


def _check_same(request: Request, etag: str) -> None:
    """Raises: Problem (412) when the client wants the file only as it knows it, and it is another one (13.1.1)."""
    wanted = parse_etags(request.headers.get("If-Match"))
    if wanted and not wanted.contains(unquote_etag(etag)[0] or ""):
        raise Problem("file-changed", "`If-Match` names another file than this one.", {"ETag": etag})


def _span(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """Where the range asked for starts and stops; None for the whole file, which also answers several ranges.

    Range is defined for GET alone (RFC 9110, section 14.2).
    Raises: Problem (416).
    """
    asked = parse_range_header(request.headers.get("Range"))
    if (
        request.method != "GET"
        or asked is None
        or asked.units != "bytes"
        or len(asked.ranges) != 1
        or request.headers.get("If-Range", etag) != etag
    ):
        return None
    start, stop = asked.ranges[0]
    start = max(size + start, 0) if start < 0 else start
    if start >= size:
        raise Problem("range-not-satisfiable", f"The file has {size} bytes.", {"Content-Range": f"bytes */{size}"})
    return start, min(stop or size, size)


def _expired() -> Problem:
    return Problem("expired", "Upload the video again to get a new MP3.")
