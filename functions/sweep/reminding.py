"""Owners of MP3s that expire within a day, and that nobody has fetched, are reminded."""

from __future__ import annotations

from functions.shared import outbox
from functions.shared.jobs import reminders
from functions.sweep import chores

__all__ = ["announce"]

# Finding them reads all that expires within a day.
EVERY_SECONDS = 3600
BATCH, MAX_BATCHES = 200, 50


def announce() -> None:
    """Once an hour: an event for each owner, which is sent again as any other."""
    chores.run("reminders", EVERY_SECONDS, _announce)


def _announce() -> None:
    for _ in range(MAX_BATCHES):
        owners = reminders.due(BATCH)
        announced = map(reminders.announce, owners)
        outbox.send_all([event_id for event_id in announced if event_id is not None])
        if len(owners) < BATCH:
            return
