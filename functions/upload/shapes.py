"""What upload takes, and what it answers with; a job is in functions/shared/views.py."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.shared.operations import Parameter, Success, Taken, text
from functions.shared.options import OPTION_SCHEMAS
from functions.shared.views import Job

__all__ = ["ACCEPTED", "FILENAME", "KEY", "OPTIONS", "VIDEO", "Again"]

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
