"""The broker inside the runner: puts each event into the queue of every Trigger that it matches."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from events import wire
from knative.ingress import CannotKeep
from knative.local.cluster import Trigger
from knative.local.queues import Queues

__all__ = ["LocalBroker"]

log = logging.getLogger(__name__)


class LocalBroker:
    """What is behind an Ingress. `wake` is called with the name of each Trigger that got an event."""

    def __init__(self, triggers: Sequence[Trigger], queues: Queues, wake: Callable[[str], None]) -> None:
        self._triggers = triggers
        self._queues = queues
        self._wake = wake

    async def publish(self, envelope: wire.Envelope) -> None:
        """Keep an event for the Triggers that it matches; one that matches none is gone. Raises: CannotKeep."""
        matching = [trigger for trigger in self._triggers if _matches(trigger.attributes, envelope)]
        if not matching:
            log.warning("no Trigger wants %s of %s: it is gone", envelope.type, envelope.source)
            return
        try:
            await self._queues.put([trigger.name for trigger in matching], envelope)
        except sqlite3.Error as error:
            raise CannotKeep(str(error)) from error
        for trigger in matching:
            self._wake(trigger.name)


def _matches(wanted: Mapping[str, str], envelope: wire.Envelope) -> bool:
    """Every attribute of the filter is in the event, exactly so."""
    return wanted.items() <= envelope.attributes.items()
