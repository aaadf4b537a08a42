"""How the course of a job looks to operators."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from functions.shared.views import Instant
from functions.sweep.shapes import ManagedJob

__all__ = ["Step", "StepKind", "Timeline"]

StepKind = Literal["state", "event", "notice", "dead-letter"]


class Step(Struct, kw_only=True):
    """Something that took its time, or still does."""

    kind: Annotated[StepKind, Meta(description="What it is.", extra_json_schema={"enum": [*StepKind.__args__]})]
    name: Annotated[
        str, Meta(description="The job's state; the event's type, also of a dead letter; the channel of a notice.")
    ]
    began_at: Annotated[Instant, Meta(description="When it began: of an event, when it was written.")]
    sent_at: Annotated[Instant | None, Meta(description="When the broker last took the event.")] = None
    ended_at: Annotated[
        Instant | None,
        Meta(description="When it was over: of an event, when its effect was in the database. Null while it is not."),
    ] = None
    attempts: Annotated[int | None, Meta(description="How often the event was taken by the broker.")] = None
    outcome: Annotated[
        str | None, Meta(description="How a try to tell the owner ended, or what has become of a dead letter.")
    ] = None
    detail: Annotated[str | None, Meta(description="What was said when it went wrong.")] = None
    trace_id: Annotated[str | None, Meta(description="The trace that the event belongs to, if any.")] = None


class Timeline(Struct):
    """The course of a job."""

    job: Annotated[ManagedJob, Meta(description="As it is now.")]
    steps: Annotated[list[Step], Meta(description="In the order in which they began.")]
    trace_ids: Annotated[
        list[str], Meta(description="The traces that its events belong to, oldest first: each retry may have its own.")
    ]
