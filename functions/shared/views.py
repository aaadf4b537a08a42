"""What a job looks like to its owner: the JSON of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, convert

from functions.shared import job_warnings, reasons
from functions.shared.job_warnings import WARNINGS, JobWarning
from functions.shared.jobs import names
from functions.shared.jobs.states import LIVE, RETRYABLE, State
from functions.shared.operations import part
from functions.shared.options import OPTION_SCHEMAS
from functions.shared.reasons import REASONS

__all__ = ["BATCH_ID", "JOB_ID", "AudioTrack", "Instant", "Job", "JobError", "Links", "Remark", "job_view", "rfc3339"]

_EXAMPLE = "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"
_ID = "Unguessable; also the subject of the job's events."
JOB_ID = part("job_id", _ID, pattern="^[0-9a-f]{32}$", examples=[_EXAMPLE])

BATCH_ID = Meta(description="Of the batch that it came in, if any.", examples=["6f1f6a113b6a4a398f0e6b7f5e4c7a52"])

# As in RFC 3339, in UTC.
Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class JobError(Struct):
    """Why a job failed."""

    code: Annotated[
        str,
        Meta(
            description="For programs; listed in docs/api.md.",
            examples=["no-audio"],
            extra_json_schema={"enum": [*REASONS]},
        ),
    ]
    title: Annotated[str, Meta(description="What is wrong.", examples=["The video has no audio track"])]
    detail: Annotated[
        str,
        Meta(
            description="What to do.", examples=["There is nothing to convert. Check that the video plays with sound."]
        ),
    ]
    hint: Annotated[
        str | None,
        Meta(
            description="For programs: which of several causes it is, where more is known than the code says.",
            examples=["no-host"],
        ),
    ] = None


class Remark(Struct):
    """What to know about an MP3 that is not quite what its video promised."""

    code: Annotated[
        str,
        Meta(
            description="For programs; listed in docs/api.md.",
            examples=["wild-samples"],
            extra_json_schema={"enum": [*WARNINGS]},
        ),
    ]
    text: Annotated[
        str,
        Meta(
            description="What to know, with the numbers of this job.",
            examples=[JobWarning("wild-samples", {"count": 3}).text],
        ),
    ]
    values: Annotated[
        dict[str, int | float | str],
        Meta(
            description="What is filled in for this job, for those who have words of their own.",
            examples=[{"count": 3}],
        ),
    ]


class AudioTrack(Struct):
    """An audio track of the video."""

    position: Annotated[int, Meta(description="For the option `track`.", examples=[0], ge=0, le=63)]
    codec: Annotated[str, Meta(description="As FFmpeg calls it; empty when it cannot be read.", examples=["aac"])]
    language: Annotated[str, Meta(description="As in the video: two or three letters, or empty.", examples=["eng"])]
    title: Annotated[str, Meta(description="As in the video, in one line.", examples=["Stereo"])]
    channels: Annotated[int, Meta(description="0 when the codec cannot be read.", examples=[2])]
    sample_rate: Annotated[int, Meta(description="In Hz; 0 when it is not known before decoding.", examples=[48000])]
    seconds: Annotated[float | None, Meta(description="Its length, if the video states it.", examples=[214.3])]
    default: Annotated[bool, Meta(description="Whether the video marks it as its default.")]
    chosen: Annotated[bool, Meta(description="Whether the MP3 is made of it.")]


class Links(Struct):
    """What can be done with a job now."""

    self: Annotated[str, Meta(description="The job.", examples=["/v1/jobs/0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"])]
    events: Annotated[
        str, Meta(description="Its changes, live.", examples=["/v1/jobs/0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01/events"])
    ]
    audio: Annotated[
        str | UnsetType,
        Meta(
            description="The MP3, for its owner; when done, and while it is converted again.",
            examples=["/v1/jobs/0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01/audio"],
        ),
    ] = UNSET
    download: Annotated[
        str | UnsetType,
        Meta(
            description="The MP3, for whoever has this link; when done.",
            examples=["/v1/files/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjljIn0.c2lnbmF0dXJl"],
        ),
    ] = UNSET
    peaks: Annotated[
        str | UnsetType,
        Meta(
            description="The waveform of the MP3, for its owner; when there is one.",
            examples=["/v1/jobs/0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01/peaks"],
        ),
    ] = UNSET
    cancel: Annotated[str | UnsetType, Meta(description="POST here; until the job is over.")] = UNSET
    retry: Annotated[
        str | UnsetType, Meta(description="POST here; when failed or cancelled, and when done if the video is kept.")
    ] = UNSET


class Job(Struct):
    """A job."""

    id: Annotated[str, Meta(description=_ID, examples=[_EXAMPLE], extra_json_schema={"pattern": "^[0-9a-f]{32}$"})]
    state: Annotated[
        str,
        Meta(
            description="See docs/architecture.md for how one leads to the other.",
            examples=[State.DONE.value],
            extra_json_schema={"enum": [*State]},
        ),
    ]
    filename: Annotated[
        str,
        Meta(
            description="What the owner calls the video.", examples=["talk.mp4"], extra_json_schema={"maxLength": 255}
        ),
    ]
    options: Annotated[
        dict[str, Any],
        Meta(
            description="What was asked for.",
            examples=[{"quality": 2}],
            extra_json_schema={"properties": OPTION_SCHEMAS, "additionalProperties": False},
        ),
    ]
    audio_tracks: Annotated[
        list[AudioTrack] | None,
        Meta(description="What the video has, at most 64; null until the conversion has looked."),
    ]
    progress: Annotated[
        float,
        Meta(
            description="Of the video's way here while `receiving`, then of the conversion.", examples=[1.0], ge=0, le=1
        ),
    ]
    queue_position: Annotated[
        int | None,
        Meta(
            description="While it is queued, about its place in the queue: 1 is the next; null when it cannot be told.",
            examples=[None],
        ),
    ]
    speed: Annotated[
        float | None,
        Meta(
            description="Of the conversion, measured: seconds of sound in a second; null until known.", examples=[None]
        ),
    ]
    seconds_left: Annotated[
        float | None,
        Meta(description="Of the conversion, about, from its measured speed; null until known.", examples=[None]),
    ]
    batch_id: Annotated[str | None, BATCH_ID]
    created_at: Annotated[Instant, Meta(description="When the upload began.", examples=["2026-11-26T12:00:00.000Z"])]
    updated_at: Annotated[
        Instant, Meta(description="When the job last changed.", examples=["2026-11-26T12:00:09.120Z"])
    ]
    expires_at: Annotated[
        Instant | None,
        Meta(
            description="When its files are deleted; null while the job is not over.",
            examples=["2026-12-03T12:00:09.120Z"],
        ),
    ]
    duration_seconds: Annotated[float | None, Meta(description="The length of the MP3.", examples=[214.32])]
    size_bytes: Annotated[int | None, Meta(description="The size of the MP3.", examples=[5242880])]
    error: Annotated[JobError | None, Meta(description="Why there is no MP3.", examples=[None])]
    warnings: Annotated[list[Remark], Meta(description="What to know about the MP3.", examples=[[]])]
    links: Annotated[Links, Meta(description="What can be done with it now.")]


def rfc3339(instant: datetime) -> str:
    """An aware UTC datetime as in RFC 3339, to the millisecond."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_view(job: Any) -> Job:
    """What the owner of one row of the table jobs sees, without what other rows have to tell of it (the figures)."""
    return Job(
        id=job.id,
        state=job.state,
        filename=job.filename,
        options=job.options,
        audio_tracks=convert(job.audio_tracks, list[AudioTrack] | None),
        progress=round(job.progress, 4),
        queue_position=None,
        speed=None,
        seconds_left=None,
        batch_id=job.batch_id,
        created_at=rfc3339(job.created_at),
        updated_at=rfc3339(job.updated_at),
        expires_at=rfc3339(job.expires_at) if job.expires_at else None,
        duration_seconds=job.duration_seconds,
        size_bytes=job.audio_bytes,
        error=_error(job),
        warnings=[Remark(each.code, each.text, each.values) for each in job_warnings.loaded(job.warnings)],
        links=_links(job),
    )


def _error(job: Any) -> JobError | None:
    if job.error_code is None:
        return None
    code, detail = job.error_code, job.error_detail
    return JobError(code, reasons.title(code), detail, reasons.hint_of(code, detail))


def _links(job: Any) -> Links:
    here = f"/v1/jobs/{job.id}"
    links = Links(self=here, events=f"{here}/events")
    if names.audio_of(job):
        links.audio = f"{here}/audio"
    if names.peaks_are_of(job):
        links.peaks = f"{here}/peaks"
    if job.state in LIVE:
        links.cancel = f"{here}/cancel"
    if _has_video(job):
        links.retry = f"{here}/retry"
    return links


def _has_video(job: Any) -> bool:
    """Whether a job that is over has, or can get, what to convert again."""
    if job.state == State.DONE:
        return job.kept_video_bytes is not None
    return job.state in RETRYABLE and (job.video_bytes is not None or job.source_url is not None)
