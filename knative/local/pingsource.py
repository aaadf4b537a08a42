"""Sends a PingSource's event to its sink whenever its cron schedule says so."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter  # type: ignore[import-untyped]

from events.wire import Envelope
from functions.shared.proxy import Forwarder
from knative.delivery import Verdict, post, verdict
from knative.local.cluster import PingSource
from knative.local.errors import ManifestError

__all__ = ["check_schedule", "envelope", "run"]

log = logging.getLogger(__name__)

_TYPE = "dev.knative.sources.ping"
_EARLY = timedelta(seconds=1)


def check_schedule(source: PingSource) -> None:
    """Raises: ManifestError when the schedule or its time zone cannot be understood."""
    try:
        croniter(source.schedule, datetime.now(ZoneInfo(source.timezone)))
    except (ValueError, KeyError) as error:
        raise ManifestError(f"PingSource {source.name}: {error}") from error


async def run(source: PingSource, namespace: str, forwarder: Forwarder, url: str) -> None:
    """Send the event at every time of the schedule, until cancelled. One that is not taken is not sent again."""
    zone = ZoneInfo(source.timezone)
    due = datetime.now(zone)
    while True:
        # From the last one on: a sleep that ends a little early must not send it twice. But a clock may be set back.
        moment = datetime.now(zone)
        due = croniter(source.schedule, due if moment < due < moment + _EARLY else moment).get_next(datetime)
        await asyncio.sleep((due - datetime.now(zone)).total_seconds())
        reply = await post(forwarder, url, envelope(source, namespace), seconds=None)
        if verdict(reply.status) is not Verdict.DONE:
            log.warning("PingSource %s: %s answered %d", source.name, source.sink.name, reply.status)


def envelope(source: PingSource, namespace: str) -> Envelope:
    """A new event of the source, as Knative makes it."""
    attributes = {
        "id": str(uuid.uuid4()),
        "source": f"/apis/v1/namespaces/{namespace}/pingsources/{source.name}",
        "specversion": "1.0",
        "time": datetime.now(UTC).isoformat(),
        "type": _TYPE,
    }
    if source.content_type:
        attributes["datacontenttype"] = source.content_type
    return Envelope(attributes, source.data)
