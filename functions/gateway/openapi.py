"""The HTTP API as one table, and the OpenAPI 3.1 document that is made from it.

OPERATIONS says what a request takes and what it may be answered with; table.py, which paths there are and where a token
is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from functions.gateway.schemas import JOB_ID, OPTION_SCHEMAS, SCHEMAS, Schema, parameter, ref, text
from functions.gateway.table import TABLE
from functions.shared.jobs.states import State
from functions.shared.problems import PROBLEMS

__all__ = ["OPERATIONS", "Operation", "Success", "document"]

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MULTIPART, STREAM = "multipart/form-data", "text/event-stream"
# The zip is for chapters=split.
MP3 = ("audio/mpeg", "application/zip")
# What any request may be answered with.
ALWAYS = ("headers-too-large", "internal", "bad-gateway", "unavailable", "loop-detected")


@dataclass(frozen=True)
class Success:
    """A successful response. `schema` is None when it has no body, or one of bytes."""

    description: str
    media_type: str | tuple[str, ...] | None = None
    schema: Schema | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One method of one path: what it takes, and all that it may answer (`problems` are codes of PROBLEMS)."""

    id: str
    tag: str
    summary: str
    answers: Mapping[int, Success]
    problems: tuple[str, ...] = ()
    description: str = ""
    parameters: tuple[Schema, ...] = ()
    body: Mapping[str, Schema] = field(default_factory=dict)
    security: tuple[Schema, ...] = ()


_BYTES: Schema = {}
_JOB = Success("The job.", JSON, ref("Job"))
_ACCEPTED = Success("The job; what was sent is safe.", JSON, ref("Job"), ("Location",))
_TOKEN = ("unauthenticated",)
_OF_JOB = (*_TOKEN, "not-found")
_FILE_HEADERS = ("ETag", "Accept-Ranges", "Content-Disposition")
_FILE_PARAMETERS = (
    parameter("header", "Range", text("One range of bytes: `bytes=0-999`. Several at once give the whole file.")),
    parameter("header", "If-Range", text("The ETag; if the file has another one, all of it comes.")),
    parameter("header", "If-None-Match", text("An ETag; if the file still has it, the answer is 304.")),
)
_FILE = {
    200: Success("The MP3, or the zip of several where chapters were split.", MP3, _BYTES, _FILE_HEADERS),
    206: Success("The range of it.", MP3, _BYTES, (*_FILE_HEADERS, "Content-Range")),
    304: Success("The copy you have is good.", headers=("ETag",)),
}
_FILE_PROBLEMS = ("not-found", "wrong-state", "expired", "range-not-satisfiable")

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/v1/users"): Operation(
        "register",
        "Accounts",
        "Create an account",
        {201: Success("The account.", JSON, ref("User"), ("Location",))},
        ("bad-request", "email-taken", "too-large", "unsupported-media-type", "invalid-account"),
        body={JSON: ref("NewUser")},
    ),
    ("POST", "/v1/token"): Operation(
        "getToken",
        "Accounts",
        "Sign in, or renew a sign-in",
        {200: Success("Tokens.", JSON, ref("Token"))},
        ("bad-request", "invalid-grant", "unsupported-grant", "invalid-credentials", "too-large"),
        "The email address and the password may come by HTTP Basic instead. A refresh token that is used a second time "
        "ends the sign-in that it came from.",
        body={FORM: ref("Grant")},
        security=({}, {"basic": []}),
    ),
    ("GET", "/v1/me"): Operation(
        "readAccount",
        "Accounts",
        "The account that the token is for",
        {200: Success("The account.", JSON, ref("User"))},
        _TOKEN,
    ),
    ("GET", "/.well-known/jwks.json"): Operation(
        "readKeys",
        "Accounts",
        "The public keys that access tokens are signed with",
        {200: Success("The keys.", JSON, ref("KeySet"))},
    ),
    ("GET", "/v1/me/mail"): Operation(
        "listMail",
        "Accounts",
        "The mails to you that are kept on this machine",
        {200: Success("The mails.", JSON, ref("MailList"))},
        _OF_JOB,
        "404 where mail is really sent.",
    ),
    ("POST", "/v1/jobs"): Operation(
        "createJob",
        "Jobs",
        "Upload a video and have it converted",
        {202: _ACCEPTED},
        (
            *("bad-request", "bad-option", "unauthenticated", "in-progress", "too-large"),
            *("unsupported-media-type", "key-reused"),
        ),
        "The video is the whole body, or the field `file` of a form. Give `quality` or `bitrate`, not both; "
        "and `track` or `language`, not both.",
        (
            parameter("query", "filename", text("What to call the video; else Content-Disposition or the form.")),
            *(parameter("query", name, schema) for name, schema in OPTION_SCHEMAS.items()),
            parameter("header", "Content-Disposition", text("Its `filename` names the video.")),
            parameter(
                "header",
                "Idempotency-Key",
                text("A request that repeats it gets the first one's job.", minLength=1, maxLength=255),
            ),
        ),
        {"video/*": _BYTES, "audio/*": _BYTES, "application/octet-stream": _BYTES, MULTIPART: ref("Upload")},
    ),
    ("GET", "/v1/jobs"): Operation(
        "listJobs",
        "Jobs",
        "Your jobs, newest first",
        {200: Success("One page.", JSON, ref("JobPage"))},
        ("bad-request", *_TOKEN),
        parameters=(
            parameter("query", "state", {"enum": [*State], "description": "Only jobs in this state."}),
            parameter("query", "cursor", text("The next_cursor of the page before.")),
            parameter(
                "query",
                "limit",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 20, "description": "Jobs per page."},
            ),
        ),
    ),
    ("GET", "/v1/jobs/<job_id>"): Operation("readJob", "Jobs", "One job", {200: _JOB}, _OF_JOB),
    ("DELETE", "/v1/jobs/<job_id>"): Operation(
        "deleteJob",
        "Jobs",
        "Delete a job with its files",
        {204: Success("It is gone.")},
        _OF_JOB,
        "A conversion that is running stops.",
    ),
    ("POST", "/v1/jobs/<job_id>/cancel"): Operation(
        "cancelJob", "Jobs", "Stop a queued or converting job", {200: _JOB}, (*_OF_JOB, "wrong-state")
    ),
    ("POST", "/v1/jobs/<job_id>/retry"): Operation(
        "retryJob", "Jobs", "Queue a failed or cancelled job again", {202: _ACCEPTED}, (*_OF_JOB, "wrong-state")
    ),
    ("GET", "/v1/jobs/<job_id>/events"): Operation(
        "followJob",
        "Jobs",
        "A job as it changes",
        {200: Success("Server-sent events, each of them so.", STREAM, ref("Event"))},
        _OF_JOB,
        "The stream ends with the job, and after four minutes in any case: connect again with Last-Event-ID.",
        (parameter("header", "Last-Event-ID", text("The `id` of the last event you saw.")),),
    ),
    ("GET", "/v1/jobs/<job_id>/audio"): Operation(
        "readAudio",
        "Files",
        "The MP3 of your job",
        _FILE,
        (*_TOKEN, *_FILE_PROBLEMS),
        "HEAD gives the headers alone.",
        _FILE_PARAMETERS,
    ),
    ("GET", "/v1/files/<signed>"): Operation(
        "readSigned",
        "Files",
        "The MP3 of a job, by a signed link and without a token",
        _FILE,
        _FILE_PROBLEMS,
        "The link is in the job (`links.download`) and in the mail, and is good as long as the file.",
        _FILE_PARAMETERS,
    ),
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1)."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, _service, signed_in in TABLE:
        template = re.sub(r"<(\w+)>", r"{\1}", path)
        paths.setdefault(template, {})[method.lower()] = _operation(OPERATIONS[method, path], template, signed_in)
    about = "Upload a video, get an MP3. Every error is a problem document (RFC 9457) with a `code`."
    schemes = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "POST /v1/token gives one.",
        },
        "basic": {"type": "http", "scheme": "basic", "description": "Email address and password; for POST /v1/token."},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "audiolift", "version": "1", "description": about, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": schemes},
    }


def _operation(operation: Operation, template: str, signed_in: bool) -> Schema:
    parts = (parameter("path", name, _part(name)) | {"required": True} for name in re.findall(r"{(\w+)}", template))
    answers = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    made: Schema = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [*parts, *operation.parameters],
        "responses": answers | _problems((*operation.problems, *ALWAYS)),
        "security": [{"token": []}] if signed_in else list(operation.security),
    }
    if operation.body:
        content = {media_type: {"schema": schema} for media_type, schema in operation.body.items()}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _part(name: str) -> Schema:
    return JOB_ID if name == "job_id" else text("The end of the link.", minLength=1)


def _answer(answer: Success) -> Schema:
    made: Schema = {"description": answer.description}
    if answer.media_type:
        kinds = (answer.media_type,) if isinstance(answer.media_type, str) else answer.media_type
        made["content"] = {kind: {"schema": answer.schema} for kind in kinds}
    if answer.headers:
        made["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    return made


def _problems(codes: tuple[str, ...]) -> dict[str, Schema]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    return {str(status): _problem(same) for status, same in by_status.items()}


def _problem(codes: list[str]) -> Schema:
    schema = {"allOf": [ref("Problem")], "properties": {"code": {"enum": codes}}}
    described = "; ".join(f"`{code}`: {PROBLEMS[code][1]}" for code in codes)
    return {"description": described, "content": {"application/problem+json": {"schema": schema}}}
