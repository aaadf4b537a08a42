"""Tells an owner by every channel: each (channel, endpoint) on its own, so that one that is down holds up no other.

An endpoint that takes its time is told on after the event has been answered: a mail server may take ten minutes, and
whatever waited for it would hold up the events behind it. The ledger knows when it is to be tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, wait

from events.catalogue import EventType
from functions.notify import channels, news, telling
from functions.notify.channels import Channel, Endpoint, Notice
from functions.shared.problems import Unavailable

__all__ = ["tell"]

log = logging.getLogger(__name__)

# How long an event waits for its endpoints: the good ones answer within it, and one event in flight is one worker.
WAIT_SECONDS = 3


def tell(about: str, event_type: type[EventType]) -> None:
    """Tell the owner of a job, of a batch or of an account, by the id of the job, the batch or the mail.

    The event is settled once every endpoint has been told, or has refused. Sweep sends the event again for endpoints
    that are left, when the ledger says that they are due.
    Raises: Unavailable when the ledger does not know of one that is left: the event comes again. Whom this told is not
    told again then.
    """
    notice = news.notice_of(about, event_type)
    if notice is None:
        return
    asked = [(channel, _endpoints(channel, notice)) for channel in channels.every() if notice.kind in channel.kinds]
    pairs = [(channel, endpoint) for channel, endpoints in asked for endpoint in endpoints or ()]
    told = [telling.begin(notice, channel, endpoint) for channel, endpoint in pairs]
    _, slow = wait(told, WAIT_SECONDS)
    silent = [channel.name for channel, endpoints in asked if endpoints is None]
    if silent:
        raise Unavailable(f"the owner of {about} is not told yet by {', '.join(silent)}")
    for each in slow:
        each.add_done_callback(lambda _: _settle_late(notice, told))
    if not slow:
        _settle_if_told(notice, told)


def _endpoints(channel: Channel, notice: Notice) -> Sequence[Endpoint] | None:
    try:
        return channel.endpoints_of(notice)
    except Exception:  # what is wrong with one channel is nothing to the others
        log.exception("%s cannot say whom to tell of %s", channel.name, notice.about)
        return None


def _settle_late(notice: Notice, told: Sequence[Future[bool]]) -> None:
    try:
        _settle_if_told(notice, told)
    except Exception:  # the event comes again, and finds that everybody was told
        log.exception("the event of %s is not settled yet", notice.about)


def _settle_if_told(notice: Notice, told: Sequence[Future[bool]]) -> None:
    """The last one to be done settles the event, if nobody is left. Raises: Unavailable."""
    if not all(each.done() for each in told):
        return
    done = [each.result() for each in told]
    if all(done):
        news.settle(notice)
