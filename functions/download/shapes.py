"""What download takes, and what it answers with; a job is in functions/shared/views.py."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.shared.file_names import given_name
from functions.shared.jobs.names import MAX_PEAKS
from functions.shared.jobs.states import State
from functions.shared.operations import JSON, Success, header
from functions.shared.problems import Problem
from functions.shared.views import Job

__all__ = [
    "CONDITIONS",
    "FILE",
    "FILE_PROBLEMS",
    "LAST_EVENT_ID",
    "WAIT",
    "ChosenJobs",
    "DeletedJobs",
    "Event",
    "JobId",
    "JobPage",
    "NewName",
    "PageQuery",
    "Waveform",
]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
_EXAMPLE = "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"
JobId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
_STATE = f"(?:{'|'.join(State)})"
_STATES = f"^{_STATE}(?:,{_STATE})*$"
# The zip is for chapters=split.
_TYPES = ("audio/mpeg", "application/zip")
_HEADERS = ("ETag", "Accept-Ranges", "Content-Disposition")
FILE = {
    200: Success("The MP3, or the zip of several where chapters were split.", {}, _TYPES, _HEADERS),
    206: Success("The range of it.", {}, _TYPES, (*_HEADERS, "Content-Range")),
    304: Success("The copy you have is good.", headers=("ETag",)),
}
CONDITIONS = (
    header(
        "Range", "One range of bytes: `bytes=0-999`. Several at once give the whole file.", examples=["bytes=0-999"]
    ),
    header("If-Range", "The ETag; if the file has another one, all of it comes.", examples=['"5f1d"']),
    header("If-Match", "An ETag; if the file has another one, the answer is 412.", examples=['"5f1d"']),
    header("If-None-Match", "An ETag; if the file still has it, the answer is 304.", examples=['"5f1d"']),
)
LAST_EVENT_ID = header("Last-Event-ID", "The `id` of the last event you saw.", examples=["17"])
WAIT = (
    header("Prefer", "`wait=N`: how many seconds you would wait for something new.", examples=["wait=30"]),
    header("If-None-Match", "The ETag of the job as you know it.", examples=['W/"5f1d"']),
)
FILE_PROBLEMS = ("not-found", "wrong-state", "expired", "file-changed", "range-not-satisfiable")


class PageQuery(Struct):
    """Which page of which jobs."""

    state: Annotated[
        Annotated[str, Meta(extra_json_schema={"pattern": _STATES})] | None,
        Meta(description="Only jobs in this state, or in one of these, comma between.", examples=["queued,converting"]),
    ] = None
    q: Annotated[
        Annotated[str, Meta(max_length=255)] | None,
        Meta(description="Only jobs with this in their name, in capitals or not.", examples=["talk"]),
    ] = None
    batch: Annotated[
        str | None, Meta(description="Only jobs of this batch.", examples=["6f1f6a113b6a4a398f0e6b7f5e4c7a52"])
    ] = None
    cursor: Annotated[
        str | None,
        Meta(description="The next_cursor of the page before.", examples=["MjAyNi0xMS0yNlQxMjowMDowMCswMDowMCAwYjlj"]),
    ] = None
    limit: Annotated[int, Meta(description="Jobs per page.", ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        if self.state is not None and not re.fullmatch(_STATES, self.state):
            raise Problem("bad-request", f"`state` must be one of {', '.join(State)}, or several, comma between.")


class NewName(Struct, forbid_unknown_fields=True):
    """What a job is to be called."""

    filename: Annotated[
        Annotated[str, Meta(min_length=1, max_length=1000)] | UnsetType,
        Meta(
            description="Made a name as that of a video is, but it is no path: a slash becomes a hyphen.",
            examples=["Lecture 3.mp4"],
        ),
    ] = UNSET

    def __post_init__(self) -> None:
        if self.filename is not UNSET and not given_name(self.filename, ""):
            raise Problem("bad-request", "`filename` has nothing in it that can be seen.")


class ChosenJobs(Struct, forbid_unknown_fields=True):
    """Several jobs."""

    ids: Annotated[list[JobId], Meta(description="Theirs.", min_length=1, max_length=MAX_LIMIT, examples=[[_EXAMPLE]])]


class DeletedJobs(Struct):
    """What was deleted."""

    ids: Annotated[list[str], Meta(description="Of those that were there.", examples=[[_EXAMPLE]])]


class Waveform(Struct):
    """What an MP3 looks like."""

    seconds_per_peak: Annotated[float, Meta(description="The last one may stand for less.", examples=[0.417959])]
    peaks: Annotated[
        list[int],
        Meta(
            description="The greatest sample of each of these times, of any channel: 0 to 255, which is full scale. "
            f"At most {MAX_PEAKS}.",
            examples=[[0, 17, 203, 255, 96]],
        ),
    ]


class JobPage(Struct):
    """Some of somebody's jobs."""

    items: Annotated[list[Job], Meta(description="Newest first.")]
    next_cursor: Annotated[
        str | None,
        Meta(
            description="Send it as `cursor` for the next page; null on the last one.",
            examples=["MjAyNi0xMS0yNlQxMjowMDowMCswMDowMCAwYjlj"],
        ),
    ]


class Event(Struct):
    """What the stream has, line by line."""

    event: Annotated[Literal["job", "gone"], Meta(description="`gone`: the job was deleted.", examples=["job"])]
    data: Annotated[
        str,
        Meta(
            description="The job, as JSON.",
            examples=['{"id":"0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01","state":"converting","progress":0.42}'],
            extra_json_schema={"contentMediaType": JSON},
        ),
    ]
    id: Annotated[str | UnsetType, Meta(description="For Last-Event-ID.", examples=["17"])] = UNSET
