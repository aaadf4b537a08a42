"""video.uploaded → audio.created | conversion.failed."""

from __future__ import annotations

import logging
from contextlib import suppress

from events.catalogue import VideoUploaded
from functions.convert import checkpoints, engine
from functions.convert.sandbox import nursery
from functions.shared import blobs, database, jobs, leases, outbox
from functions.shared.once import once
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.subscriber import subscriber

log = logging.getLogger(__name__)


@once
def _warm() -> None:
    """A pod starts for a conversion that comes soon: it may come while its video is still on the way."""
    nursery.warm()


@subscriber(VideoUploaded, ready=(lambda: database.ping(), lambda: blobs.store().ping(), _warm))
def convert(event: VideoUploaded) -> None:
    """Claim the job, make its MP3, and finish it; or leave it alone when it is over or somebody else's."""
    # The engine starts while the database is asked.
    nursery.warm()
    claim = leases.claim(jobs.claim, event.job_id)
    if claim is None:
        outbox.send_unsent(event.job_id)
        return
    try:
        result = _finish(claim)
    except jobs.Lost:
        log.info("job %s was cancelled or given to another conversion", claim.job_id)
    except BaseException as error:
        jobs.release(claim, counts=not isinstance(error, Unavailable))
        raise
    else:
        outbox.send(result)


def _finish(claim: jobs.Claim) -> str:
    try:
        audio = engine.convert(claim)
    except engine.Unfinished:
        log.info("job %s is gone on with by the next delivery", claim.job_id)
        return jobs.postpone(claim)
    except Failure as failure:
        return jobs.fail_claimed(claim, failure)
    result = jobs.finish(claim, audio)
    # What is left when a store is away, sweep deletes.
    with suppress(Unavailable):
        checkpoints.forget(claim.job_id)
        blobs.store().delete(claim.video)
    return result
