"""functions/shared/middleware/identity.py and verified.py: who gets as far as a handler."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from functions.login import api_keys as keys
from functions.login import grants, operators
from functions.login.key_shapes import NewApiKey
from functions.shared import api_keys, tokens
from functions.shared.api import Api
from functions.shared.middleware import Call, Route
from functions.shared.middleware.identity import Identity
from functions.shared.middleware.verified import Verified
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import FOR_KEYS, Scope
from tests.asgi import received, scope_of
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "secrets")
EMAIL = "anna@example.com"
ANSWERS = {200: Success("Done.")}


def handler(_request: Request, user_id: str) -> Response:
    """Who asks."""
    return PlainTextResponse(user_id)


@pytest.fixture
def user() -> str:
    """Anna."""
    return rows.user(EMAIL)


@pytest.mark.parametrize("middleware", [Identity(), Verified()])
def test_a_token_opens_the_routes_of_its_scopes_and_no_other(middleware: Identity, user: str) -> None:
    token = grants.issue(rows.user_row(user), asked="jobs:read").access_token
    assert passes(middleware, Scope.JOBS_READ, token).user_id == user
    for scope in set(Scope) - {Scope.JOBS_READ}:
        assert refused(middleware, scope, token) == (403, "insufficient-scope")


def test_a_function_looks_a_key_up_and_the_gateway_only_at_it(user: str) -> None:
    key = keys.create(user, NewApiKey("x", ["jobs:read"]))[0].key
    caller = passes(Verified(), Scope.JOBS_READ, key)
    assert (caller.user_id, caller.scopes) == (user, {Scope.JOBS_READ})
    assert caller.key_id
    assert refused(Verified(), Scope.JOBS_WRITE, key) == (403, "insufficient-scope")
    assert passes(Identity(), Scope.JOBS_WRITE, key) is None
    forged = api_keys.make()
    assert passes(Identity(), Scope.JOBS_READ, forged) is None
    assert refused(Verified(), Scope.JOBS_READ, forged) == (401, "unauthenticated")


@pytest.mark.parametrize("scope", sorted(set(Scope) - FOR_KEYS))
@pytest.mark.parametrize("middleware", [Identity(), Verified()])
def test_no_key_opens_what_is_not_for_keys_and_the_gateway_says_so_itself(middleware: Identity, scope: Scope) -> None:
    assert refused(middleware, scope, api_keys.make()) == (403, "insufficient-scope")


@pytest.mark.parametrize("middleware", [Identity(), Verified()])
def test_what_cannot_be_a_key_is_refused_before_anything_is_said_of_scopes(middleware: Identity) -> None:
    for scope in Scope:
        assert refused(middleware, scope, "al_guess") == (401, "unauthenticated")


def test_a_token_that_says_admin_counts_while_its_user_is_an_operator(user: str) -> None:
    operators.grant(EMAIL)
    token = grants.issue(rows.user_row(user)).access_token
    assert passes(Verified(), Scope.ADMIN, token).user_id == user
    operators.revoke(EMAIL, even_last=True)
    assert refused(Verified(), Scope.ADMIN, token) == (403, "insufficient-scope")
    assert passes(Verified(), Scope.JOBS_READ, token).user_id == user


def test_who_became_an_operator_after_signing_in_signs_in_again(user: str) -> None:
    token = grants.issue(rows.user_row(user)).access_token
    operators.grant(EMAIL)
    assert refused(Verified(), Scope.ADMIN, token) == (403, "insufficient-scope")


def test_a_signed_link_opens_no_route_that_takes_a_token() -> None:
    link = tokens.link(tokens.Link("0" * 32), time.time() + 60)
    for scope in Scope:
        assert refused(Verified(), scope, link) == (401, "unauthenticated")


def test_a_route_that_takes_a_token_has_a_scope_or_the_function_does_not_start() -> None:
    routes = Api()
    for access, scope in ((Access.TOKEN, None), (Access.PUBLIC, Scope.JOBS_READ), (Access.LINK, Scope.JOBS_READ)):
        with pytest.raises(TypeError, match="GET /v1/x"):
            routes.operation("GET", "/v1/x", tag="Jobs", access=access, scope=scope, answers=ANSWERS)(handler)
    assert routes.operations == []


def before(middleware: Identity, scope: Scope, credential: str) -> Any:
    route = Route("GET", "/v1/x", handler, Access.TOKEN, scope=scope)
    headers = {"Authorization": f"Bearer {credential}"}
    call = Call(Request(scope_of("GET", "/v1/x", headers), received([])))
    asyncio.run(middleware.before(call, route))
    assert call.arguments == ({"user_id": call.caller.user_id} if call.caller else {})
    return call.caller


def passes(middleware: Identity, scope: Scope, credential: str) -> Any:
    return before(middleware, scope, credential)


def refused(middleware: Identity, scope: Scope, credential: str) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        before(middleware, scope, credential)
    assert "WWW-Authenticate" in caught.value.headers
    return caught.value.status, caught.value.code
