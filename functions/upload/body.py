"""Reads a video out of a request, piece by piece: the whole body, or the field `file` of a form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser
from starlette.requests import Request
from werkzeug.http import parse_options_header

from functions.shared import options, settings
from functions.shared.bodies import content_length, content_type, pieces, query
from functions.shared.problems import Problem
from functions.shared.sizes import FORM_OVERHEAD, too_large
from functions.shared.visible import visible

__all__ = ["Received", "check_head", "clean_name", "name_in_head", "receive"]

FIELD_BYTES = 1024
UNNAMED = "video"


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


def receive(request: Request, head: Received, write: Callable[[bytes], None]) -> Received:
    """Hand every piece of the video to `write`, at most 256 KiB at a time.

    Returns: `head`, with what a form says over it.
    Raises: Problem when the body is cut short, is no sound form, or is larger than MAX_UPLOAD_BYTES.
    """
    write = _limited(write)
    kind, parameters = content_type(request)
    if kind == "multipart/form-data":
        form = _Form(write)
        form.read(parameters.get("boundary", ""), pieces(request))
        return Received(form.filename or head.filename, options.parse({**head.options, **form.options}))
    for piece in pieces(request):
        write(piece)
    return head


class _Form:
    """A multipart form that is read once, in pieces: `file` is passed on, the other fields are kept (RFC 7578)."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._found = False
        self.filename = ""
        self._values: dict[str, bytes] = {}

    @property
    def options(self) -> dict[str, str]:
        """The fields that are options, by name: there are no others."""
        return {name: value.decode(errors="replace") for name, value in self._values.items()}

    def read(self, boundary: str, pieces: Iterable[bytes]) -> None:
        """Read all of it. Raises: Problem when it is no sound form or has no `file`."""
        try:
            with PushMultipartParser(boundary, max_segment_count=32, max_header_count=8) as parser:
                for piece in pieces:
                    self._feed(parser, piece)
        except MultipartError as error:
            raise Problem("bad-request", f"The form cannot be read: {error}.") from None
        if not self._found:
            raise Problem("bad-request", "The form has no field `file`.")

    def _feed(self, parser: PushMultipartParser, piece: bytes) -> None:
        for result in parser.parse(piece):
            if isinstance(result, MultipartSegment):
                self._begin(result)
            elif result:
                self._take(bytes(result))

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


def _limited(write: Callable[[bytes], None]) -> Callable[[bytes], None]:
    left = settings.number("MAX_UPLOAD_BYTES")

    def limited(piece: bytes) -> None:
        nonlocal left
        left -= len(piece)
        if left < 0:
            raise too_large()
        write(piece)

    return limited


def clean_name(name: str) -> str:
    """The last part of a path, in Unicode NFC and one line, without what is not seen, 255 characters at the most.

    A mail's subject must not have two lines.
    """
    return visible(name.replace("\\", "/").rpartition("/")[2]).strip()[-255:].lstrip() or UNNAMED
