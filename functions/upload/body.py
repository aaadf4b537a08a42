"""Reads a video out of a request, piece by piece: the whole body, or the field `file` of a form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser
from starlette.requests import Request
from werkzeug.http import parse_options_header

from functions.shared import options, settings
from functions.shared.bodies import PIECE, content_length, content_type, query
from functions.shared.file_names import UNNAMED, clean_name
from functions.shared.problems import Problem
from functions.shared.sizes import FORM_OVERHEAD, too_large
from functions.upload.stream import Disconnected, Sink, pieces

__all__ = ["Received", "check_head", "name_in_head", "receive"]

FIELD_BYTES = 1024


@dataclass(frozen=True)
class Received:
    """What came with a video: its name, and the conversion's options."""

    filename: str
    options: dict[str, Any]


def check_head(request: Request) -> None:
    """Refuse by the headers alone what would be refused later. Raises: Problem (413 or 415)."""
    kind, _ = content_type(request)
    if (
        kind != "multipart/form-data"
        and not kind.startswith(("video/", "audio/"))
        and kind not in ("", "application/octet-stream")
    ):
        raise Problem(
            "unsupported-media-type",
            "Send the video as the body, with Content-Type video/…, or as the field `file` of a multipart form.",
            {"Accept-Post": "video/*, audio/*, application/octet-stream, multipart/form-data, application/json"},
        )
    if (content_length(request) or 0) > settings.number("MAX_UPLOAD_BYTES") + FORM_OVERHEAD * (
        kind == "multipart/form-data"
    ):
        raise too_large()


def name_in_head(request: Request) -> str:
    """The video's name by ?filename= or Content-Disposition (RFC 6266, RFC 8187), cleaned."""
    _, disposition = parse_options_header(request.headers.get("Content-Disposition"))
    return clean_name(query(request).get("filename") or disposition.get("filename") or UNNAMED)


async def receive(request: Request, head: Received, write: Callable[[bytes], None]) -> Received:
    """Hand every piece of the video to `write`, in threads, at most a mebibyte at a time.

    Returns: `head`, with what a form says over it.
    Raises: Problem when the body is cut short, is no sound form, or is larger than MAX_UPLOAD_BYTES.
    """
    write = _limited(write)
    form = _form(request, write)
    try:
        async with Sink(_feeding(form.feed if form else write)) as sink:
            async for piece in pieces(request):
                await sink.put(piece)
            await sink.end()
    except Disconnected:
        raise Problem("bad-request", "The body ended before all of it was there; nothing was kept.") from None
    if form is None:
        return head
    form.end()
    return Received(form.filename or head.filename, options.parse({**head.options, **form.options}))


def _form(request: Request, write: Callable[[bytes], None]) -> _Form | None:
    """What reads the body, if it is a form. Raises: Problem when it cannot be read."""
    kind, parameters = content_type(request)
    return _Form(parameters.get("boundary", ""), write) if kind == "multipart/form-data" else None


def _feeding(take: Callable[[bytes], None]) -> Callable[[list[bytes]], None]:
    def feed(batch: list[bytes]) -> None:
        for data in batch:
            for start in range(0, len(data), PIECE):
                take(data[start : start + PIECE])

    return feed


class _Form:
    """A multipart form that is read once, in pieces: `file` is passed on, the other fields are kept (RFC 7578)."""

    def __init__(self, boundary: str, write: Callable[[bytes], None]) -> None:
        """Raises: Problem when there is no such boundary."""
        self._write = write
        with _readable():
            self._parser = PushMultipartParser(boundary, max_segment_count=32, max_header_count=8)
        self._found = False
        self.filename = ""
        self._values: dict[str, bytes] = {}

    @property
    def options(self) -> dict[str, str]:
        """The fields that are options, by name: there are no others."""
        return {name: value.decode(errors="replace") for name, value in self._values.items()}

    def feed(self, piece: bytes) -> None:
        """Read some of it. Raises: Problem when it is no sound form."""
        with _readable():
            for result in self._parser.parse(piece):
                if isinstance(result, MultipartSegment):
                    self._begin(result)
                elif result:
                    self._take(bytes(result))

    def end(self) -> None:
        """There is no more. Raises: Problem when that is not all of a form, or there was no `file`."""
        with _readable():
            self._parser.close()
        if not self._found:
            raise Problem("bad-request", "The form has no field `file`.")

    def _begin(self, segment: MultipartSegment) -> None:
        self._name = segment.name
        if segment.name != "file":
            return self._begin_option(segment)
        if self._found:
            raise Problem("bad-request", "Send one `file` in a form.")
        self._found, self.filename = True, clean_name(segment.filename) if segment.filename else ""
        return None

    def _begin_option(self, segment: MultipartSegment) -> None:
        name = segment.name
        if segment.filename:
            raise Problem("bad-request", f"The video must be the field `file`, not `{name[:40]}`.")
        options.check_name(name)
        if name in self._values:
            raise Problem("bad-request", f"Send one `{name}` in a form.")
        self._values[name] = b""

    def _take(self, data: bytes) -> None:
        if self._name == "file":
            return self._write(data)
        so_far = self._values[self._name] + data
        if len(so_far) > FIELD_BYTES:
            raise Problem("bad-request", f"A form field has at most {FIELD_BYTES} bytes.")
        self._values[self._name] = so_far
        return None


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except MultipartError as error:
        raise Problem("bad-request", f"The form cannot be read: {error}.") from None


def _limited(write: Callable[[bytes], None]) -> Callable[[bytes], None]:
    left = settings.number("MAX_UPLOAD_BYTES")

    def limited(piece: bytes) -> None:
        nonlocal left
        left -= len(piece)
        if left < 0:
            raise too_large()
        write(piece)

    return limited
