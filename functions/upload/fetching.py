"""video.submitted of our own → the video is fetched from its URL, and its job queued.

A server that is away is tried again for a day, by events that wait in the outbox: a dispatcher's retries are over in
minutes. What came is kept meanwhile, and so it is when the time of a delivery is over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from functions.shared import outbox, settings
from functions.shared.addresses import HostUnreachable
from functions.shared.credentials import AccountGone
from functions.shared.jobs import claims, duplicates, fetches, leases, transitions
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.fetches import Fetched
from functions.shared.problems import Unavailable
from functions.shared.quotas import OverQuota
from functions.shared.reasons import Failure
from functions.shared.tables import now
from functions.upload import intake
from functions.upload.fetch import TimeUp, fetch
from functions.upload.video_pieces import VideoPieces

__all__ = ["failure_of", "fetch_for"]

log = logging.getLogger(__name__)

# The first wait, and the longest; in between, each is as long as all before it. Sweep looks once a minute.
FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS = 60.0, 3600.0


def fetch_for(job_id: str) -> None:
    """Claim the job, fetch its video, and queue it; or leave it alone when it is over or somebody else's."""
    claim = leases.claim_when_free(partial(claims.claim_fetch, job_id), lambda: job_id)
    if claim is None:
        return outbox.send_unsent(job_id)
    try:
        event_id = _attempt(claim)
    except (ClaimLost, AccountGone):
        return None
    except BaseException as error:
        claims.release(claim, counts=not isinstance(error, Unavailable))
        raise
    if event_id:
        outbox.send(event_id)
    return None


def failure_of(over: OverQuota) -> Failure:
    """Why a job fails whose owner may have no more."""
    return Failure("over-minutes" if over.members["quota"] == "minutes_a_day" else "over-quota")


def _attempt(claim: Claim) -> str | None:
    """One delivery. Returns: the event that is to be sent now."""
    pieces = VideoPieces(claim)
    try:
        # A store may need long to begin a file, and to make the last bytes of a large one safe.
        with leases.heartbeat(claim, lambda: pieces.remote.share) as pieces.check:
            return _ended(claim, pieces, lambda: _fetch(claim, pieces))
    finally:
        pieces.discard()


def _ended(claim: Claim, pieces: VideoPieces, act: Callable[[], str | None]) -> str | None:
    """What `act` returns, or the event of the job's failure."""
    try:
        return act()
    except Failure as failure:
        event_id = transitions.fail_claimed(claim, failure)
    except OverQuota as over:
        event_id = transitions.fail_claimed(claim, failure_of(over))
    pieces.clear_up()
    return event_id


def _fetch(claim: Claim, pieces: VideoPieces) -> str | None:
    before, deadline = pieces.remote.received, time.monotonic() + settings.number("FETCH_TIMEOUT_SECONDS")
    try:
        fetch(claim.source_url, pieces.remote, pieces, deadline)
        return _queue(claim, pieces)
    except TimeUp:
        return _resume_later(claim, pieces)
    except HostUnreachable as error:
        log.info("job %s: %s", claim.job_id, error)
        came = pieces.remote.resumable and pieces.remote.received > before
        _try_later(claim, pieces, error.retry_after, came=came)
        return None


def _queue(claim: Claim, pieces: VideoPieces) -> str:
    video = pieces.video()
    stored = replace(claim, video=video.blob)
    with intake.whole(stored):
        what = (claim.filename, claim.options, video.size_bytes, video.sha256)
        return duplicates.take_in(stored, *what, video.pieces)


def _resume_later(claim: Claim, pieces: VideoPieces) -> str:
    if not pieces.remote.resumable and not pieces.remote.whole:
        raise Failure("timed-out")
    fetched = pieces.keep()
    if _is_over(fetched) and not fetched.whole:
        raise Failure("timed-out")
    return fetches.put_off(claim, fetched, 0)


def _try_later(claim: Claim, pieces: VideoPieces, asked_for: float, *, came: bool) -> None:
    fetched, moment = pieces.keep(), now()
    if _is_over(fetched):
        raise Failure("unreachable")
    fetched.failing_since = moment if came or fetched.failing_since is None else fetched.failing_since
    seconds = max(_wait(fetched.failing_since, moment), min(asked_for, LAST_WAIT_SECONDS))
    fetches.put_off(claim, fetched, seconds)


def _wait(failing_since: datetime, moment: datetime) -> float:
    """Until the next try, in seconds."""
    return min(max((moment - failing_since).total_seconds(), FIRST_WAIT_SECONDS), LAST_WAIT_SECONDS)


def _is_over(fetched: Fetched) -> bool:
    """Whether the job has had the time that a fetch has, all in all."""
    return now() - fetched.since > timedelta(seconds=settings.number("UPLOAD_GRACE_SECONDS"))
