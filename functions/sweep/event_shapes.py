"""What operators ask of events that the sink refused, and what sweep answers with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from functions.shared.views import Instant
from functions.sweep.shapes import DEFAULT_LIMIT, Cursor, Ids, Limit, NextCursor

__all__ = ["RefusedEvent", "RefusedPage", "RefusedQuery", "SentAgain", "WhichEvents"]


class RefusedQuery(Struct):
    """Which page of the events that the sink refused."""

    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


class RefusedEvent(Struct):
    """An event of ours that the sink refused, and that has had no effect."""

    id: Annotated[str, Meta(description="The event.")]
    type: Annotated[str, Meta(description="Its type.")]
    job_id: Annotated[str | None, Meta(description="The job that it is about; null for a mail about an account.")]
    reason: Annotated[str, Meta(description="What the sink said.")]
    attempts: Annotated[int, Meta(description="How often it was sent, or tried.")]
    created_at: Annotated[Instant, Meta(description="When it was written.")]
    tried_at: Annotated[Instant | None, Meta(description="When it was last tried.")]
    set_aside_at: Annotated[
        Instant | None, Meta(description="Since when it is not tried any more; null while it is, now and then.")
    ]
    data: Annotated[dict[str, Any], Meta(description="What is in it.")]


class RefusedPage(Struct):
    """Some events that the sink refused."""

    items: Annotated[list[RefusedEvent], Meta(description="Newest first.")]
    next_cursor: NextCursor


class WhichEvents(Struct, forbid_unknown_fields=True):
    """Which events: some by id, or `all` that were refused."""

    ids: Annotated[Ids | UnsetType, Meta(description="These.")] = UNSET
    all: Annotated[Literal[True] | UnsetType, Meta(description="Every one.")] = UNSET

    def __post_init__(self) -> None:
        if (self.ids is UNSET) == (self.all is UNSET):
            raise ValueError("Give `ids` or `all`")

    @property
    def named(self) -> dict[str, Any]:
        """What was given."""
        return {name: value for name, value in structs.asdict(self).items() if value is not UNSET}


class SentAgain(Struct):
    """What will be sent again."""

    wanted: Annotated[int, Meta(description="How many will be, at the next ticks.")]
