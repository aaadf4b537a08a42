"""Accounts and tokens: register, sign in, also by an identity provider, refresh; and the keys to check tokens with."""

from __future__ import annotations

import json

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import Authorization

from functions.login import accounts, grants, oidc, oidc_settings
from functions.login.shapes import Grant, KeySet, NewUser, OidcCode, OidcProvider, OidcStart, Token, User
from functions.shared import database, settings
from functions.shared.api import Api, json_response
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.starting import before_serving
from functions.shared.takes import form, json_body
from functions.shared.web import answer

before_serving(oidc_settings.check)
routes = Api(lambda: database.ping())


@functions_framework.aio.http
async def login(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.operation(
    "POST",
    "/v1/users",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(NewUser, invalid="invalid-account"),),
    answers={201: Success("The account.", User, headers=("Location",))},
    problems=("email-taken",),
)
def register(_request: Request, body: NewUser) -> Response:
    """Create an account."""
    return json_response(accounts.create(body), 201, {"Location": "/v1/me"})


@routes.operation(
    "POST",
    "/v1/token",
    tag="Accounts",
    access=Access.BASIC,
    takes=(form(Grant),),
    answers={200: Success("Tokens.", Token)},
    problems=("invalid-grant", "unsupported-grant", "invalid-credentials"),
    settings=("SIGNING_KEY",),
    wakes=("download",),
)
def get_token(request: Request, form: Grant) -> Response:
    """Sign in, or renew a sign-in.

    The email address and the password may come by HTTP Basic instead. A refresh token that is used a second time ends
    the sign-in that it came from.
    """
    basic = Authorization.from_header(request.headers.get("Authorization"))
    grant = form.grant_type or ("password" if basic else "")
    if grant == "refresh_token":
        return json_response(grants.refresh(form.refresh_token or ""))
    if grant != "password":
        raise Problem(
            "unsupported-grant", "Use grant_type=password or grant_type=refresh_token.", error="unsupported_grant_type"
        )
    name, password = (
        (basic.username, basic.password) if basic and basic.type == "basic" else (form.username, form.password)
    )
    return json_response(grants.issue(accounts.check_password(name or "", password or "")))


@routes.operation(
    "GET",
    "/v1/oidc",
    tag="Accounts",
    access=Access.PUBLIC,
    answers={200: Success("The identity provider, if there is one.", OidcProvider)},
)
def read_provider(_request: Request) -> Response:
    """By whom people can sign in."""
    return json_response(OidcProvider(settings.text("OIDC_ISSUER") or None))


@routes.operation(
    "POST",
    "/v1/oidc/start",
    tag="Accounts",
    access=Access.PUBLIC,
    answers={200: Success("Where to go, and what to keep.", OidcStart)},
    problems=("not-found",),
)
def start_sign_in(_request: Request) -> Response:
    """Begin a sign-in by the identity provider.

    Go to `authorization_url` with the browser. It comes back to the page, at PUBLIC_URL, with `code` and `state`.
    """
    return json_response(oidc.start())


@routes.operation(
    "POST",
    "/v1/oidc/callback",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(OidcCode),),
    answers={200: Success("Tokens.", Token)},
    problems=("sign-in-refused", "email-unverified", "not-found", "email-taken", "invalid-account"),
    settings=("SIGNING_KEY",),
    wakes=("download",),
)
def finish_sign_in(_request: Request, body: OidcCode) -> Response:
    """Trade the identity provider's code in for tokens.

    The first sign-in makes an account, with the address that the provider has verified. An account that has the address
    already is left alone.
    """
    return json_response(grants.issue(oidc.finish(body)))


@routes.operation(
    "GET",
    "/v1/me",
    tag="Accounts",
    access=Access.TOKEN,
    answers={200: Success("The account.", User)},
)
def read_account(_request: Request, user_id: str) -> Response:
    """The account that the token is for."""
    return json_response(accounts.read(user_id))


@routes.operation(
    "GET",
    "/.well-known/jwks.json",
    tag="Accounts",
    access=Access.PUBLIC,
    answers={200: Success("The keys.", KeySet)},
    settings=("JWKS",),
)
def read_keys(_request: Request) -> Response:
    """The public keys that access tokens are signed with."""
    return json_response(json.loads(settings.required("JWKS")), headers={"Cache-Control": "public, max-age=300"})
