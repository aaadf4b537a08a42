"""Tells an owner by every channel: each (channel, endpoint) on its own, so that one that is down holds up no other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

from events.catalogue import JobEvent
from functions.notify import channels, ledger
from functions.notify.channels import Channel, Endpoint, Notice, Refused
from functions.shared.problems import Unavailable

__all__ = ["tell"]

log = logging.getLogger(__name__)

# How many endpoints of one notice are told at a time.
MAX_AT_A_TIME = 8


def tell(job_id: str, event_type: type[JobEvent]) -> None:
    """Tell the owner of a job; the event is settled once every endpoint has been told, or has refused.

    Raises: Unavailable when one is left, for the event to come again. Whom this told is not told again then.
    """
    notice = ledger.notice_of(job_id, event_type)
    if notice is None:
        return
    asked = [(channel, _endpoints(channel, notice)) for channel in channels.every() if notice.kind in channel.kinds]
    pairs = [(channel, endpoint) for channel, endpoints in asked for endpoint in endpoints or ()]
    left = [channel.name for channel, endpoints in asked if endpoints is None]
    left += [channel.name for (channel, _), done in zip(pairs, _all_told(notice, pairs), strict=True) if not done]
    if left:
        raise Unavailable(f"the owner of job {job_id} is not told yet by {', '.join(left)}")
    ledger.settle(notice)


def _endpoints(channel: Channel, notice: Notice) -> Sequence[Endpoint] | None:
    try:
        return channel.endpoints_of(notice.job)
    except Exception:  # what is wrong with one channel is nothing to the others
        log.exception("%s cannot say whom to tell of job %s", channel.name, notice.job.id)
        return None


def _all_told(notice: Notice, pairs: Sequence[tuple[Channel, Endpoint]]) -> list[bool]:
    """At once, not in turn: a server that hangs would use up the time of all that come after it, at every try."""
    with ThreadPoolExecutor(MAX_AT_A_TIME, thread_name_prefix="tell") as pool:
        work = [partial(copy_context().run, _told, notice, channel, endpoint) for channel, endpoint in pairs]
        return [told.result() for told in [pool.submit(each) for each in work]]


def _told(notice: Notice, channel: Channel, endpoint: Endpoint) -> bool:
    """Whether this endpoint is done with: told, now or before, or refused for good."""
    try:
        _tell_one(notice, channel, endpoint)
        return True
    except Unavailable as error:
        log.warning("%s: the notice of job %s is put off: %s", channel.name, notice.job.id, error)
    except Exception:  # whether it was sent is not known: its claim is left to run out
        log.exception("%s: the notice of job %s went wrong; it is tried again", channel.name, notice.job.id)
    return False


def _tell_one(notice: Notice, channel: Channel, endpoint: Endpoint) -> None:
    """Claim the endpoint, send, and write down how that went."""
    attempt = ledger.begin(notice, channel.name, endpoint.key, channel.claim_seconds())
    if attempt is None:
        return
    try:
        channel.send(notice, endpoint)
    except Refused as refusal:
        log.error("%s: the notice of job %s was refused: %s", channel.name, notice.job.id, refusal)
        ledger.finish(attempt, str(refusal))
    except Unavailable:
        ledger.abandon(attempt)
        raise
    else:
        ledger.finish(attempt)
