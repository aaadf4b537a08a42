"""Accounts, passwords, sessions and tokens; here: sign in, renew, sign out, and the public keys of tokens."""

from __future__ import annotations

import json

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import Authorization

from functions.login import accounts, api_keys, browser, grants, me, oidc_routes, registration, sign_ins
from functions.login.key_shapes import ApiKeyList, MadeApiKey, NewApiKey
from functions.login.routes import NO_STORE, agent_of, answer_and_mail, routes
from functions.login.shapes import Grant, KeySet, Revocation, Token
from functions.shared import settings
from functions.shared.api import json_response
from functions.shared.operations import Access, Success, part
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.takes import form, json_body
from functions.shared.web import answer

# To import them is to serve what they declare.
OTHERS = (browser, me, oidc_routes, registration)


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
    problems=(
        "account-suspended",
        "invalid-credentials",
        "invalid-grant",
        "invalid-scope",
        "too-many-attempts",
        "unsupported-grant",
    ),
    settings=("SIGNING_KEY",),
    wakes=("download",),
)
def get_token(request: Request, form: Grant) -> Response:
    """Sign in, or renew a sign-in.

    A renewed token may have fewer scopes than the sign-in, never more. The email address and the password may come by
    HTTP Basic instead. A refresh token that is used a second time ends the sign-in that it came from. After ten wrong
    passwords for an address, known or not, one has to wait: a second, then longer with every further one, up to a
    minute. A sign-in from a place, or by a program, that is new for the account is told to its owner by mail.
    """
    basic = Authorization.from_header(request.headers.get("Authorization"))
    grant = form.grant_type or ("password" if basic else "")
    if grant == "refresh_token":
        return json_response(grants.refresh(form.refresh_token or "", agent_of(request), form.scope or ""))
    if grant != "password":
        raise Problem(
            "unsupported-grant", "Use grant_type=password or grant_type=refresh_token.", error="unsupported_grant_type"
        )
    name, password = (
        (basic.username, basic.password) if basic and basic.type == "basic" else (form.username, form.password)
    )
    user = accounts.check_password(name or "", password or "")
    granted = grants.begin(user, agent_of(request), form.scope or "", in_cookie=False, seen=sign_ins.seen(request))
    return answer_and_mail(json_response(grants.tokens(granted)), granted.event_id)


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


@routes.operation(
    "POST",
    "/v1/api-keys",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(NewApiKey),),
    answers={201: Success("The key; it is not shown again.", MadeApiKey, headers=("Location",))},
    problems=("too-many-keys",),
)
def create_api_key(_request: Request, user_id: str, body: NewApiKey) -> Response:
    """Make an API key.

    It may be sent wherever an access token may, to the routes that ask for one of its scopes. The account's owner is
    told by mail.
    """
    made, event_id = api_keys.create(user_id, body)
    return answer_and_mail(json_response(made, 201, {"Location": f"/v1/api-keys/{made.id}"}), event_id)


@routes.operation(
    "GET",
    "/v1/api-keys",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    answers={200: Success("The keys, without what is secret.", ApiKeyList)},
)
def list_api_keys(_request: Request, user_id: str) -> Response:
    """Your API keys, newest first."""
    return json_response(api_keys.every(user_id))


@routes.operation(
    "DELETE",
    "/v1/api-keys/<key_id>",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(part("key_id", "The key.", pattern="^[0-9a-f]{32}$"),),
    answers={204: Success("It is gone.")},
    problems=("not-found",),
)
def revoke_api_key(_request: Request, user_id: str, key_id: str) -> Response:
    """Revoke an API key.

    The next request with it is refused.
    """
    api_keys.revoke(user_id, key_id)
    return Response(status_code=204)
