"""What a job looks like to its owner: the JSON of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from functions.shared import reasons
from functions.shared.jobs.states import CANCELLABLE, RETRYABLE, State

__all__ = ["job_view", "rfc3339"]


def rfc3339(instant: datetime | None) -> str | None:
    """An aware UTC datetime as in RFC 3339, to the millisecond, or None."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z") if instant else None


def job_view(job: Any) -> dict[str, Any]:
    """The JSON of one row of the table jobs."""
    return {
        "id": job.id,
        "state": job.state,
        "filename": job.filename,
        "options": job.options,
        "audio_tracks": job.audio_tracks,
        "progress": round(job.progress, 4),
        "created_at": rfc3339(job.created_at),
        "updated_at": rfc3339(job.updated_at),
        "expires_at": rfc3339(job.expires_at),
        "duration_seconds": job.duration_seconds,
        "size_bytes": job.audio_bytes,
        "error": _error(job),
        "links": _links(job),
    }


def _error(job: Any) -> dict[str, str] | None:
    if job.error_code is None:
        return None
    return {"code": job.error_code, "title": reasons.title(job.error_code), "detail": job.error_detail}


def _links(job: Any) -> dict[str, str]:
    here = f"/v1/jobs/{job.id}"
    links = {"self": here, "events": f"{here}/events"}
    if job.state == State.DONE:
        links["audio"] = f"{here}/audio"
    if job.state in CANCELLABLE or (job.state == State.RECEIVING and job.source_url):
        links["cancel"] = f"{here}/cancel"
    if job.state in RETRYABLE:
        links["retry"] = f"{here}/retry"
    return links
