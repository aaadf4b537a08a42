"""The body of one request of a resumable upload: as much of it as comes in time is kept."""

from __future__ import annotations

import time
from contextlib import suppress

from starlette.requests import Request

from functions.shared import settings
from functions.shared.jobs import claims
from functions.shared.problems import Problem
from functions.upload import arrival, uploads
from functions.upload.stream import Disconnected, Sink, pieces
from functions.upload.threads import blocking

__all__ = ["receive", "settle"]

# In a request that brings nothing, it is looked after so many seconds whether a piece is due.
TICK_SECONDS = 1.0
# Knative ends a request at the Service's timeoutSeconds. Ended by us before, it is answered.
ANSWERED_WITHIN = 0.9


async def receive(
    request: Request,
    user_id: str,
    taken: uploads.Taken,
    checksum: arrival.Checksum | None = None,
    *,
    brings: bool = True,
) -> arrival.Arrival:
    """Take in what the request `brings` of an upload; also of one that breaks off. Returns: how far it is by that.

    Raises: Problem, Unavailable.
    """
    arrived = arrival.Arrival(user_id, taken, checksum)
    try:
        async with Sink(arrived.write) as sink:
            whole = not brings or await _pass_on(request, sink)
            await sink.end()
        await blocking(arrived.end, whole=whole)
    except claims.ClaimLost:
        await blocking(arrived.abort)
        raise Problem("upload-taken-over", "A newer request has taken the upload over, or it is deleted.") from None
    except BaseException:
        await blocking(arrived.abort)
        raise
    return arrived


def settle(user_id: str, upload: uploads.Upload) -> str | None:
    """Queue the job of an upload that has all its bytes, if whoever brought the last ones died before that.

    Returns: the event's id, if it has done so. It blocks. Raises: Unavailable.
    """
    if not upload.has_all or upload.expires_at is None or upload.concat:
        return None
    # Somebody else may be at it.
    with suppress(Problem, claims.ClaimLost):
        arrived = arrival.Arrival(user_id, uploads.take(user_id, upload.job_id, upload.offset))
        arrived.end()
        return arrived.event_id
    return None


async def _pass_on(request: Request, sink: Sink) -> bool:
    """Returns: whether the body came whole, and not only a part of it: until the client went, or the time was up."""
    until = time.monotonic() + ANSWERED_WITHIN * settings.number("TIMEOUT_SECONDS")
    with suppress(Disconnected):
        async for piece in pieces(request, TICK_SECONDS):
            await sink.put(piece)
            if time.monotonic() > until:
                return False
        return True
    return False
