"""What requests and answers of the HTTP API look like, as JSON Schemas (draft 2020-12, as in OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from functions.shared.jobs.states import State
from functions.shared.options import OPTIONS
from functions.shared.problems import PROBLEMS
from functions.shared.reasons import REASONS

__all__ = ["JOB_ID", "OPTION_SCHEMAS", "SCHEMAS", "Schema", "parameter", "ref", "text"]

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """The schema of this name among SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(description: str, **more: Any) -> Schema:
    """A string; `more` are further keywords."""
    return {"type": "string", "description": description, **more}


def _time(description: str) -> Schema:
    return text(description, format="date-time")


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _object(optional: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def parameter(place: str, name: str, schema: Schema) -> Schema:
    """A parameter in the query, a header or the path; the schema's description becomes its own."""
    bare = {keyword: value for keyword, value in schema.items() if keyword != "description"}
    return {"in": place, "name": name, "description": schema["description"], "schema": bare}


OPTION_SCHEMAS: dict[str, Schema] = {
    name: {**option.schema, "description": option.meaning} for name, option in OPTIONS.items()
}
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = rf"^(?!.*=\?)[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*$"
JOB_ID = text("Unguessable; also the subject of the job's events.", pattern="^[0-9a-f]{32}$")

SCHEMAS: dict[str, Schema] = {
    "NewUser": _object(
        email=text("Where notices go.", pattern=_EMAIL, maxLength=254),
        password=text("Any characters.", minLength=8, maxLength=256),
    ),
    "User": _object(id=text("The account."), email=text("In lower case."), created_at=_time("When it was made.")),
    "Grant": _object(
        ("username", "password", "refresh_token"),
        grant_type={"enum": ["password", "refresh_token"], "description": "What is traded for the tokens."},
        username=text("The email address; with grant_type password."),
        password=text("With grant_type password."),
        refresh_token=text("With grant_type refresh_token. It is good once."),
    ),
    "Token": _object(
        access_token=text("A JWT; send it as `Authorization: Bearer …`."),
        token_type={"const": "Bearer"},
        expires_in={"type": "integer", "description": "Seconds until the access token ends."},
        refresh_token=text("Gets the next tokens, once."),
    ),
    "Job": _object(
        id=JOB_ID,
        state={"enum": [*State], "description": "See docs/architecture.md for how one leads to the other."},
        filename=text("What the owner calls the video.", maxLength=255),
        options={"type": "object", "properties": OPTION_SCHEMAS, "additionalProperties": False},
        audio_tracks={
            "type": ["array", "null"],
            "items": ref("AudioTrack"),
            "description": "What the video has, at most 64; null until the conversion has looked.",
        },
        progress={"type": "number", "minimum": 0, "maximum": 1, "description": "Of the conversion."},
        created_at=_time("When the upload began."),
        updated_at=_time("When the job last changed."),
        expires_at=_nullable(_time("When its files are deleted; null while the job is not over.")),
        duration_seconds={"type": ["number", "null"], "description": "The length of the MP3."},
        size_bytes={"type": ["integer", "null"], "description": "The size of the MP3."},
        error={"anyOf": [ref("JobError"), {"type": "null"}], "description": "Why there is no MP3."},
        links=_object(
            ("audio", "download", "cancel", "retry"),
            self=text("The job."),
            events=text("Its changes, live."),
            audio=text("The MP3, for its owner; when done."),
            download=text("The MP3, for whoever has this link; when done."),
            cancel=text("POST here; while queued or converting."),
            retry=text("POST here; when failed or cancelled."),
        ),
    ),
    "AudioTrack": _object(
        position={"type": "integer", "minimum": 0, "maximum": 63, "description": "For the option `track`."},
        codec=text("As FFmpeg calls it; empty when it cannot be read."),
        language=text("As in the video: two or three letters, or empty."),
        title=text("As in the video, in one line."),
        channels={"type": "integer", "description": "0 when the codec cannot be read."},
        sample_rate={"type": "integer", "description": "In Hz; 0 when it is not known before decoding."},
        seconds={"type": ["number", "null"], "description": "Its length, if the video states it."},
        default={"type": "boolean", "description": "Whether the video marks it as its default."},
        chosen={"type": "boolean", "description": "Whether the MP3 is made of it."},
    ),
    "JobError": _object(
        code={"enum": list(REASONS), "description": "For programs; listed in docs/api.md."},
        title=text("What is wrong."),
        detail=text("What to do."),
    ),
    "Event": _object(
        ("id",),
        id=text("For Last-Event-ID."),
        event={"enum": ["job", "gone"], "description": "`gone`: the job was deleted."},
        data=text("The job.", contentMediaType="application/json", contentSchema=ref("Job")),
    ),
    "JobPage": _object(
        items={"type": "array", "items": ref("Job"), "description": "Newest first."},
        next_cursor=_nullable(text("Send it as `cursor` for the next page; null on the last one.")),
    ),
    "Mail": _object(
        id=text("The Message-ID."),
        to=text("The address."),
        subject=text("The subject."),
        sent_at=_time("When it was written."),
        text=text("The body."),
    ),
    "MailList": _object(items={"type": "array", "items": ref("Mail"), "description": "Newest first, at most 50."}),
    "KeySet": _object(keys={"type": "array", "items": {"type": "object"}, "description": "Public JWKs (RFC 7517)."}),
    "Upload": _object(
        tuple(OPTION_SCHEMAS), file={"type": "string", "contentMediaType": "application/octet-stream"}, **OPTION_SCHEMAS
    ),
    "Problem": _object(
        type=text("urn:audiolift:problem:<code>", format="uri"),
        title=text("The same for each code."),
        status={"type": "integer", "description": "The HTTP status."},
        detail=text("What went wrong here, and what to do."),
        code={"enum": list(PROBLEMS), "description": "For programs; listed in docs/api.md."},
    ),
}
