"""What upload takes, and what it answers with; a job is in functions/shared/views.py."""

from __future__ import annotations

from functions.shared.operations import Parameter, Success, Taken, header, text
from functions.shared.options import OPTION_SCHEMAS
from functions.shared.views import Job

__all__ = [
    "ACCEPTED",
    "APPENDED",
    "BYTES",
    "CREATED",
    "FILENAME",
    "KEY",
    "LATE_LENGTH",
    "NEW_UPLOAD",
    "OPTIONS",
    "RESUMABLE",
    "UPLOAD",
    "VIDEO",
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
                "A request that repeats it gets the first one's job.",
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
    ),
    problems=("bad-request", "bad-option", "too-large", "unsupported-media-type"),
)
BYTES = Taken(
    (Parameter("header", "Upload-Offset", text("Where the bytes go.", pattern=_BYTES, examples=["0"])),),
    content={"application/offset+octet-stream": {}},
    problems=("bad-request", "too-large", "unsupported-media-type"),
)
LATE_LENGTH = header("Upload-Length", "How many bytes the upload has, if that was not known before.", pattern=_BYTES)
CREATED = Success("The upload; its id is the job's.", headers=("Location", "Tus-Resumable", "Upload-Offset"))
APPENDED = Success("What came is safe.", headers=("Tus-Resumable", "Upload-Offset"))
UPLOAD = Success("In headers.", headers=("Cache-Control", "Tus-Resumable", "Upload-Offset"))
