"""Jobs whose videos are fetched by URL, asked for in JSON by their owner."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request

from events.catalogue import VideoSubmitted
from functions.shared import database, options, outbox, owners, quotas
from functions.shared.addresses import check_literal, in_ascii
from functions.shared.file_names import clean_name
from functions.shared.problems import Problem
from functions.shared.reasons import Failure
from functions.shared.tables import jobs as table
from functions.shared.takes import checked, json_object, no_query
from functions.upload import admission, intake
from functions.upload.url_shapes import UrlJob

__all__ = ["IN_THE_BODY", "Wanted", "create", "fingerprint_of", "name_of", "row_of", "wanted"]

IN_THE_BODY = "with JSON, all that is wanted stands in the body"


@dataclass(frozen=True)
class Wanted:
    """A sound request for one job."""

    source_url: str
    filename: str
    options: dict[str, Any]

    def event(self) -> VideoSubmitted:
        """What has the video fetched."""
        return VideoSubmitted(self.source_url, self.filename, self.options)


def create(request: Request, user_id: str, key: str | None) -> tuple[str, str | None]:
    """Open the job that the request's JSON asks for. `key` is its Idempotency-Key.

    Returns: the job's id, and that of the event that is to be sent, if the job is new. Raises: Problem.
    """
    no_query(request, IN_THE_BODY)
    given = json_object(request)
    asked, fingerprint = wanted(given), fingerprint_of(given)
    job_id = uuid.uuid4().hex
    try:
        return job_id, _open(user_id, job_id, asked, {"idempotency_key": key, "fingerprint": fingerprint})
    except IntegrityError:
        return str(intake.first(user_id, key, fingerprint).id), None


def wanted(given: Any) -> Wanted:
    """What a JSON value asks for. Raises: Problem (400), which names the member that is wrong."""
    body = checked(given, UrlJob, "bad-request")
    try:
        check_literal(url := in_ascii(body.source_url))
    except Failure as failure:
        raise Problem("bad-request", f"`source_url`: {failure.title}. {failure.detail}") from None
    return Wanted(url, name_of(body.filename, url), options.parse(body.options or {}))


def name_of(filename: str | None, url: str) -> str:
    """What a video that is fetched is called: as was asked for, else by the last part of the URL's path."""
    return clean_name(filename or unquote(urlsplit(url).path))


def row_of(user_id: str, job_id: str, asked: Wanted) -> dict[str, Any]:
    """The values of a new row of jobs, whose video is to be fetched."""
    return {**intake.blank_job(job_id, user_id, asked.filename, asked.options), "source_url": asked.source_url}


def fingerprint_of(given: Mapping[str, Any]) -> str:
    """What two requests that ask for the same have in common: the hex SHA-256 of it."""
    return hashlib.sha256(msgspec.json.encode(given, order="sorted")).hexdigest()


@database.transactional
def _open(connection: sa.Connection, user_id: str, job_id: str, asked: Wanted, once: Mapping[str, Any]) -> str:
    owners.hold(connection, user_id)
    connection.execute(table.insert().values({**row_of(user_id, job_id, asked), **once}))
    quotas.admit(connection, user_id)
    admission.check(connection)
    return outbox.add(connection, job_id, 0, asked.event())
