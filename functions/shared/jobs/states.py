"""The states of a job. The page's states.js and the API's schemas are made from them.

A reader may meet a state of a newer release: it shows it as it is, and deletes nothing that such a job may need.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ENDED", "KEPT", "LEASED", "LIVE", "RETRYABLE", "TO_CONVERT", "State"]


class State(StrEnum):
    """What has become of a job: the value is what the database, the API and the page have."""

    # Its video is on the way: in a request, or to be fetched from its URL.
    RECEIVING = "receiving"
    # Its video is stored; the next delivery converts it.
    QUEUED = "queued"
    # Somebody converts it, or has died doing so: the lease tells.
    CONVERTING = "converting"
    # Its MP3 can be downloaded.
    DONE = "done"
    # There is no MP3, and the reason says why.
    FAILED = "failed"
    # Its owner wants no MP3.
    CANCELLED = "cancelled"
    # Its files are deleted; only the row is left.
    EXPIRED = "expired"


# There is still something to happen without its owner's doing; its owner may cancel it.
LIVE = frozenset({State.RECEIVING, State.QUEUED, State.CONVERTING})
# Nothing more happens by itself, but its files are kept for a while.
KEPT = frozenset({State.DONE, State.FAILED, State.CANCELLED})
ENDED = KEPT | {State.EXPIRED}
# Somebody may work on it, under a lease.
LEASED = frozenset({State.RECEIVING, State.CONVERTING})
# Its video is stored, and there is no MP3 of it yet.
TO_CONVERT = frozenset({State.QUEUED, State.CONVERTING})
# Its owner may have it tried again, if its video came. One that is done may be converted again if its video is kept.
RETRYABLE = frozenset({State.FAILED, State.CANCELLED})
