"""The addresses of the plain pages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from functions.gateway.plain import asking, rendering
from functions.gateway.plain.visits import HOME, Visit, entered
from functions.shared.jobs.states import ENDED
from functions.shared.problems import Problem
from functions.shared.routing import Routes

__all__ = ["add_to", "export", "home", "job", "register", "sign_in", "sign_out", "upload"]

MAX_FORM_BYTES = 16 * 1024
# So often a page about what is under way looks again.
REFRESH_SECONDS = 3
# What the person who filled in the form can put right.
_SAID_THERE = ("invalid-credentials", "invalid-account", "email-taken", "too-many-attempts", "account-suspended")


def add_to(routes: Routes) -> None:
    """Have these routes answer them."""
    routes.add("GET", HOME)(home)
    routes.add("GET", f"{HOME}/jobs/<job_id>")(job)
    routes.add("GET", f"{HOME}/export")(export)
    for name, handler in {"sign-in": sign_in, "register": register, "sign-out": sign_out, "upload": upload}.items():
        routes.add("POST", f"{HOME}/{name}")(handler)


async def home(request: Request, **_caller: str) -> Response:
    """The form to sign in, or the form for videos and what became of them."""
    visit: Visit = request.state.visit
    if not visit.user_id:
        return _door(request)
    found = await asking.ask(request, "download", "GET", "/v1/jobs?limit=20", token=visit.token)
    jobs = [_view(each) for each in found.body["items"]]
    refresh = REFRESH_SECONDS * 2 if any(each["active"] for each in jobs) else 0
    return rendering.page(request, "home", jobs=jobs, refresh=refresh)


async def job(request: Request, job_id: str, **_caller: str) -> Response:
    """How it stands with one video. Raises: Problem (404)."""
    visit: Visit = request.state.visit
    if not visit.user_id:
        return _door(request)
    if not re.fullmatch("[0-9a-f]{32}", job_id):
        raise Problem("not-found", "There is no such conversion.")
    found = await asking.ask(request, "download", "GET", f"/v1/jobs/{job_id}", token=visit.token)
    seen = _view(found.body)
    refresh = REFRESH_SECONDS if seen["active"] else 0
    return rendering.page(request, "job", job=seen, refresh=refresh)


async def sign_in(request: Request, **_caller: str) -> Response:
    """By the form."""
    given = await _fields(request)
    try:
        return await _signed_in(request, given)
    except Problem as problem:
        return _refused(request, problem, given)


async def register(request: Request, **_caller: str) -> Response:
    """By the same form: where addresses are confirmed, a mail comes first."""
    given = await _fields(request)
    try:
        made = await asking.ask(request, "login", "POST", "/v1/users", _account(given))
        return await _signed_in(request, given) if made.status == 201 else _door(request, notice="signin.mailed")
    except Problem as problem:
        return _refused(request, problem, given)


async def sign_out(request: Request, **_caller: str) -> Response:
    """Ends the session."""
    sent = "; ".join(request.headers.getlist("cookie"))
    told = await asking.ask(request, "login", "DELETE", "/v1/session", cookie=sent)
    request.state.visit = Visit(cookies=told.cookies)
    return RedirectResponse(HOME, 303)


async def upload(request: Request, **_caller: str) -> Response:
    """A video by the form."""
    visit: Visit = request.state.visit
    if not visit.user_id:
        return RedirectResponse(HOME, 303)
    from functions.gateway.plain.sending import FormUpload

    return FormUpload(request, visit.token)


async def export(request: Request, **_caller: str) -> Response:
    """All that is kept of the account, as a file: a browser saves it as it comes, which no script does everywhere."""
    visit: Visit = request.state.visit
    if not visit.user_id:
        return RedirectResponse(HOME, 303)
    from functions.gateway.plain.sending import OwnersExport

    return OwnersExport(request, visit.token)


async def _signed_in(request: Request, given: dict[str, str]) -> Response:
    request.state.visit = await entered(request, "/v1/session", _account(given))
    return RedirectResponse(HOME, 303)


def _account(given: dict[str, str]) -> dict[str, str]:
    return {"email": given.get("email", ""), "password": given.get("password", "")}


def _door(request: Request, status: int = 200, **about: Any) -> Response:
    # A link on another site does not bring the cookie along; the page itself, when it looks again, does.
    refresh = 0 if request.method == "POST" or request.headers.get("sec-fetch-site") != "cross-site" else 1
    shown = {"email": "", "problem": None, "notice": "", "refresh": refresh, **about}
    return rendering.page(request, "door", status, **shown)


def _refused(request: Request, problem: Problem, given: dict[str, str]) -> Response:
    """The form again, with what is wrong. Raises: the problem, if that is not of the form."""
    if problem.code not in _SAID_THERE:
        raise problem
    return _door(request, problem.status, problem=problem, email=given.get("email", ""))


def _view(found: dict[str, Any]) -> dict[str, Any]:
    """What a page says of a job of the API."""
    link = urlsplit(found["links"].get("download", ""))
    # Of this very host, whatever name the server knows itself by.
    return {**found, "active": found["state"] not in ENDED, "download": link.path}


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            raise Problem("bad-request", "The form has more than 16 KiB.")
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
