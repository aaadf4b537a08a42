"""What download takes, and answers with, about zips of many MP3s."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from functions.download.shapes import JobId
from functions.shared.operations import Success
from functions.shared.views import Instant

__all__ = ["MAX_FILES", "ZIP", "Archive", "NewArchive"]

MAX_FILES = 1000
_EXAMPLE = "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"
ZIP = Success("The zip.", {}, ("application/zip",), ("Content-Disposition",))


class NewArchive(Struct, forbid_unknown_fields=True):
    """A zip to be made."""

    ids: Annotated[
        list[JobId],
        Meta(description="The jobs whose MP3s are wanted.", min_length=1, max_length=MAX_FILES, examples=[[_EXAMPLE]]),
    ]


class Archive(Struct):
    """A zip that is made while it is downloaded."""

    url: Annotated[
        str,
        Meta(
            description="Whoever has it can download the zip, and do nothing else.",
            examples=["http://localhost:8080/v1/archives/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjljIn0.c2lnbmF0dXJl"],
        ),
    ]
    expires_at: Annotated[Instant, Meta(description="When the link ends.", examples=["2026-11-26T13:00:00.000Z"])]
    files: Annotated[int, Meta(description="How many MP3s there are of these jobs now.", examples=[40])]
    size_bytes: Annotated[int, Meta(description="The size of the zip with these.", examples=[209715200])]
