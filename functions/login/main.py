"""Accounts and tokens: register, sign in, refresh; and the public keys that tokens are checked with."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import Authorization

from functions.login import accounts, grants
from functions.shared import database, settings, tokens
from functions.shared.bodies import content_type, json_body, read
from functions.shared.problems import Problem
from functions.shared.routing import Routes
from functions.shared.web import answer, json_response

routes = Routes(lambda: database.ping())

MAX_FORM_BYTES = 16 * 1024


@functions_framework.aio.http
async def login(request: Request) -> Response:
    """Answer any request to this function."""
    return await answer(routes, request)


@routes.add("POST", "/v1/users")
def register(request: Request) -> Response:
    """{email, password} → 201 and the account."""
    body = json_body(request)
    user = accounts.create(body.get("email"), body.get("password"))
    return json_response(user, 201, {"Location": "/v1/me"})


@routes.add("POST", "/v1/token")
def token(request: Request) -> Response:
    """A form with grant_type password or refresh_token, or HTTP Basic → the token response of RFC 6749, section 5.1."""
    form, basic = _form(request), Authorization.from_header(request.headers.get("Authorization"))
    grant = form.get("grant_type", "password" if basic else "")
    if grant == "refresh_token":
        return json_response(grants.refresh(form.get("refresh_token", "")))
    if grant != "password":
        raise Problem(
            "unsupported-grant", "Use grant_type=password or grant_type=refresh_token.", error="unsupported_grant_type"
        )
    name, password = (
        (basic.username, basic.password)
        if basic and basic.type == "basic"
        else (form.get("username"), form.get("password"))
    )
    return json_response(grants.issue(accounts.check_password(name or "", password or "")))


@routes.add("GET", "/v1/me")
def me(request: Request) -> Response:
    """The account that the access token is for."""
    return json_response(accounts.read(tokens.bearer(request.headers.get("Authorization"))))


@routes.add("GET", "/.well-known/jwks.json")
def jwks(_request: Request) -> Response:
    """The public keys (RFC 7517)."""
    return json_response(json.loads(settings.required("JWKS")), headers={"Cache-Control": "public, max-age=300"})


def _form(request: Request) -> dict[str, str]:
    """The fields of a form; of a name that comes twice, the first. Another kind of body has none."""
    if content_type(request)[0] != "application/x-www-form-urlencoded":
        return {}
    body = read(request, MAX_FORM_BYTES + 1)
    if len(body) > MAX_FORM_BYTES:
        raise Problem("bad-request", f"The body must be a form of at most {MAX_FORM_BYTES // 1024} KiB.")
    return dict(reversed(parse_qsl(body.decode(errors="replace"), keep_blank_values=True)))
