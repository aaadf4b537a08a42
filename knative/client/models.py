"""What the API answers with. Made from functions/gateway/openapi.json by `make docs`.

What an answer may lack is None; a field that this release does not know is left out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

__all__ = [
    "ENDED",
    "Account",
    "ApiKey",
    "ApiKeyList",
    "AudioTrack",
    "Job",
    "JobError",
    "JobPage",
    "Links",
    "MadeApiKey",
    "OidcDevice",
    "OidcPending",
    "OidcProvider",
    "OidcStart",
    "Problem",
    "Quotas",
    "Remark",
    "State",
    "Token",
    "Usage",
]


class State(StrEnum):
    """The states of a job that this release knows."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    CONVERTING = "converting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


# In these nothing more happens by itself.
ENDED = (State.DONE, State.FAILED, State.CANCELLED, State.EXPIRED)


class Account(Struct, kw_only=True):
    """An account, with what it has and may have."""

    id: str
    """The account."""

    email: str
    """In lower case."""

    created_at: str
    """When it was made."""

    usage: Usage
    """What it has now."""

    quotas: Quotas
    """What it may have."""


class ApiKey(Struct, kw_only=True):
    """An API key, as its owner sees it later."""

    id: str
    """For revoking it."""

    name: str
    """What it is for."""

    start: str
    """The first characters of the key."""

    scopes: list[str]
    """What it may."""

    created_at: str
    """When it was made."""

    expires_at: str | None
    """When it ends by itself; null if never."""

    last_used_at: str | None
    """When it was last used, to the minute; null if never."""


class ApiKeyList(Struct, kw_only=True):
    """All API keys of an account."""

    items: list[ApiKey]
    """Newest first, at most 20."""


class AudioTrack(Struct, kw_only=True):
    """An audio track of the video."""

    position: int
    """For the option `track`."""

    codec: str
    """As FFmpeg calls it; empty when it cannot be read."""

    language: str
    """As in the video: two or three letters, or empty."""

    title: str
    """As in the video, in one line."""

    channels: int
    """0 when the codec cannot be read."""

    sample_rate: int
    """In Hz; 0 when it is not known before decoding."""

    seconds: float | None
    """Its length, if the video states it."""

    default: bool
    """Whether the video marks it as its default."""

    chosen: bool
    """Whether the MP3 is made of it."""


class Job(Struct, kw_only=True):
    """A job."""

    id: str
    """Unguessable; also the subject of the job's events."""

    state: str
    """See docs/architecture.md for how one leads to the other."""

    filename: str
    """What the owner calls the video."""

    options: dict[str, Any]
    """What was asked for."""

    audio_tracks: list[AudioTrack] | None
    """What the video has, at most 64; null until the conversion has looked."""

    progress: float
    """Of the video's way here while `receiving`, then of the conversion."""

    queue_position: int | None
    """While it is queued, about its place in the queue: 1 is the next; null when it cannot be told."""

    speed: float | None
    """Of the conversion, measured: seconds of sound in a second; null until known."""

    seconds_left: float | None
    """Of the conversion, about, from its measured speed; null until known."""

    batch_id: str | None
    """Of the batch that it came in, if any."""

    created_at: str
    """When the upload began."""

    updated_at: str
    """When the job last changed."""

    expires_at: str | None
    """When its files are deleted; null while the job is not over."""

    duration_seconds: float | None
    """The length of the MP3."""

    size_bytes: int | None
    """The size of the MP3."""

    error: JobError | None
    """Why there is no MP3."""

    warnings: list[Remark]
    """What to know about the MP3."""

    links: Links
    """What can be done with it now."""


class JobError(Struct, kw_only=True):
    """Why a job failed."""

    code: str
    """For programs; listed in docs/api.md."""

    title: str
    """What is wrong."""

    detail: str
    """What to do."""

    hint: str | None = None
    """For programs: which of several causes it is, where more is known than the code says."""


class JobPage(Struct, kw_only=True):
    """Some of somebody's jobs."""

    items: list[Job]
    """Newest first."""

    next_cursor: str | None
    """Send it as `cursor` for the next page; null on the last one."""


class Links(Struct, kw_only=True):
    """What can be done with a job now."""

    self: str
    """The job."""

    events: str
    """Its changes, live."""

    audio: str | None = None
    """The MP3, for its owner; when done, and while it is converted again."""

    download: str | None = None
    """The MP3, for whoever has this link; when done."""

    peaks: str | None = None
    """The waveform of the MP3, for its owner; when there is one."""

    cancel: str | None = None
    """POST here; until the job is over."""

    retry: str | None = None
    """POST here; when failed or cancelled, and when done if the video is kept."""


class MadeApiKey(Struct, kw_only=True):
    """An API key that has just been made."""

    id: str
    """For revoking it."""

    name: str
    """What it is for."""

    start: str
    """The first characters of the key."""

    scopes: list[str]
    """What it may."""

    created_at: str
    """When it was made."""

    expires_at: str | None
    """When it ends by itself; null if never."""

    last_used_at: str | None
    """When it was last used, to the minute; null if never."""

    key: str
    """Send it as `Authorization: Bearer …`. It is not shown again."""


class OidcDevice(Struct, kw_only=True):
    """A sign-in by another device (RFC 8628). The program keeps `device_code`, and shows it to nobody."""

    device_code: str
    """Goes to /v1/oidc/device/token."""

    user_code: str
    """What to enter at `verification_uri`."""

    verification_uri: str
    """Where to go with any browser."""

    verification_uri_complete: str | None
    """The same with the code in it, if there is one."""

    expires_in: int
    """For how many seconds both codes are good."""

    interval: int
    """How many seconds to wait, at least, before each question."""


class OidcPending(Struct, kw_only=True):
    """Nobody has signed in with that code yet."""

    slow_down: bool
    """Whether to wait for five seconds longer from now on."""


class OidcProvider(Struct, kw_only=True):
    """By whom people can sign in here."""

    issuer: str | None
    """The identity provider's issuer identifier; null when there is none."""


class OidcStart(Struct, kw_only=True):
    """A sign-in that begins. The browser's tab keeps all but the address, and shows it to nobody."""

    authorization_url: str
    """Where the browser goes next."""

    state: str
    """What the answer must bring back; take no answer that does not."""

    nonce: str
    """Goes to /v1/oidc/callback with the code."""

    code_verifier: str
    """Goes to /v1/oidc/callback with the code (RFC 7636)."""


class Problem(Struct, kw_only=True):
    """Problem details (RFC 9457)."""

    type: str
    """A page about it."""

    title: str
    """The same for each code."""

    status: int
    """The HTTP status."""

    detail: str
    """What went wrong here, and what to do."""

    code: str
    """For programs; listed in docs/api.md."""


class Quotas(Struct, kw_only=True):
    """What an account may have; null for no limit."""

    jobs: int | None
    """Jobs at a time."""

    stored_bytes: int | None
    """Bytes stored."""

    minutes_a_day: int | None
    """Minutes of MP3s made a day."""


class Remark(Struct, kw_only=True):
    """What to know about an MP3 that is not quite what its video promised."""

    code: str
    """For programs; listed in docs/api.md."""

    text: str
    """What to know, with the numbers of this job."""

    values: dict[str, Any]
    """What is filled in for this job, for those who have words of their own."""


class Token(Struct, kw_only=True):
    """A token response (RFC 6749, section 5.1)."""

    access_token: str
    """A JWT; send it as `Authorization: Bearer …`."""

    token_type: str

    expires_in: int
    """Seconds until the access token ends."""

    scope: str
    """The scopes of the access token, space between."""

    session_id: str
    """The session that it is of; `GET /v1/me/sessions` lists it."""

    refresh_token: str
    """Gets the next tokens, once."""


class Usage(Struct, kw_only=True):
    """What an account has now of each quota."""

    jobs: int
    """Jobs that are not over."""

    stored_bytes: int
    """Videos and MP3s that are stored, and uploads under way."""

    minutes_a_day: float
    """Minutes of MP3s made today (UTC)."""
