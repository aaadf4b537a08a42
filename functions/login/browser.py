"""The session of a browser: its refresh token is a cookie that no script sees, its access tokens are the page's.

The gateway lets our own page alone through to these routes, and the cookie to no others.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.login import accounts, changes, grants, oidc, sign_ins
from functions.login.browser_shapes import Credentials, PageToken, Renewal
from functions.login.oidc_shapes import OidcCode
from functions.login.routes import agent_of, answer_and_mail, done, language_of, routes
from functions.login.shapes import PasswordChange
from functions.shared import cookies, settings
from functions.shared.api import json_response
from functions.shared.cookies import ACCESS, SESSION
from functions.shared.credentials import no_session
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope, written
from functions.shared.takes import json_body

__all__: list[str] = []

SIGNED_IN = Success("An access token; the cookie is set.", PageToken, headers=("Set-Cookie",))


@routes.operation(
    "POST",
    "/v1/session",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(Credentials),),
    answers={200: SIGNED_IN},
    problems=("account-suspended", "invalid-credentials", "too-many-attempts"),
    settings=("SIGNING_KEY",),
    wakes=("download",),
    own_page=True,
)
def sign_in_browser(request: Request, body: Credentials) -> Response:
    """Sign a browser in.

    For the page of audiolift; programs use `POST /v1/token`. A session that the browser had ends. A sign-in from a
    place, or by a program, that is new for the account is told to its owner by mail.
    """
    return _signed_in(request, accounts.check_password(body.email, body.password))


@routes.operation(
    "POST",
    "/v1/session/oidc",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(OidcCode),),
    answers={200: SIGNED_IN},
    problems=(
        *("account-suspended", "sign-in-refused", "email-unverified", "not-found", "email-taken", "invalid-account"),
        "invalid-credentials",
    ),
    settings=("SIGNING_KEY",),
    wakes=("download",),
    own_page=True,
)
def sign_in_browser_elsewhere(request: Request, body: OidcCode) -> Response:
    """Sign a browser in by the identity provider's code.

    As `POST /v1/oidc/callback`, for the page of audiolift.
    """
    return _signed_in(request, accounts.row(oidc.finish(body, language_of(request))))


@routes.operation(
    "POST",
    "/v1/session/renew",
    tag="Accounts",
    access=Access.COOKIE,
    takes=(json_body(Renewal, optional=True),),
    answers={200: SIGNED_IN},
    problems=("invalid-scope",),
    settings=("SIGNING_KEY",),
    wakes=("download",),
    own_page=True,
)
def renew_browser(request: Request, body: Renewal) -> Response:
    """Get a browser's next access token, by its cookie, which is set anew.

    A cookie is good once, and for a minute more if the next one has not been used yet: docs/sign-in.md.
    """
    if not (cookie := _cookie(request)):
        raise no_session("none")
    try:
        granted = grants.renew(cookie, agent_of(request), body.scope or "", in_cookie=True)
    except Problem as problem:
        gone = no_session("over", {"Set-Cookie": cookies.without(SESSION, _by_tls(request))})
        raise gone if problem.code == "invalid-grant" else problem from None
    return _answer(request, granted, granted.scopes if body.scope else granted.scopes - {Scope.ADMIN})


@routes.operation(
    "POST",
    "/v1/session/password",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(PasswordChange),),
    answers={200: SIGNED_IN},
    problems=("wrong-password", "invalid-account", "invalid-credentials", "too-many-attempts"),
    settings=("SIGNING_KEY",),
    own_page=True,
)
def change_password_in_browser(request: Request, user_id: str, body: PasswordChange) -> Response:
    """Change the password, and sign the browser in anew.

    As `POST /v1/me/password`, for the page of audiolift: all other sessions end.
    """
    user = accounts.prove(user_id, body.password)
    changed, event_id = changes.change_password(user, body.new_password)
    return answer_and_mail(_begun(request, changed), event_id)


@routes.operation(
    "DELETE",
    "/v1/session",
    tag="Accounts",
    access=Access.PUBLIC,
    answers={204: Success("It has ended, and the cookie is gone.", headers=("Set-Cookie",))},
    own_page=True,
)
def sign_out_browser(request: Request) -> Response:
    """Sign a browser out.

    Access tokens that were given out end by themselves.
    """
    grants.revoke(_cookie(request))
    return _with(done(), *(cookies.without(each, _by_tls(request)) for each in (SESSION, ACCESS)))


def _signed_in(request: Request, user: Any) -> Response:
    return _begun(request, user, sign_ins.seen(request))


def _begun(request: Request, user: Any, seen: sign_ins.Seen | None = None) -> Response:
    """A new session, never the one that a cookie names: that may have been planted (session fixation), and ends."""
    granted = grants.begin(user, agent_of(request), "", in_cookie=True, seen=seen)
    grants.revoke(_cookie(request))
    return answer_and_mail(_answer(request, granted, granted.scopes - {Scope.ADMIN}), granted.event_id)


def _answer(request: Request, granted: grants.Granted, scopes: frozenset[Scope]) -> Response:
    """An access token for these scopes: not for all, unless asked, since a page seldom administers."""
    by_tls, access = _by_tls(request), grants.signed(granted.user_id, scopes)
    seconds = settings.number("ACCESS_TOKEN_SECONDS")
    token = PageToken(access, "Bearer", seconds, written(scopes), granted.session_id, written(granted.held))
    kept = cookies.cookie(SESSION, granted.refresh_token, settings.number("REFRESH_TOKEN_SECONDS"), by_tls)
    return _with(json_response(token), kept, cookies.without(ACCESS, by_tls))


def _with(response: Response, *set_cookies: str) -> Response:
    for each in set_cookies:
        response.headers.append("Set-Cookie", each)
    return response


def _cookie(request: Request) -> str:
    return cookies.sent(request.headers.getlist("Cookie"), SESSION, _by_tls(request))


def _by_tls(request: Request) -> bool:
    """As the gateway says, which knows."""
    return request.headers.get("X-Forwarded-Proto") == "https"
