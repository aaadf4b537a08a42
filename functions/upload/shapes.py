"""What upload takes, and what it answers with; a job is in functions/shared/views.py."""

from __future__ import annotations

from functions.shared.operations import Parameter, Success, Taken, text
from functions.shared.options import OPTION_SCHEMAS
from functions.shared.views import Job

__all__ = ["ACCEPTED", "FILENAME", "KEY", "OPTIONS", "VIDEO"]

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
