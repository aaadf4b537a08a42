"""video.uploaded → audio.created | conversion.failed."""

from __future__ import annotations

import logging
from contextlib import suppress

from events.catalogue import VideoUploaded
from functions.convert import checkpoints, crashes, engine
from functions.convert.errors import Crash, Unconfined, Unfinished
from functions.convert.sandbox import nursery, policy
from functions.shared import blobs, database, outbox
from functions.shared.jobs import claims, leases, rollouts, transitions
from functions.shared.once import once
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.starting import CannotStart, before_serving
from functions.shared.subscriber import subscriber

log = logging.getLogger(__name__)


@before_serving
def _check_sandbox() -> None:
    try:
        policy.check()
    except Unconfined as error:
        raise CannotStart(str(error)) from error


@once
def _warm() -> None:
    """A pod starts for a conversion that comes soon: it may come while its video is still on the way."""
    nursery.warm()


@once
def _take_over() -> None:
    """From the convert of the release before, which gets no events once this one is ready."""
    rollouts.end(rollouts.OLD_CONVERT)


@subscriber(VideoUploaded, ready=(lambda: database.ping(), lambda: blobs.store().ping(), _take_over, _warm))
def convert(event: VideoUploaded) -> None:
    """Claim the job, make its MP3, and finish it; or leave it alone when it is over or somebody else's."""
    # The engine starts while the database is asked.
    nursery.warm()
    claim = leases.claim_when_free(claims.claim, event.job_id)
    if claim is None:
        outbox.send_unsent(event.job_id)
        return
    try:
        result = _finish(claim)
    except claims.ClaimLost:
        log.info("job %s was cancelled or given to another conversion", claim.job_id)
        # It may be whole: nobody else writes, or finishes a job with, a name that has this claim's token.
        with suppress(Unavailable):
            blobs.store().delete(claim.audio)
    except BaseException as error:
        if isinstance(error, Crash):
            crashes.record(claim, error)
        claims.release(claim, counts=not isinstance(error, Unavailable))
        raise
    else:
        outbox.send(result)


def _finish(claim: claims.Claim) -> str:
    try:
        converted = engine.convert(claim)
    except Unfinished:
        log.info("job %s is resumed by the next delivery", claim.job_id)
        return transitions.postpone(claim)
    except Failure as failure:
        return transitions.fail_claimed(claim, failure)
    result = transitions.finish(claim, converted.audio, converted.warnings)
    for warning in converted.warnings:
        log.warning("job %s is done with a warning: %s", claim.job_id, warning.code)
    # What is left when a store is away, sweep deletes.
    with suppress(Unavailable):
        checkpoints.forget(claim.job_id)
        blobs.store().delete(claim.video)
    return result
