"""Accounts, passwords, sessions and tokens; here: sign in, renew, sign out, and the public keys of tokens."""

from __future__ import annotations

import json

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import Authorization

from functions.login import accounts, grants, me, registration
from functions.login.routes import NO_STORE, agent_of, routes
from functions.login.shapes import (
    Grant,
    KeySet,
    Revocation,
    Token,
)
from functions.shared import settings
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.takes import form
from functions.shared.web import answer

# To import them is to serve what they declare.
OTHERS = (me, registration)


@functions_framework.aio.http
async def login(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.operation(
    "POST",
    "/v1/token",
    tag="Accounts",
    access=Access.BASIC,
    takes=(form(Grant),),
    answers={200: Success("Tokens.", Token)},
    problems=("invalid-grant", "unsupported-grant", "invalid-credentials", "too-many-attempts"),
    settings=("SIGNING_KEY",),
    wakes=("download",),
)
def get_token(request: Request, form: Grant) -> Response:
    """Sign in, or renew a sign-in.

    The email address and the password may come by HTTP Basic instead. A refresh token that is used a second time ends
    the sign-in that it came from. After ten wrong passwords for an address, known or not, one has to wait: a second,
    then longer with every further one, up to a minute.
    """
    basic = Authorization.from_header(request.headers.get("Authorization"))
    grant = form.grant_type or ("password" if basic else "")
    if grant == "refresh_token":
        return json_response(grants.refresh(form.refresh_token or "", agent_of(request)))
    if grant != "password":
        raise Problem(
            "unsupported-grant", "Use grant_type=password or grant_type=refresh_token.", error="unsupported_grant_type"
        )
    name, password = (
        (basic.username, basic.password) if basic and basic.type == "basic" else (form.username, form.password)
    )
    return json_response(grants.issue(accounts.check_password(name or "", password or ""), agent_of(request)))


@routes.operation(
    "POST",
    "/v1/token/revoke",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(form(Revocation),),
    answers={200: Success("It is good no more, whatever it was.")},
)
def revoke_token(_request: Request, form: Revocation) -> Response:
    """Sign out: end the session of a refresh token (RFC 7009).

    Access tokens cannot be revoked; they end by themselves, after a quarter of an hour unless configured otherwise.
    """
    grants.revoke(form.token)
    return Response(headers=NO_STORE)


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
