"""The forms of the plain pages: what was filled in, and the form to sign in, with what is wrong or what was done."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from functions.gateway.plain import rendering
from functions.gateway.plain.visits import HOME, entered
from functions.shared.problems import Problem

__all__ = ["account", "door", "entered_by", "fields", "refused"]

MAX_FORM_BYTES = 16 * 1024
# What the person who filled in the form can put right.
_SAID_THERE = ("invalid-credentials", "invalid-account", "email-taken", "too-many-attempts", "account-suspended")


async def entered_by(request: Request, given: dict[str, str]) -> Response:
    """The way home, signed in by what was filled in. Raises: Problem."""
    request.state.visit = await entered(request, "/v1/session", account(given))
    return RedirectResponse(HOME, 303)


def account(given: dict[str, str]) -> dict[str, str]:
    """What login wants to know of an account."""
    return {"email": given.get("email", ""), "password": given.get("password", "")}


def door(request: Request, status: int = 200, **about: Any) -> Response:
    """The form to sign in, with a `notice` (a key of words/), or a `problem` and the `email` that was filled in."""
    # A link on another site does not bring the cookie along; the page itself, when it looks again, does.
    refresh = 0 if request.method == "POST" or request.headers.get("sec-fetch-site") != "cross-site" else 1
    notice = "problem.session-over" if request.state.visit.is_over else ""
    shown = {"email": "", "problem": None, "notice": notice, "refresh": refresh, **about}
    return rendering.page(request, "door", status, **shown)


def refused(request: Request, problem: Problem, given: dict[str, str]) -> Response:
    """The form again, with what is wrong. Raises: the problem, if that is not of the form."""
    if problem.code not in _SAID_THERE:
        raise problem
    return door(request, problem.status, problem=problem, email=given.get("email", ""))


async def fields(request: Request) -> dict[str, str]:
    """What was filled in. Raises: Problem (400) when it is too much."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            raise Problem("bad-request", "The form has more than 16 KiB.")
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
