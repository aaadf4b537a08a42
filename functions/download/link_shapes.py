"""What download takes, and answers with, about signed links."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from functions.shared import tables
from functions.shared.operations import part
from functions.shared.problems import Problem
from functions.shared.views import Instant

__all__ = ["LINK_ID", "MAX_LINKS", "SIGNED", "FileLink", "FileLinkList", "NewLink"]

MAX_LINKS = 100
_EXAMPLE = "5e8f8f0f4c8a4d5f9a6b7c8d9e0f1a2b"
LINK_ID = part("link_id", "From the list.", pattern="^[0-9a-f]{32}$", examples=[_EXAMPLE])
_SIGNED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjljIn0.c2lnbmF0dXJl"
SIGNED = part("signed", "The end of the link.", minLength=1, examples=[_SIGNED])
# Beyond it, a time zone may lead to a year that neither Python nor the databases know.
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


class NewLink(Struct, forbid_unknown_fields=True):
    """A link to be made."""

    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When it ends; with the file, if this is null, left out, or later than that."),
    ] = None

    def __post_init__(self) -> None:
        if self.expires_at and not tables.now() < self.expires_at < _END_OF_TIME:
            raise Problem("bad-request", "`expires_at` must be in the future, and before the year 9999.")


class FileLink(Struct):
    """A signed link to an MP3."""

    id: Annotated[str, Meta(description="For revoking it.", examples=[_EXAMPLE])]
    url: Annotated[
        str,
        Meta(
            description="Whoever has it can download the MP3, and do nothing else.",
            examples=["http://localhost:8080/v1/files/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjljIn0.c2lnbmF0dXJl"],
        ),
    ]
    created_at: Annotated[Instant, Meta(description="When it was made.", examples=["2026-11-26T12:00:00.000Z"])]
    expires_at: Annotated[Instant, Meta(description="When it ends.", examples=["2026-12-03T12:00:09.120Z"])]


class FileLinkList(Struct):
    """The links of a job."""

    items: Annotated[list[FileLink], Meta(description=f"Newest first, at most {MAX_LINKS}.")]
