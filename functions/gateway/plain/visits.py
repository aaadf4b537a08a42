"""Whose browser asks for a plain page: known by its cookies, which are renewed on the way."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from functions.gateway import own_page
from functions.gateway.hop import protocol_of
from functions.gateway.plain import asking, rendering
from functions.shared import cookies, tokens
from functions.shared.cookies import ACCESS
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.problems import Problem

__all__ = ["HOME", "NOBODY", "Visit", "Visits", "entered"]

HOME = "/plain"
# An access token so close to its end is not used any more.
MARGIN_SECONDS = 60


@dataclass(frozen=True)
class Visit:
    """Who it is, the access token, and the cookies that the answer has to set; `user_id` is "" for nobody."""

    user_id: str = ""
    token: str = ""
    cookies: tuple[str, ...] = ()


NOBODY = Visit()


class Visits(Middleware):
    """Takes forms from our own pages alone, finds out who it is, and tells of errors by a page."""

    async def before(self, call: Call, route: Route) -> None:
        """The handler finds the Visit in the request's state. Raises: Problem (403)."""
        if not _is_plain(route.path):
            return
        if call.request.method == "POST":
            own_page.check(call.request)
        call.request.state.visit = visit = await _visit(call.request)
        if visit.user_id:
            # Whose requests and bytes are counted.
            call.arguments["user_id"] = visit.user_id

    def failed(self, call: Call, error: Exception) -> Response | None:
        """The page about a problem."""
        if not _is_plain(call.request.scope["path"]) or not isinstance(error, Problem):
            return None
        return rendering.problem_page(call.request, error)

    def after(self, call: Call, response: Response) -> None:
        """Also with an answer that is an error: a cookie that is not sent is a session that is lost."""
        if _is_plain(call.request.scope["path"]):
            for each in getattr(call.request.state, "visit", NOBODY).cookies:
                response.headers.append("Set-Cookie", each)


async def entered(request: Request, path: str, body: object = None) -> Visit:
    """Who signs in at this address of login, or has the session renewed. Raises: Problem."""
    sent = "; ".join(request.headers.getlist("cookie"))
    told = await asking.ask(request, "login", "POST", path, body or {}, cookie=sent)
    token, seconds = told.body["access_token"], told.body["expires_in"] - MARGIN_SECONDS
    kept = cookies.cookie(ACCESS, token, seconds, _by_tls(request))
    # After login's, which takes back the one before.
    return Visit(tokens.bearer(f"Bearer {token}").user_id, token, (*told.cookies, kept))


async def _visit(request: Request) -> Visit:
    token = cookies.sent(request.headers.getlist("cookie"), ACCESS, _by_tls(request))
    try:
        return Visit(tokens.bearer(f"Bearer {token}").user_id, token)
    except Problem:
        return await _renewed(request)


async def _renewed(request: Request) -> Visit:
    if not own_page.session_of(request):
        return NOBODY
    try:
        return await entered(request, "/v1/session/renew")
    except Problem as problem:
        if problem.code != "no-session":
            raise
        return NOBODY


def _by_tls(request: Request) -> bool:
    return protocol_of(request.scope) == b"https"


def _is_plain(path: str) -> bool:
    return path == HOME or path.startswith(f"{HOME}/")
