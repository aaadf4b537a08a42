"""Errors as values: one table code → status → title, and the problem details (RFC 9457) made from it.

Problem                    what a caller did wrong or must wait for: becomes application/problem+json
Unavailable                a store or a sink does not answer now; the same request may work later
└── DatabaseUnavailable    the database does not, in functions.shared.database
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["PROBLEMS", "Problem", "Unavailable"]

PROBLEMS: dict[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be understood"),
    "bad-option": (400, "A conversion option is not valid"),
    "unauthenticated": (401, "A valid access token is needed"),
    "invalid-credentials": (401, "The email address or the password is wrong"),
    "invalid-grant": (400, "The refresh token is not valid"),
    "unsupported-grant": (400, "The grant type is not supported"),
    "sign-in-refused": (400, "The sign-in by the identity provider did not succeed"),
    "email-unverified": (403, "The identity provider does not vouch for your email address"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "This address does not take that method"),
    "email-taken": (409, "There already is an account with this email address"),
    "too-slow": (408, "The request came too slowly"),
    "wrong-state": (409, "The job is not in a state that allows this"),
    "in-progress": (409, "A request with this Idempotency-Key is still being handled"),
    "expired": (410, "The files of this job have been deleted"),
    "too-large": (413, "The video is too large"),
    "unsupported-media-type": (415, "This content type is not accepted here"),
    "range-not-satisfiable": (416, "The file has no such range"),
    "invalid-account": (422, "The account cannot be created"),
    "key-reused": (422, "This Idempotency-Key was used for another request"),
    "headers-too-large": (431, "The request has too many headers, or too large ones"),
    "internal": (500, "Something went wrong on our side"),
    "bad-gateway": (502, "A part of audiolift did not answer"),
    "unavailable": (503, "audiolift is not available right now"),
    "timed-out": (504, "A part of audiolift took too long"),
    "loop-detected": (508, "The request goes round in a circle"),
}


class Problem(Exception):
    """An answer to a request that cannot be fulfilled.

    Args: a code of PROBLEMS, a sentence that says what to do, extra response headers, extra members of the body.
    """

    def __init__(self, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status, self.title = PROBLEMS[code]
        self.headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", **(headers or {})}
        self.members = members

    def body(self) -> bytes:
        """The problem details as UTF-8 JSON (RFC 9457, section 3); `type` is a URN made from the code."""
        details = {
            "type": f"urn:audiolift:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }
        return json.dumps(details, ensure_ascii=False).encode()


class Unavailable(Exception):
    """A store or a sink does not answer now; the same request may work later."""

    def problem(self) -> Problem:
        """The 503 that a caller sees; what exactly is down stays in the log."""
        return Problem("unavailable", "A part of audiolift is down. Try again in a moment.", {"Retry-After": "5"})
