"""The page on a stage: the gateway's own files, called in this process, and examples in place of the API's answers.

So any state of the page is there at once and always looks the same, for screenshots and for what looks for barriers.
What the page does with a real audiolift, the other tests say.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
import wave
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Route

from tests.asgi import Answered, app_of, call
from tests.browser.screen import SLOW_MS

__all__ = ["FUNCTIONS", "JOBS", "ORIGIN", "Stage", "function", "instance"]

ORIGIN = "http://audiolift.localhost"
_LINKS = ("events", "audio", "cancel", "retry", "peaks", "download")


def _job(number: int, filename: str, state: str, *links: str, **more: Any) -> dict[str, Any]:
    ident = f"{number:032x}"
    made = f"2026-11-{27 - number:02}T09:{60 - number}:00.000Z"
    blank = dict.fromkeys(("error", "queue_position", "speed", "seconds_left", "expires_at", "batch_id"))
    shown = {name: f"/v1/jobs/{ident}/{name}" for name in ("events", *links)} | {"self": f"/v1/jobs/{ident}"}
    said = {"id": ident, "state": state, "filename": filename, "created_at": made, "updated_at": made, "links": shown}
    return {**blank, "options": {"quality": 2}, "progress": 0.0, "warnings": [], "audio_tracks": None, **said, **more}


def _failed(code: str) -> dict[str, str]:
    return {"code": code, "title": "", "detail": ""}


_DONE: dict[str, Any] = {"progress": 1.0, "expires_at": "2026-12-04T09:00:00.000Z"}
_HEARD = ("audio", "retry", "peaks", "download")
_EARLY = {"code": "ends-early", "text": "The file ends too early: the end of the sound is missing.", "values": {}}
JOBS = [
    _job(1, "Lecture 12 – Fourier series.mp4", "converting", "cancel", progress=0.42, speed=38.0, seconds_left=83.0),
    _job(2, "Lecture 11 – Convolution.mp4", "queued", "cancel", queue_position=2),
    _job(3, "Jazz at the Bimhuis.mkv", "done", *_HEARD, **_DONE, duration_seconds=4285.0, size_bytes=98_400_000),
    _job(4, "Grandma’s 80th birthday – speech in the garden, second take.mov", "done", *_HEARD, **_DONE)
    | {"duration_seconds": 312.0, "size_bytes": 5_100_000, "warnings": [_EARLY]},
    _job(5, "holiday.mp4", "failed", error=_failed("no-audio")),
    _job(6, "meeting-2026-11-20.webm", "failed", "retry", error=_failed("timed-out")),
    _job(7, "draft.mp4", "cancelled", "retry"),
    _job(8, "old-recording.avi", "expired", duration_seconds=1800.0),
]
_SCOPES = "jobs:read jobs:write account:read account:write admin"
_DAY = "2026-11-27T08:30:00.000Z"
_HOOK = {"id": "1" * 32, "url": "https://example.org/hooks/audiolift", "enabled": True, "created_at": _DAY}
_CREATED = "dev.audiolift.audio.created.v1"
_EVENTS = (_CREATED, "dev.audiolift.conversion.failed.v1", "dev.audiolift.batch.ended.v1")
_LETTER: dict[str, Any] = {
    "id": "2" * 32,
    "state": "recorded",
    "type": _CREATED,
    "source": "/audiolift/convert",
    "event_id": "3" * 32,
}
_LETTER |= {"job_id": "4" * 32, "reason": "500: the sink answered with an error", "note": None, "replays": 1}
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "audiolift/0.1 (Python 3.11)")


def _person(number: int, **more: Any) -> dict[str, Any]:
    name = ("anna", "bela", "chen")[number]
    blank: dict[str, Any] = {"suspended": False, "operator": False, "live_jobs": 0, "api_keys": number}
    return {"id": f"{number}" * 32, "email": f"{name}@example.org", "created_at": _DAY, **blank} | {
        "jobs": 40 // (number + 1),
        "stored_bytes": 810_000_000 // (number + 1),
        "minutes_today": 95.0,
        "quotas": {"jobs": 20, "stored_bytes": 5_000_000_000, "minutes_a_day": 600 if number else None},
        **more,
    }


def _hour(number: int) -> dict[str, Any]:
    begun = max(0, round(9 * math.sin(number / 7.6) + 6 * math.sin(number / 2.3)))
    ends = {"done": max(0, begun - number % 3), "failed": int(number % 11 == 0), "cancelled": 0}
    return {"at": f"2026-11-{25 + number // 24:02}T{number % 24:02}:00:00.000Z", "begun": begun, **ends}


def _managed(number: int, state: str, reason: str | None = None) -> dict[str, Any]:
    told = {"id": f"{number:032x}", "user_id": "0" * 32, "state": state, "reason": reason, "progress": 0.42}
    return {**told, "attempts": 1, "created_at": _DAY, "updated_at": _DAY}


def _step(kind: str, name: str, began: str, ended: str | None, **more: Any) -> dict[str, Any]:
    times = {"began_at": f"2026-11-27T08:{began}Z", "ended_at": ended and f"2026-11-27T08:{ended}Z"}
    return {"kind": kind, "name": name, **times, **more}


_UPLOADED = "dev.audiolift.video.uploaded.v1"
_COURSE = {
    "job": _managed(5, "failed", "gave-up"),
    "trace_ids": ["4bf92f3577b34da6a3ce929d0e0e4736"],
    "steps": [
        _step("state", "receiving", "30:00.000", "31:10.250"),
        _step("event", _UPLOADED, "31:10.250", None, sent_at="2026-11-27T08:31:10.310Z", attempts=3),
        _step("state", "queued", "31:10.250", "31:12.900"),
        _step("state", "converting", "31:12.900", "34:40.000"),
        _step("dead-letter", _UPLOADED, "34:39.000", None, outcome="recorded", detail="500: the sink answered 500"),
        _step("state", "failed", "34:40.000", "34:40.000"),
        _step("notice", "mail", "34:41.000", "34:41.420", outcome="sent"),
    ],
}
_REFUSED: dict[str, Any] = {
    "id": "6" * 32,
    "type": _CREATED,
    "job_id": f"{5:032x}",
    "reason": "413: the sink answered: too large",
}
_REFUSED |= {"attempts": 7, "created_at": _DAY, "tried_at": _DAY, "set_aside_at": _DAY}


def function(name: str, *instances: dict[str, Any]) -> dict[str, Any]:
    """A function as operators see it."""
    states = [each["state"] for each in instances]
    counts = {state: states.count(state) for state in ("ready", "starting", "terminating", "failed")}
    return {"name": name, **counts, "instances": list(instances)}


def instance(service: str, number: int, state: str = "ready", **more: Any) -> dict[str, Any]:
    """One of its instances."""
    revision = f"{service}-00003"
    blank: dict[str, Any] = {"why": None, "restarts": 0, "last_end": None, "since": _DAY}
    return {"name": f"{revision}-deployment-{number}", "revision": revision, "state": state, **blank, **more}


_KILLED = {"reason": "OOMKilled", "exit_code": 137, "at": _DAY}
FUNCTIONS = [
    function("gateway", instance("gateway", 1), instance("gateway", 2)),
    function("login", instance("login", 1)),
    function("upload", instance("upload", 1)),
    function(
        "convert",
        instance("convert", 3, "starting", why="ContainerCreating"),
        instance("convert", 2, restarts=1, last_end=_KILLED),
        instance("convert", 1, "terminating"),
    ),
    function("notify"),
    function("download", instance("download", 1)),
    function("sweep", instance("sweep", 1)),
]
_PEAKS = [round(255 * (0.08 + 0.92 * abs(math.sin(n / 61) * math.cos(n / 17)) ** 1.3)) for n in range(900)]
ANSWERS: dict[str, Any] = {
    "/v1/me": {
        "id": "0" * 32,
        "email": "anna@example.org",
        "created_at": _DAY,
        "usage": {"jobs": 2, "stored_bytes": 405_000_000, "minutes_a_day": 95.0},
        "quotas": {"jobs": 20, "stored_bytes": 5_000_000_000, "minutes_a_day": 600},
    },
    "/v1/oidc": {"issuer": None},
    "/v1/jobs": {"items": [], "next_cursor": None},
    "/v1/me/mail": {"items": []},
    "/v1/me/sessions": {
        "items": [
            {"id": str(number), "signed_in_at": _DAY, "used_at": _DAY, "user_agent": agent}
            for number, agent in enumerate(_AGENTS)
        ]
    },
    "/v1/me/phone": {"possible": True, "number": "+49…678", "confirmed_at": None, "code_expires_at": _DAY},
    "/v1/me/identities": {
        "items": [{"id": "1", "issuer": "https://login.example.org", "subject": "248289761001", "linked_at": _DAY}]
    },
    "/v1/me/notifications": {
        "events": {name: {"mail": True, "services": {"team-chat": name == _CREATED}} for name in _EVENTS},
        "language": "en",
    },
    "/v1/api-keys": {
        "items": [
            {"id": "1", "name": "Nightly import", "start": "al_Xy3k", "scopes": ["jobs:read", "jobs:write"]}
            | {"created_at": _DAY, "expires_at": "2027-02-25T08:30:00.000Z", "last_used_at": _DAY}
        ]
    },
    "/v1/webhooks": {"items": [{**_HOOK, "events": [_CREATED], "disabled_at": None, "disabled_reason": None}]},
    "/v1/admin/jobs/counts": {
        "items": [
            {"state": state, "reason": reason, "count": count}
            for state, reason, count in (
                ("done", None, 1840),
                ("expired", None, 610),
                ("failed", "not-media", 41),
                ("failed", "no-audio", 17),
                ("queued", None, 6),
                ("converting", None, 2),
                ("receiving", None, 1),
            )
        ]
    },
    "/v1/admin/jobs/activity": {"items": [_hour(number) for number in range(48)]},
    "/v1/admin/functions": {"unseen": None, "items": FUNCTIONS},
    "/v1/admin/dead-letters": {
        "items": [{**_LETTER, "recorded_at": _DAY, "tried_at": _DAY, "closed_at": None}],
        "next_cursor": None,
    },
    "/v1/admin/events": {
        "items": [{**_REFUSED, "data": {"job_id": f"{5:032x}", "filename": "holiday.mp4"}}],
        "next_cursor": None,
    },
    "/v1/admin/jobs": {
        "items": [_managed(6, "converting"), _managed(5, "failed", "gave-up"), _managed(4, "done")],
        "next_cursor": "more",
    },
    f"/v1/admin/jobs/{5:032x}/timeline": _COURSE,
    "/v1/admin/users": {
        "items": [_person(0, operator=True), _person(1, live_jobs=2), _person(2, suspended=True)],
        "next_cursor": None,
    },
}


def _silence() -> bytes:
    """A minute of it, as a WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", ""))
        sound.writeframes(b"\x80" * 8000 * 60)
    return file.getvalue()


# What was sent already, to visitors and to members: making it anew for each state takes most of the time.
_SENT: tuple[dict[str, Answered], dict[str, Answered]] = ({}, {})
_NAMES = ("content-type", "content-encoding", "content-security-policy", "x-problem")


class Stage:
    """What the pages of a context are given: `answers` by path; `refused` with a problem; nothing while `away`."""

    def __init__(
        self, context: BrowserContext, *, member: bool = False, jobs: list[dict[str, Any]] | None = None
    ) -> None:
        self._app, self._thread = app_of("gateway"), ThreadPoolExecutor(1)
        self._member = member
        jobs = jobs or []
        alone = {f"/v1/jobs/{each['id']}": each for each in jobs}
        waves = {f"{path}/peaks": {"seconds_per_peak": 4.8, "peaks": _PEAKS} for path in alone}
        self.answers = {**ANSWERS, **alone, **waves, "/v1/jobs": {"items": jobs, "next_cursor": None}}
        self._sent = _SENT[member]
        self.refused: dict[str, tuple[int, str]] = {}
        self.away = False
        self.slow = False
        context.set_default_timeout(SLOW_MS)
        context.route(re.compile(".*"), self._answer)

    def _answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if not path.startswith("/v1/") or path == "/v1/docs":
            self._file(route)
        elif self.away:
            route.abort("connectionrefused")
        elif not self.slow:
            self._api(route, path)

    def _file(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.path not in self._sent:
            headers = {**route.request.headers, "sec-fetch-site": "cross-site" if self._member else "none"}
            # In a thread: this one has Playwright's event loop.
            self._sent[url.path] = self._thread.submit(call, self._app, "GET", url.path, headers).result()
        sent = self._sent[url.path]
        named = {name: sent.headers[name] for name in _NAMES if name in sent.headers}
        route.fulfill(status=sent.status, headers=named, body=sent.body)

    def _api(self, route: Route, path: str) -> None:
        if path in self.refused:
            status, code = self.refused[path]
            _problem(route, status, code)
        elif path.startswith("/v1/session"):
            self._session(route)
        elif path.endswith("/events") and path not in self.answers:
            # A stream on which nothing is said.
            route.fulfill(status=200, content_type="text/event-stream", body=": quiet\n\n")
        elif path.endswith("/download"):
            _sound(route)
        elif path in self.answers:
            route.fulfill(status=200, content_type="application/json", body=json.dumps(self.answers[path]))
        else:
            _problem(route, 404, "not-found")

    def _session(self, route: Route) -> None:
        if not self._member:
            return _problem(route, 401, "unauthenticated")
        claims = base64.urlsafe_b64encode(json.dumps({"sub": "0" * 32}).encode()).decode().rstrip("=")
        said: Mapping[str, Any] = {"access_token": f"e.{claims}.s", "token_type": "Bearer", "expires_in": 86_400}
        body = json.dumps({**said, "scope": _SCOPES, "available_scope": _SCOPES, "session_id": "0"})
        return route.fulfill(status=200, content_type="application/json", body=body)


def _sound(route: Route) -> None:
    """In parts, if that is what is asked for: without them no browser moves in it."""
    sound = _silence()
    begin = int((re.match(r"bytes=(\d+)-", route.request.headers.get("range", "")) or ("", "0"))[1])
    headers = {
        "Content-Type": "audio/wav",
        "Accept-Ranges": "bytes",
        "Content-Range": f"bytes {begin}-{len(sound) - 1}/{len(sound)}",
    }
    route.fulfill(status=206, headers=headers, body=sound[begin:])


def _problem(route: Route, status: int, code: str) -> None:
    body = json.dumps({"title": code, "status": status, "code": code, "detail": ""})
    route.fulfill(status=status, content_type="application/problem+json", body=body)
