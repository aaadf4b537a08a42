"""What upload takes, and what it answers with; a job is in functions/shared/views.py."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.shared.operations import Parameter, Success, Taken, header, part, text
from functions.shared.options import OPTION_SCHEMAS
from functions.shared.views import Job

__all__ = [
    "ACCEPTED",
    "APPENDED",
    "BYTES",
    "CHECKSUM",
    "CREATED",
    "DESCRIBED",
    "FILENAME",
    "KEY",
    "LATE_LENGTH",
    "NEW_UPLOAD",
    "OPTIONS",
    "RESUMABLE",
    "UPLOAD",
    "UPLOAD_ID",
    "VIDEO",
    "Again",
]

ACCEPTED = Success("The job; what was sent is safe.", Job, headers=("Location",))
OPTIONS = Taken(
    tuple(Parameter("query", name, schema) for name, schema in OPTION_SCHEMAS.items()), problems=("bad-option",)
)
FILENAME = Taken(
    (
        Parameter(
            "query",
            "filename",
            text("What to call the video; else Content-Disposition or the form.", examples=["talk.mp4"]),
        ),
        Parameter(
            "header",
            "Content-Disposition",
            text("Its `filename` names the video.", examples=['attachment; filename="talk.mp4"']),
        ),
    )
)
KEY = Taken(
    (
        Parameter(
            "header",
            "Idempotency-Key",
            text(
                "A request that repeats it gets what the first one made.",
                minLength=1,
                maxLength=255,
                examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
            ),
        ),
    ),
    problems=("bad-request", "in-progress", "key-reused"),
)
FORM = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream", "examples": ["(the video)"]},
        **OPTION_SCHEMAS,
    },
    "required": ["file"],
}
VIDEO = Taken(
    content={"video/*": {}, "audio/*": {}, "application/octet-stream": {}, "multipart/form-data": FORM},
    problems=("bad-request", "too-large", "unsupported-media-type"),
)

# Resumable uploads. The schemas of headers are of strings: so they come.
_BYTES = r"^[0-9]{1,18}$"
UPLOAD_ID = part(
    "upload_id",
    "The id of the upload, and of its job.",
    pattern="^[0-9a-f]{32}$",
    examples=["0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"],
)
RESUMABLE = header("Tus-Resumable", "The protocol's version.", enum=["1.0.0"], examples=["1.0.0"])
NEW_UPLOAD = Taken(
    (
        Parameter("header", "Upload-Length", text("How many bytes it has.", pattern=_BYTES, examples=["1048576"])),
        Parameter("header", "Upload-Defer-Length", text("1: Upload-Length comes later.", enum=["1"], examples=["1"])),
        Parameter(
            "header",
            "Upload-Metadata",
            text(
                "Pairs of a key and its value in Base64, comma between: `filename`, and each conversion option by its "
                "name. What clients send by themselves is passed over.",
                examples=["filename dGFsay5tcDQ=,quality NQ=="],
            ),
        ),
        Parameter(
            "header",
            "Upload-Concat",
            text(
                "`partial`: a part of another upload, which no job is made of by itself. `final;` and the addresses of "
                "complete parts, space between: what they make, one after the other.",
                examples=["partial"],
            ),
        ),
    ),
    problems=("bad-request", "bad-option", "too-large", "unsupported-media-type"),
)
BYTES = Taken(
    (Parameter("header", "Upload-Offset", text("Where the bytes go.", pattern=_BYTES, examples=["0"])),),
    content={"application/offset+octet-stream": {}},
    problems=("bad-request", "too-large", "unsupported-media-type"),
)
LATE_LENGTH = header(
    "Upload-Length",
    "How many bytes the upload has, if that was not known before.",
    pattern=_BYTES,
    examples=["1048576"],
)
CHECKSUM = header(
    "Upload-Checksum",
    "An algorithm (sha1, sha256, sha512, md5), and the digest of the body in Base64. Nothing of a body is kept whose "
    "digest is another.",
    examples=["sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="],
)
DESCRIBED = Success(
    "In headers.", headers=("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm")
)
CREATED = Success("The upload; its id is the job's.", headers=("Location", "Tus-Resumable", "Upload-Offset"))
APPENDED = Success("What came is safe.", headers=("Tus-Resumable", "Upload-Offset"))
UPLOAD = Success("In headers.", headers=("Cache-Control", "Tus-Resumable", "Upload-Offset"))


class Again(Struct, forbid_unknown_fields=True):
    """How to convert a video again."""

    options: Annotated[
        dict[str, Any] | UnsetType,
        Meta(
            description="Instead of all that the job had; without them, it is converted as before.",
            examples=[{"quality": 0, "keep_video": True}],
            extra_json_schema={"properties": OPTION_SCHEMAS, "additionalProperties": False},
        ),
    ] = UNSET
