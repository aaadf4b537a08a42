"""Whose browser asks for a plain page: known by its cookies, which are renewed on the way."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from functions.gateway import own_page
from functions.gateway.hop import protocol_of
from functions.gateway.plain import asking, rendering
from functions.shared import cookies, tokens
from functions.shared.cookies import ACCESS, SESSION
from functions.shared.credentials import ACCOUNT_GONE
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.problems import MARK, Problem

__all__ = ["HOME", "NOBODY", "Visit", "Visits", "entered", "told"]

HOME = "/plain"
# An access token so close to its end is not used any more.
MARGIN_SECONDS = 60


@dataclass(frozen=True)
class Visit:
    """Who it is, the access token, and the cookies that the answer has to set; `user_id` is "" for nobody.

    `is_over` says that it was somebody, whose session has ended: by time, elsewhere, or with another password.
    """

    user_id: str = ""
    token: str = ""
    cookies: tuple[str, ...] = ()
    is_over: bool = False


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
        return told(call.request, error)

    def after(self, call: Call, response: Response) -> None:
        """Also with an answer that is an error: a cookie that is not sent is a session that is lost."""
        if _is_plain(call.request.scope["path"]):
            for each in getattr(call.request.state, "visit", NOBODY).cookies:
                response.headers.append("Set-Cookie", each)


def told(request: Request, problem: Problem) -> Response:
    """The page about a problem; where nothing is open to somebody any more, the form to sign in, and why."""
    if problem.code not in ("unauthenticated", "account-suspended"):
        return rendering.problem_page(request, problem)
    request.state.visit = NOBODY
    page = rendering.page(request, "door", problem.status, email="", problem=None, notice=_why(problem))
    page.headers[MARK] = problem.code
    for each in (ACCESS, SESSION):
        page.headers.append("Set-Cookie", cookies.without(each, _by_tls(request)))
    return page


def _why(problem: Problem) -> str:
    """The key of the words for it."""
    if problem.code != "unauthenticated":
        return f"problem.{problem.code}"
    gone = problem.members.get("reason") == ACCOUNT_GONE
    return "problem.unauthenticated.account-gone" if gone else "problem.session-over"


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
        return Visit(cookies=(cookies.without(SESSION, _by_tls(request)),), is_over=True)


def _by_tls(request: Request) -> bool:
    return protocol_of(request.scope) == b"https"


def _is_plain(path: str) -> bool:
    return path == HOME or path.startswith(f"{HOME}/")
