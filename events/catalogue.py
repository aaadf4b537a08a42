"""Every event type, as a frozen dataclass: what its data holds, who emits it, and an example.

Types are `dev.audiolift.<thing>.<past participle>.v<version>`; a change that breaks a reader gets a new version and
a new class.
Files never travel in events: `job_id` is the claim check that fetches them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

__all__ = [
    "CATALOGUE",
    "FROM_OTHERS",
    "FROM_RABBITMQ",
    "AudioCreated",
    "BatchEnded",
    "ConversionFailed",
    "EventType",
    "ExpiryAnnounced",
    "JobEvent",
    "MailRequested",
    "SubmissionConfirmed",
    "VideoSubmitted",
    "VideoUploaded",
    "dataschema",
]


def _described(text: str) -> Any:
    return field(metadata={"description": text})


@dataclass(frozen=True)
class EventType:
    """What all types have in common. `SOURCE` is what audiolift's own events of the type have as CloudEvents source."""

    TYPE: ClassVar[str]
    SOURCE: ClassVar[str]
    EXAMPLE: ClassVar[Mapping[str, Any]]

    def to_data(self) -> dict[str, Any]:
        """The event's data as a JSON object; fields that are None are left out."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class JobEvent(EventType):
    """Something happened to a job. `job_id` is the event's subject too."""

    job_id: str = _described("The job, and the claim check for its files.")


@dataclass(frozen=True)
class VideoSubmitted(EventType):
    """Another system asks for the audio of a video that lies at a URL."""

    TYPE = "dev.audiolift.video.submitted.v1"
    SOURCE = "/audiolift/upload"
    EXAMPLE = {"url": "https://media.example.com/talk.mp4", "filename": "talk.mp4", "options": {"quality": 2}}

    url: str = _described("Where to fetch the video: http or https, a public address.")
    filename: str | None = field(default=None, metadata={"description": "What to call it; else the URL's last part."})
    options: Mapping[str, Any] | None = field(
        default=None, metadata={"description": "Conversion options, as in POST /v1/jobs."}
    )


@dataclass(frozen=True)
class VideoUploaded(JobEvent):
    """A video is stored and its job is queued for conversion."""

    TYPE = "dev.audiolift.video.uploaded.v1"
    SOURCE = "/audiolift/upload"
    EXAMPLE = {"job_id": "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01", "filename": "talk.mp4", "size_bytes": 73400320}

    filename: str = _described("What the owner calls the video (Unicode).")
    size_bytes: int = _described("The size of the video in bytes.")


@dataclass(frozen=True)
class AudioCreated(JobEvent):
    """The MP3 of a job is stored and can be downloaded."""

    TYPE = "dev.audiolift.audio.created.v1"
    SOURCE = "/audiolift/convert"
    EXAMPLE = {
        "job_id": "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01",
        "filename": "talk.mp4",
        "size_bytes": 5242880,
        "duration_seconds": 214.32,
    }

    filename: str = _described("What the owner calls the video (Unicode).")
    size_bytes: int = _described("The size of the MP3 in bytes.")
    duration_seconds: float = _described("The length of the MP3 in seconds.")


@dataclass(frozen=True)
class ConversionFailed(JobEvent):
    """A job ended without an MP3, for good."""

    TYPE = "dev.audiolift.conversion.failed.v1"
    SOURCE = "/audiolift/convert"
    EXAMPLE = {
        "job_id": "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01",
        "filename": "slides.mp4",
        "code": "no-audio",
        "title": "The video has no audio track",
    }

    filename: str = _described("What the owner calls the video (Unicode).")
    code: str = _described("The reason code, as in the job's error.")
    title: str = _described("The reason in a few words, for a person.")


@dataclass(frozen=True)
class SubmissionConfirmed(JobEvent):
    """A video has arrived whole, and its owner wants to be told of that."""

    TYPE = "dev.audiolift.submission.confirmed.v1"
    SOURCE = "/audiolift/upload"
    EXAMPLE = {"job_id": "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01", "filename": "talk.mp4"}

    filename: str = _described("What the owner calls the video (Unicode).")


@dataclass(frozen=True)
class ExpiryAnnounced(JobEvent):
    """MP3s that their owner has not fetched are deleted within a day."""

    TYPE = "dev.audiolift.expiry.announced.v1"
    SOURCE = "/audiolift/sweep"
    EXAMPLE = {"job_id": "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01", "count": 3}

    count: int = _described("How many; `job_id` is one of their jobs, and the others' rows name it.")


@dataclass(frozen=True)
class BatchEnded(JobEvent):
    """The jobs of a batch are over; or some are, and for a day no other came to an end."""

    TYPE = "dev.audiolift.batch.ended.v1"
    SOURCE = "/audiolift/sweep"
    EXAMPLE = {"job_id": "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01", "batch_id": "7d3e1f0a9b8c4d5e8f6a2b1c0d9e8f7a"}

    batch_id: str = _described("The batch; `job_id` is one of its jobs, and any of them may be.")


@dataclass(frozen=True)
class MailRequested(EventType):
    """A mail about an account is to be sent."""

    TYPE = "dev.audiolift.mail.requested.v1"
    SOURCE = "/audiolift/login"
    EXAMPLE = {"mail_id": "3c0e8a1f5b7d4e6f9a2b1c0d8e7f6a5b"}

    mail_id: str = _described(
        "The mail, the event's subject too, and the claim check: neither address nor token is in events."
    )


# What Knative's RabbitmqSource makes of a message that is no event. Its data is the message, its source the queue.
FROM_RABBITMQ = "dev.knative.rabbitmq.event"
# What other systems may emit too.
FROM_OTHERS = (VideoSubmitted,)
CATALOGUE: tuple[type[EventType], ...] = (
    VideoSubmitted,
    VideoUploaded,
    AudioCreated,
    ConversionFailed,
    SubmissionConfirmed,
    ExpiryAnnounced,
    MailRequested,
    BatchEnded,
)


def dataschema(event_type: type[EventType]) -> str:
    """The URI of the JSON Schema of a type's data, carried in the CloudEvents attribute `dataschema`."""
    return f"https://audiolift.dev/schemas/{event_type.TYPE}.json"
