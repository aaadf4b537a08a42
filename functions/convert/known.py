"""Whether the MP3 of a video is there already, where that was not known when the video came: it came in pieces.

See functions/shared/jobs/duplicates.py.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress

from functions.convert.errors import Unfinished
from functions.shared import blobs, settings
from functions.shared.jobs import duplicates, leases
from functions.shared.jobs.claims import Claim
from functions.shared.quotas import OverQuota

__all__ = ["finish_known"]

# A reading that took longer than that leaves the conversion to the next delivery, which has all of its time for it.
SHORT_SECONDS = 5.0
# At most, as a share of the time that a conversion has. A store that is so slow can as well be converted from.
READ_SHARE = 0.9


def finish_known(claim: Claim) -> str | None:
    """Finish a job whose owner asks for the MP3 that is there, if it is. The video is read once, in constant memory.

    Returns: the event's id, or None when the video is to be converted.
    Raises: Unfinished when that is for the next delivery; ClaimLost, Unavailable.
    """
    if not duplicates.is_unknown(claim):
        return None
    begun = time.monotonic()
    digest = _digest(claim, begun + READ_SHARE * settings.number("CONVERT_TIMEOUT_SECONDS"))
    # Another copy would be too much: a conversion, which frees the room of its video, is what all others get.
    with suppress(OverQuota):
        if digest and (event_id := duplicates.finish_known(claim, digest)):
            return event_id
    duplicates.record(claim, digest)
    if time.monotonic() - begun > SHORT_SECONDS:
        raise Unfinished
    return None


def _digest(claim: Claim, deadline: float) -> str:
    """The hex SHA-256 of the claim's video; "" when it cannot be read in time."""
    store, digest = blobs.store(), hashlib.sha256()
    with leases.heartbeat(claim) as check:
        for data in store.read(claim.video, 0, store.size(claim.video)):
            check()
            digest.update(data)
            if time.monotonic() > deadline:
                return ""
    return digest.hexdigest()
