"""One job, at once or when it has changed: `Prefer: wait` (RFC 7240, section 4.3)."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from werkzeug.http import parse_etags, parse_list_header, parse_options_header

from functions.download import listing
from functions.download.follower import following
from functions.download.history import Change
from functions.download.subscription import Subscription
from functions.shared.api import json_response
from functions.shared.jobs.states import ENDED
from functions.shared.owners import job_of
from functions.shared.threads import in_thread
from functions.shared.views import Job

__all__ = ["MAX_SECONDS", "answer"]

# Proxies give up after a minute, commonly.
MAX_SECONDS = 50
# What changes all the time, or tells of other jobs.
_VOLATILE = ("queue_position", "speed", "seconds_left")


@dataclass(frozen=True)
class _Seen:
    """A job as it is, and its entity tag, which changes with it."""

    row: Any
    view: Job
    etag: str


async def answer(request: Request, user_id: str, job_id: str) -> Response:
    """The job; when the client prefers to wait, once there is something new, or its time is over.

    New is whatever differs from the entity tag in If-None-Match; without one, another state than the job is in now. A
    job that is over is answered at once. It waits without a thread or a connection. Raises: Problem (404), Unavailable.
    """
    known, preferred = parse_etags(request.headers.get("If-None-Match")), _preferred(request)
    seconds = min(preferred or 0, MAX_SECONDS)
    seen = await in_thread(_look, user_id, job_id)
    if seconds and not _is_news(seen, seen.row.state, known):
        seen = await _changed(seen, known, seconds)
    applied = {} if preferred is None else {"Preference-Applied": f"wait={seconds}"}
    headers = {"ETag": f'W/"{seen.etag}"', **applied}
    if known and known.contains_weak(seen.etag):
        return Response(status_code=304, headers=headers)
    return json_response(seen.view, headers=headers)


async def _changed(first: _Seen, known: Any, seconds: int) -> _Seen:
    subscription, ends = Subscription(first.row.user_id, first.row.id), time.monotonic() + seconds
    subscription.know(Change(0, first.row.id, first.row.user_id, first.row.updated_at, first.view))
    async with following(subscription):
        subscription.begin()
        while True:
            # The first time, for what happened before it listened.
            seen = await in_thread(_look, first.row.user_id, first.row.id)
            left = ends - time.monotonic()
            if _is_news(seen, first.row.state, known) or left <= 0 or subscription.has_ended:
                return seen
            await subscription.taken(left)


def _is_news(seen: _Seen, state: str, known: Any) -> bool:
    if seen.row.state in ENDED or seen.row.state != state:
        return True
    return bool(known) and not known.contains_weak(seen.etag)


def _look(user_id: str, job_id: str) -> _Seen:
    row = job_of(user_id, job_id)
    view = listing.whole(row)
    steady = msgspec.structs.replace(view, **dict.fromkeys(_VOLATILE))
    return _Seen(row, view, hashlib.blake2b(msgspec.json.encode(steady), digest_size=16).hexdigest())


def _preferred(request: Request) -> int | None:
    """The seconds of the first `wait` in Prefer; None without a sound one."""
    for preference in parse_list_header(", ".join(request.headers.getlist("Prefer"))):
        # An option's name is read where a media type would have its own.
        name, _, value = parse_options_header(preference)[0].partition("=")
        if name.strip().lower() == "wait":
            value = value.strip().strip('"')
            return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else None
    return None
