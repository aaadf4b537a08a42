"""The page of an operator with much to see: what the server would answer one, in place of its refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect

from tests.browser.screen import SLOW_MS

__all__ = ["operate"]

_COUNTS = [("expired", None, 1204), ("done", None, 318), ("failed", "no-audio", 12), ("failed", "not-media", 9)]
_COUNTS += [("queued", None, 7), ("converting", None, 2), ("cancelled", None, 1)]
_LETTER = {
    "id": "5a1e0b9c6f6e3d5a4f0d9f5c1e2a7b8c",
    "state": "recorded",
    "type": "dev.audiolift.video.uploaded.v1",
    "source": "/audiolift/upload",
    "event_id": "7d0f5c2e",
    "job_id": "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01",
    "reason": "the sink answered 503 five times",
    "note": None,
    "replays": 1,
    "recorded_at": "2026-11-26T12:00:00.000Z",
    "tried_at": None,
    "closed_at": None,
}
_WHOLE = {**_LETTER, "attributes": {"id": "7d0f5c2e", "type": _LETTER["type"]}, "headers": None, "data": "eyJhIjoxfQ=="}


def _person(number: int, email: str, **more: bool) -> dict[str, Any]:
    about = {"suspended": False, "operator": False, "jobs": 40 // number, "live_jobs": 3 // number, "api_keys": 1}
    made = {"created_at": "2026-11-01T08:00:00.000Z", "stored_bytes": 2_400_000_000 // number}
    return {"id": f"{number:032x}", "email": email, **about, **made, **more}


def _hour(number: int) -> dict[str, Any]:
    begun = (number * 7) % 13
    at = f"2026-11-{25 + number // 24}T{number % 24:02}:00:00.000Z"
    return {"at": at, "begun": begun, "done": begun * 3 // 4, "failed": number % 9 // 7, "cancelled": 0}


_ANSWERS: dict[str, Any] = {
    "jobs/counts": {"items": [dict(zip(("state", "reason", "count"), each, strict=True)) for each in _COUNTS]},
    "jobs/activity": {"items": [_hour(number) for number in range(48)]},
    "dead-letters": {"items": [_LETTER], "next_cursor": "more"},
    f"dead-letters/{_LETTER['id']}/content": _WHOLE,
    "users": {
        "items": [_person(1, "anna@example.com", operator=True), _person(2, "eve@example.org", suspended=True)],
        "next_cursor": None,
    },
}


def operate(page: Page) -> None:
    """Shows the operator's view to somebody who is none."""
    page.route("**/v1/session/renew", _allow)
    page.route("**/v1/admin/**", _answering(_ANSWERS))
    page.goto("/operator")
    expect(page.get_by_role("heading", name="Operation", level=1)).to_be_visible(timeout=SLOW_MS)
    page.get_by_text("What was in it").click(timeout=SLOW_MS)
    expect(page.get_by_text('"a": 1')).to_be_visible(timeout=SLOW_MS)


def _allow(route: Route) -> None:
    answer = route.fetch(post_data="{}")
    route.fulfill(response=answer, json={**answer.json(), "available_scope": f"{answer.json()['scope']} admin"})


def _answering(answers: dict[str, Any]) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path.removeprefix("/v1/admin/")
        route.fulfill(status=200, content_type="application/json", body=json.dumps(answers[path]))

    return answer
