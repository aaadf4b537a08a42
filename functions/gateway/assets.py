"""The files of the page, under an address with a hash of all of them: a browser keeps them for good."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from functions.shared.accepts import takes
from functions.shared.problems import Problem

__all__ = ["FILES", "LATER", "SHEET", "answered", "content", "document", "file", "version"]

FILES = Path(__file__).with_name("page")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    # Parts of a page, which its script puts into it.
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
# One request instead of nine. What the rest builds on comes first; what views need that few open is one of its own.
SHEET, LATER = "style/all.css", "style/later.css"
_LATER = ("style/account.css", "style/operator.css")
_FIRST = ("style/tokens.css", "style/base.css", "style/parts.css", "style/shell.css")
# What is sent by shell.py, at addresses of its own.
_PAGES = ("index.html", "missing.html")
_PART = re.compile(rb"<!-- include (\S+) -->\n?")
# Those that have a line, or several, to themselves.
_COMMENT = re.compile(rb"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)
# Their licences want to be in them.
_OF_OTHERS = "vendor/"
_YEAR = "public, max-age=31536000, immutable"
# What is compressed already.
_AS_IT_IS = (".woff2",)


@cache
def content() -> dict[str, bytes]:
    """Every file of the page by its path below FILES, and SHEET and LATER, which are all of style/ as two.

    HTML has its parts in it. Scripts and style sheets of our own are without comments, each line where it was.
    """
    paths = sorted(path for path in FILES.rglob("*") if path.is_file())
    found = {path.relative_to(FILES).as_posix(): path.read_bytes() for path in paths}
    found |= {name: _COMMENT.sub(_lines, data) for name, data in found.items() if _is_ours(name)}
    found |= {name: _with_parts(name, found) for name in found if name.endswith(".html")}
    others = sorted(name for name in found if name.startswith("style/") and name not in (*_FIRST, *_LATER))
    sheets = {SHEET: (*_FIRST, *others), LATER: _LATER}
    return {**found, **{sheet: b"".join(found[name] for name in names) for sheet, names in sheets.items()}}


def _is_ours(name: str) -> bool:
    return name.endswith((".js", ".css")) and not name.startswith(_OF_OTHERS)


def _lines(comment: re.Match[bytes]) -> bytes:
    return b"\n" * comment[0].count(b"\n")


def _with_parts(name: str, files: Mapping[str, bytes]) -> bytes:
    return _PART.sub(lambda part: _with_parts(part[1].decode(), files), files[name])


@cache
def version() -> str:
    """The hash of them all, in the address of each: modules refer to one another by relative addresses."""
    digest = hashlib.sha256()
    for name, data in content().items():
        digest.update(b"%s\0%d\0%s" % (name.encode(), len(data), data))
    return digest.hexdigest()[:16]


def file(request: Request, of_version: str, name: str) -> Response:
    """A file of the page. Raises: Problem (404).

    Under another version than ours, which is one of a release beside this one, or "current", it is what we have, and
    not to be kept.
    """
    kind = _TYPES.get(Path(name).suffix) if name not in _PAGES else None
    if kind is None or name not in content():
        raise Problem("not-found", "The page has no such file.")
    packed = None if name.endswith(_AS_IT_IS) else _packed(content()[name])
    if of_version != version():
        return answered(request, content()[name], packed, {"Content-Type": kind, "Cache-Control": "no-cache"})
    # Without a tag: it is never asked for again, and there are dozens of them.
    return _sent(request, content()[name], packed, {"Content-Type": kind, "Cache-Control": _YEAR})


def document(request: Request, data: bytes, kind: str) -> Response:
    """A document of a release, of that media type: asked for again each time, and sent again when it has changed."""
    return answered(request, data, _packed(data), {"Content-Type": kind, "Cache-Control": "no-cache"})


def answered(
    request: Request, data: bytes, packed: bytes | None, headers: dict[str, str], status: int = 200
) -> Response:
    """The response with `data`, or `packed` (the same by gzip) for who takes that; 304 for who has it already."""
    tag = f'W/"{hashlib.sha256(data).hexdigest()[:16]}"'
    headers = {**headers, "ETag": tag}
    if status == 200 and tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=_varied(headers, packed))
    return _sent(request, data, packed, headers, status)


def _sent(request: Request, data: bytes, packed: bytes | None, headers: dict[str, str], status: int = 200) -> Response:
    headers = _varied(headers, packed)
    if packed and takes(request.headers.get("Accept-Encoding", ""), "gzip"):
        return Response(packed, status, {**headers, "Content-Encoding": "gzip"})
    return Response(data, status, headers)


def _varied(headers: dict[str, str], packed: bytes | None) -> dict[str, str]:
    varies = ", ".join(filter(None, [headers.get("Vary"), "Accept-Encoding" if packed else ""]))
    return {**headers, **({"Vary": varies} if varies else {})}


@cache
def _packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
