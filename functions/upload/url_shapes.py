"""What upload takes, and answers with, about videos that are fetched by URL; a job is in functions/shared/views.py."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.shared.addresses import MAX_URL_LENGTH
from functions.shared.operations import JSON, Success, Taken
from functions.shared.options import OPTION_SCHEMAS
from functions.shared.views import BATCH_ID, Job

__all__ = ["BY_URL", "MAX_ITEMS", "TAKEN", "Batch", "BatchItem", "NewBatch", "UrlJob"]

MAX_ITEMS = 1000
_URL = "https://media.example.com/talk.mp4"


class UrlJob(Struct, forbid_unknown_fields=True):
    """A job whose video is fetched by URL."""

    source_url: Annotated[
        str,
        Meta(
            description="Where to fetch the video: http or https, a public address.",
            min_length=1,
            max_length=MAX_URL_LENGTH,
            examples=[_URL],
        ),
    ]
    filename: Annotated[
        str | None, Meta(description="What to call the video; else the URL's last part.", examples=["talk.mp4"])
    ] = None
    options: Annotated[
        dict[str, Any] | None,
        Meta(
            description="Conversion options, by their names.",
            examples=[{"quality": 2}],
            extra_json_schema={"properties": OPTION_SCHEMAS, "additionalProperties": False},
        ),
    ] = None


class NewBatch(Struct, forbid_unknown_fields=True):
    """Several jobs at once."""

    items: Annotated[
        list[Any],
        Meta(
            description="Each as the JSON that `POST /v1/jobs` takes; one that is not gets its problem, and the others "
            "their jobs.",
            min_length=1,
            max_length=MAX_ITEMS,
            examples=[[{"source_url": _URL, "options": {"quality": 2}}]],
        ),
    ]


class BatchItem(Struct):
    """What became of one item."""

    status: Annotated[int, Meta(description="What `POST /v1/jobs` would have answered.", examples=[202])]
    job: Annotated[Job | UnsetType, Meta(description="The job, if there is one.")] = UNSET
    problem: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Why there is none (RFC 9457), as in other answers.")
    ] = UNSET


class Batch(Struct):
    """A batch that was taken in."""

    id: Annotated[str, BATCH_ID]
    items: Annotated[list[BatchItem], Meta(description="In the order of the request.")]


BY_URL = Taken(content={JSON: UrlJob}, problems=("bad-request", "bad-option", "too-large"))
TAKEN = Success("What became of each item.", Batch)
