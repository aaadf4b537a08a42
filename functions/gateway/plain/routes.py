"""The addresses of the plain pages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from functions.gateway.plain import asking, links, rendering
from functions.gateway.plain.forms import account, door, entered_by, fields, refused
from functions.gateway.plain.visits import HOME, Visit
from functions.shared.jobs.states import ENDED
from functions.shared.problems import Problem
from functions.shared.routing import Routes

__all__ = ["add_to", "export", "home", "job", "register", "sign_in", "sign_out", "upload"]

# So often a page about what is under way looks again.
REFRESH_SECONDS = 3


def add_to(routes: Routes) -> None:
    """Have these routes answer them."""
    routes.add("GET", HOME)(home)
    routes.add("GET", f"{HOME}/jobs/<job_id>")(job)
    routes.add("GET", f"{HOME}/export")(export)
    for name, handler in {"sign-in": sign_in, "register": register, "sign-out": sign_out, "upload": upload}.items():
        routes.add("POST", f"{HOME}/{name}")(handler)
    links.add_to(routes)


async def home(request: Request, **_caller: str) -> Response:
    """The form to sign in, or the form for videos and what became of them."""
    visit: Visit = request.state.visit
    if not visit.user_id:
        return door(request)
    found = await asking.ask(request, "download", "GET", "/v1/jobs?limit=20", token=visit.token)
    jobs = [_view(each) for each in found.body["items"]]
    refresh = REFRESH_SECONDS * 2 if any(each["active"] for each in jobs) else 0
    return rendering.page(request, "home", jobs=jobs, refresh=refresh)


async def job(request: Request, job_id: str, **_caller: str) -> Response:
    """How it stands with one video. Raises: Problem (404)."""
    visit: Visit = request.state.visit
    if not visit.user_id:
        return door(request)
    if not re.fullmatch("[0-9a-f]{32}", job_id):
        raise Problem("not-found", "There is no such conversion.")
    found = await asking.ask(request, "download", "GET", f"/v1/jobs/{job_id}", token=visit.token)
    seen = _view(found.body)
    refresh = REFRESH_SECONDS if seen["active"] else 0
    return rendering.page(request, "job", job=seen, refresh=refresh)


async def sign_in(request: Request, **_caller: str) -> Response:
    """By the form."""
    given = await fields(request)
    try:
        return await entered_by(request, given)
    except Problem as problem:
        return refused(request, problem, given)


async def register(request: Request, **_caller: str) -> Response:
    """By the same form: where addresses are confirmed, a mail comes first."""
    given = await fields(request)
    try:
        made = await asking.ask(request, "login", "POST", "/v1/users", account(given))
        return await entered_by(request, given) if made.status == 201 else door(request, notice="signin.mailed")
    except Problem as problem:
        return refused(request, problem, given)


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


def _view(found: dict[str, Any]) -> dict[str, Any]:
    """What a page says of a job of the API."""
    link = urlsplit(found["links"].get("download", ""))
    # Of this very host, whatever name the server knows itself by.
    return {**found, "active": found["state"] not in ENDED, "download": link.path}
