"""Accounts and tokens: register, sign in, refresh; and the public keys that tokens are checked with."""

from __future__ import annotations

import json

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import Authorization

from functions.login import accounts, grants
from functions.login.shapes import Account, Grant, KeySet, NewUser, Token, User
from functions.shared import database, settings
from functions.shared.api import Api, json_response
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.takes import form, json_body
from functions.shared.web import answer

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
    "/v1/me",
    tag="Accounts",
    access=Access.TOKEN,
    answers={200: Success("The account.", Account)},
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
