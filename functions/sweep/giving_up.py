"""What becomes of a job whose event nobody takes."""

from __future__ import annotations

from events.catalogue import VideoSubmitted, VideoUploaded
from functions.shared import outbox
from functions.shared.jobs import transitions
from functions.shared.reasons import Failure

__all__ = ["WORK", "fail_job"]

# The events that have somebody work on a job, and why it fails when nobody could.
WORK = {VideoSubmitted.TYPE: "unreachable", VideoUploaded.TYPE: "gave-up"}


def fail_job(job_id: str, event_type: str) -> None:
    """Fail the job that an event was to have worked on, unless somebody works on it or it is over; tell its owner."""
    if event_type in WORK and (failed := transitions.fail(job_id, Failure(WORK[event_type]))):
        outbox.send(failed)
