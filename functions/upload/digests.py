"""What a client says of its file: the SHA-256 in Content-Digest or Repr-Digest (RFC 9530), which must be true."""

from __future__ import annotations

import base64
import re

from starlette.requests import Request

from functions.shared.bodies import content_type
from functions.shared.operations import JSON, Parameter, Taken, text
from functions.shared.problems import Problem

__all__ = ["DIGESTS", "stated", "verify"]

HEADERS = ("Content-Digest", "Repr-Digest")
_ALGORITHM = "sha-256"
# A dictionary of byte sequences (RFC 9651, sections 3.2 and 3.3.5).
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):")
_EXAMPLE = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
DIGESTS = Taken(
    tuple(
        Parameter("header", name, text("The SHA-256 of the video, which is verified.", examples=[_EXAMPLE]))
        for name in HEADERS
    ),
    problems=("bad-request", "digest-mismatch"),
)


def stated(request: Request) -> dict[str, str]:
    """The hex SHA-256 that each of the headers states, by the header's name.

    Raises: Problem (400), also when the body is more or something else than the video.
    """
    fields = {name: ", ".join(found) for name in HEADERS if (found := request.headers.getlist(name))}
    if fields and content_type(request)[0] in (JSON, "multipart/form-data"):
        raise Problem("bad-request", "Send the video as the body to have its digest verified.")
    return {name: _read(name, field) for name, field in fields.items()}


def verify(stated: dict[str, str], sha256: str) -> None:
    """Compare what was stated with the hex SHA-256 of what came. Raises: Problem (400)."""
    for name, digest in stated.items():
        if digest != sha256:
            raise Problem("digest-mismatch", f"{name} says {digest}, and what came has {sha256}. Nothing was kept.")


def _read(name: str, field: str) -> str:
    members = [_MEMBER.fullmatch(member.strip(" \t")) for member in field.split(",")]
    # Of a key that comes twice, the last counts (RFC 9651, section 4.2.2). Other algorithms are passed over.
    digests = {found[1]: found[2] for found in members if found}
    digest = _decoded(digests.get(_ALGORITHM, ""))
    if None in members or len(digest) != 32:
        raise Problem("bad-request", f"{name} must have the SHA-256, such as {_EXAMPLE} (RFC 9530).")
    return digest.hex()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
