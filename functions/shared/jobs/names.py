"""The names of a job's blobs, and the id of a job that another system asked for: nobody else puts names together.

The fencing token of the claim that writes a blob is in its name, so that no two writers have the same one.
"""

from __future__ import annotations

import uuid
from typing import Any

from functions.shared.jobs.states import State

__all__ = [
    "MAX_PEAKS",
    "audio",
    "audio_of",
    "fetched_of",
    "old_video",
    "owner_of",
    "part",
    "peaks_are_of",
    "piece",
    "submitted_id",
    "token_of",
    "video",
    "video_of",
]

# Of one MP3.
MAX_PEAKS = 1024
_NAMESPACE = uuid.UUID("5e4c7a52-3b6a-4a39-8f0e-6b7f6f1f6a11")


def video(job_id: str, token: int) -> str:
    """The video that the claim with this token stores; its row names it once it is whole."""
    return f"video/{job_id}.{token}"


def old_video(job_id: str) -> str:
    """The video as the release before revision 0004 names it, which writes no name into its row."""
    return f"video/{job_id}"


def video_of(job: Any) -> str:
    """The video that a row of jobs has."""
    return job.video or old_video(job.id)


def audio(job_id: str, token: int) -> str:
    """The MP3, or zip, that the claim with this token stores."""
    return f"audio/{job_id}.{token}"


def audio_of(job: Any) -> str | None:
    """The MP3, or zip, that a row of jobs has: also while it is converted again, and when that failed."""
    return None if job.state == State.EXPIRED else job.audio


def peaks_are_of(job: Any) -> bool:
    """Whether there are peaks of the MP3 that a row of jobs has; a release without peaks may have made it."""
    return job.peaks_of is not None and job.peaks_of == audio_of(job)


def part(job_id: str, token: int, number: int) -> str:
    """Frames that the claim with this token saves for the next delivery; parts are numbered over all deliveries."""
    return f"part/{job_id}.{token}.{number}"


def piece(job_id: str, token: int, start: int) -> str:
    """The bytes from `start` on of a resumable upload, as the request with this token has brought them."""
    return f"piece/{job_id}.{token}.{start}"


def fetched_of(job: Any) -> tuple[str, ...]:
    """What was fetched so far of the video of a row of jobs, by URL."""
    return tuple(piece["blob"] for piece in (job.fetched or {}).get("pieces", ()))


def owner_of(name: str) -> str:
    """The id of the job that a blob of this name belongs to, or once did."""
    return name.partition("/")[2].partition(".")[0]


def token_of(name: str) -> int | None:
    """The fencing token of the claim that writes a blob of this name; None where the name has none."""
    token = name.partition("/")[2].partition(".")[2].partition(".")[0]
    return int(token) if token.isdecimal() else None


def submitted_id(source: str, event_id: str) -> str:
    """The id of the job that another system's event becomes: the same event again is the same job."""
    return uuid.uuid5(_NAMESPACE, f"{source}\n{event_id}").hex
