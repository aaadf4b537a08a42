"""Tells one endpoint of one notice, in a thread of its channel, and writes down how that went."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from functools import cache, partial

from functions.notify import ledger
from functions.notify.channels import Channel, Endpoint, Notice, PutOff, Refused, Unclear
from functions.notify.ledger import Attempt, NotDue
from functions.notify.notice_shapes import Outcome
from functions.shared import draining, logs, telemetry
from functions.shared.kinds import OF_ACCOUNTS
from functions.shared.problems import NeedsOperator, Unavailable
from functions.shared.tables import now
from functions.shared.watch import Watch

__all__ = ["begin", "waits"]

log = logging.getLogger(__name__)

# How many endpoints of a channel may be under way in this process for each of its threads; of one owner, for one of its
# threads; and how many times the same endpoint of an owner, so that one that hangs leaves the threads to the others.
WAITING_BY_THREAD, OF_OWNER_BY_THREAD, MAX_OF_ONE = 4, 0.5, 2
FIRST_WAIT_SECONDS, BUSY_SECONDS = 60, 60
# A claim is renewed when a step could outlast it: so much is left for what lies between two steps.
MARGIN_SECONDS = 15

_OUTCOMES = {Refused: Outcome.REFUSED, Unavailable: Outcome.PUT_OFF}

_under_way: Counter[tuple[str, ...]] = Counter()
_lock = threading.Lock()


def begin(notice: Notice, channel: Channel, endpoint: Endpoint) -> Future[bool]:
    """Begin to tell one endpoint.

    Returns: whether it is done with: told, now or before, or refused for good. If not, the ledger knows when it is due.
    It raises Unavailable when the ledger does not know that.
    """
    taken = _take(notice, channel, endpoint)
    if not taken:
        return _done_by(_rest, notice, channel, endpoint)
    told = _threads(channel.name, channel.threads).submit(partial(copy_context().run, _told, notice, channel, endpoint))
    told.add_done_callback(lambda _: _release(taken))
    draining.hold(told)
    return told


def waits(channel: Channel, tries: int) -> float:
    """How many seconds to wait after so many tries: they double, and differ a little, so as not to come all at once."""
    doubled = FIRST_WAIT_SECONDS * 2.0 ** min(tries - 1, 20)
    return min(doubled, channel.max_wait_seconds) * random.uniform(0.9, 1.1)


@cache
def _threads(channel: str, count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix=channel)


def _take(notice: Notice, channel: Channel, endpoint: Endpoint) -> tuple[tuple[str, ...], ...]:
    """Count an endpoint as under way, for its channel, its owner and itself. Returns: nothing if that is too many."""
    # A mail about an account that is not there yet is nobody's: each counts by itself.
    whole, owner = (channel.name,), (channel.name, notice.job.user_id or notice.job.id)
    limits: dict[tuple[str, ...], float] = {
        whole: channel.threads * WAITING_BY_THREAD,
        owner: channel.threads * OF_OWNER_BY_THREAD,
        (*owner, endpoint.key): MAX_OF_ONE,
    }
    with _lock:
        if any(_under_way[key] >= limit for key, limit in limits.items()):
            return ()
        _under_way.update(limits.keys())
    return tuple(limits)


def _release(taken: tuple[tuple[str, ...], ...]) -> None:
    with _lock:
        _under_way.subtract(taken)
        for key in taken:
            if not _under_way[key]:
                del _under_way[key]


def _done_by(work: Callable[..., bool], *args: object) -> Future[bool]:
    done: Future[bool] = Future()
    try:
        done.set_result(work(*args))
    except Exception as error:
        done.set_exception(error)
    return done


def _rest(notice: Notice, channel: Channel, endpoint: Endpoint) -> bool:
    """Write down that it is due in a while: nobody is free to tell it."""
    try:
        attempt = ledger.begin(notice, channel.name, endpoint.key, channel.claim_seconds())
    except NotDue:
        return False
    if attempt:
        ledger.put_off(attempt, BUSY_SECONDS, "others are told first")
    return attempt is None


def _told(notice: Notice, channel: Channel, endpoint: Endpoint) -> bool:
    with logs.about(job_id="" if notice.kind in OF_ACCOUNTS else notice.job.id):
        try:
            attempt = ledger.begin(notice, channel.name, endpoint.key, channel.claim_seconds())
            return attempt is None or _try(attempt, channel, endpoint)
        except NotDue as error:
            log.info("%s: the notice of %s waits: %s", channel.name, notice.about, error)
            return False


def _try(attempt: Attempt, channel: Channel, endpoint: Endpoint) -> bool:
    """Send, and write down how that went. Returns: whether the endpoint is done with. Raises: Unavailable."""
    notice = attempt.notice
    try:
        status = _send(attempt, channel, endpoint)
    except Refused as refusal:
        log.error("%s: the notice of %s was refused: %s", channel.name, notice.about, refusal)
        ledger.finish(attempt, str(refusal), refusal.status)
    except Unclear as error:
        log.error("%s: it is not known whether the notice of %s has arrived: %s", channel.name, notice.about, error)
        ledger.put_off(attempt, ledger.UNCLEAR_SECONDS, str(error), is_unclear=True)
        return False
    except Unavailable as error:
        return _put_off(attempt, channel, endpoint, error)
    except Exception:  # a bug: whether it was sent is not known, and its claim is left to run out
        log.exception("%s: the notice of %s went wrong; it is tried again", channel.name, notice.about)
        return False
    else:
        ledger.finish(attempt, status=status)
    return True


def _send(attempt: Attempt, channel: Channel, endpoint: Endpoint) -> int | None:
    outcome = Outcome.SENT
    with telemetry.span(f"tell by {channel.name}", "client", audiolift__job_id=attempt.notice.job.id):
        try:
            return channel.send(attempt.notice, endpoint, _watch(attempt))
        except Exception as error:
            outcome = next((each for kind, each in _OUTCOMES.items() if isinstance(error, kind)), Outcome.UNCLEAR)
            raise
        finally:
            telemetry.count("audiolift.notices", channel=channel.name, outcome=outcome)


def _put_off(attempt: Attempt, channel: Channel, endpoint: Endpoint, error: Unavailable) -> bool:
    # What only the operator can cure is found by its level.
    level = logging.ERROR if isinstance(error, NeedsOperator) else logging.WARNING
    log.log(level, "%s: the notice of %s is put off: %s", channel.name, attempt.notice.about, error)
    patience = channel.patience_seconds
    status = error.status if isinstance(error, PutOff) else None
    is_over = patience is not None and now() - attempt.created_at > timedelta(seconds=patience)
    if is_over and _given_up(attempt, channel, endpoint, error):
        ledger.finish(attempt, f"given up after many tries: {error}", status)
        return True
    ledger.put_off(attempt, waits(channel, attempt.tries), str(error), status=status)
    return False


def _given_up(attempt: Attempt, channel: Channel, endpoint: Endpoint, error: Unavailable) -> bool:
    try:
        channel.give_up(attempt.notice, endpoint, str(error))
        return True
    except Unavailable as other:
        log.warning("%s: the notice of %s is not given up yet: %s", channel.name, attempt.notice.about, other)
        return False


def _watch(attempt: Attempt) -> Watch:
    def before_step(seconds: int) -> None:
        if attempt.seconds_left < seconds:
            ledger.hold(attempt, seconds + MARGIN_SECONDS)

    def at_the_end(seconds: int) -> None:
        ledger.hold(attempt, max(seconds + MARGIN_SECONDS, ledger.UNCLEAR_SECONDS), unclear=True)

    return Watch(before_step, at_the_end)
