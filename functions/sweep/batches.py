"""Batches that are over: their owners are told."""

from __future__ import annotations

from functions.shared import outbox
from functions.shared.jobs import batches

__all__ = ["announce"]

BATCH = 500


def announce() -> None:
    """Have the owner of each batch that is over told of it, once: by an event, which is sent again as any other."""
    announced = map(batches.announce, batches.due(BATCH))
    outbox.send_all([event_id for event_id in announced if event_id is not None])
