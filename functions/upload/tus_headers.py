"""The headers of the protocol tus: what requests say by them, and what answers do."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.requests import Request

from functions.shared import settings
from functions.shared.bodies import content_type
from functions.shared.middleware.resumable import PATH, VERSION
from functions.shared.problems import Problem
from functions.shared.sizes import too_large

if TYPE_CHECKING:
    from functions.upload.uploads import Upload

__all__ = [
    "ALGORITHMS",
    "FINAL",
    "MEDIA_TYPE",
    "Checksum",
    "brings_bytes",
    "check_version",
    "checksum",
    "concatenated",
    "offset",
    "progress",
    "state",
    "stated_size",
    "whole_number",
]

MEDIA_TYPE = "application/offset+octet-stream"
# Names of hashlib. sha1 is what each server has to know (section "Checksum").
ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
FINAL = "final;"
_UPLOAD = re.compile(rf"(?:https?://[^/]+)?(?:/.*)?{PATH}/([0-9a-f]{{32}})")
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Checksum:
    """What the client says that the bytes of its request digest to: an algorithm of hashlib, and the digest."""

    algorithm: str
    digest: bytes


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


def checksum(request: Request) -> Checksum | None:
    """Upload-Checksum: an algorithm, and the digest of the body in Base64. Raises: Problem (400)."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, digest = header.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise Problem("bad-request", f"Upload-Checksum knows {', '.join(ALGORITHMS)}.")
    found = Checksum(algorithm, _decoded(digest.strip()))
    if len(found.digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise Problem("bad-request", "Upload-Checksum is an algorithm, a space, and the digest in Base64.")
    return found


def _decoded(text: str) -> bytes:
    """What is meant by Base64; nothing at all if it is none."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def concatenated(concat: str) -> list[str]:
    """The ids of the uploads that a final one is made of, by its Upload-Concat. Raises: Problem (400)."""
    found = [_UPLOAD.fullmatch(url) for url in concat.removeprefix(FINAL).split()]
    ids = [each[1] for each in found if each]
    if not ids or len(ids) != len(found) or len(set(ids)) != len(ids):
        raise Problem("bad-request", "Upload-Concat is `partial`, or `final;` and the addresses of uploads, each once.")
    return ids


def progress(reached: int, expires_at: datetime | None) -> dict[str, str]:
    """How far an upload is, and until when it may go on."""
    told = {"Upload-Offset": str(reached)}
    return told if expires_at is None else {**told, "Upload-Expires": format_datetime(expires_at, usegmt=True)}


def state(upload: Upload) -> dict[str, str]:
    """All that is to be known of an upload; of nobody but its owner, so that it is not to be kept on the way."""
    told = {"Cache-Control": "no-store", **progress(upload.offset, upload.expires_at)}
    told |= {"Upload-Defer-Length": "1"} if upload.size is None else {"Upload-Length": str(upload.size)}
    more = {"Upload-Metadata": upload.metadata, "Upload-Concat": upload.concat}
    return told | {name: value for name, value in more.items() if value}
