"""Sign-in by an identity provider: what the browser asks for before, and with what it comes back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.login import accounts, grants, oidc, oidc_device, oidc_identities, oidc_settings, sign_ins
from functions.login.oidc_shapes import (
    IDENTITY_ID,
    Identity,
    IdentityList,
    LinkedCode,
    OidcCode,
    OidcDevice,
    OidcDeviceCode,
    OidcLoopback,
    OidcPending,
    OidcProvider,
    OidcStart,
)
from functions.login.routes import agent_of, answer_and_mail, language_of, routes
from functions.login.shapes import Proof, Token
from functions.shared import settings
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.scopes import Scope
from functions.shared.starting import before_serving
from functions.shared.takes import json_body

__all__: list[str] = []

REFUSALS = ("account-suspended", "sign-in-refused", "email-unverified", "not-found", "email-taken", "invalid-account")

before_serving(oidc_settings.check)


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
    problems=REFUSALS,
    settings=("SIGNING_KEY",),
    wakes=("download",),
)
def finish_sign_in(request: Request, body: OidcCode) -> Response:
    """Trade the identity provider's code in for tokens.

    The first sign-in makes an account, with the address that the provider has verified. An account that has the address
    already is left alone.
    """
    return _signed_in(request, oidc.finish(body, language_of(request)))


@routes.operation(
    "POST",
    "/v1/oidc/loopback",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(OidcLoopback),),
    answers={200: Success("Where to go, and what to keep.", OidcStart)},
    problems=("not-found",),
)
def start_loopback_sign_in(_request: Request, body: OidcLoopback) -> Response:
    """Begin a sign-in of a program whose user has a browser (RFC 8252).

    The browser comes back to `http://127.0.0.1:PORT/`, which the identity provider must know as a redirect URI, with
    `code` and `state`. Send the port with the code.
    """
    return json_response(oidc.start(body.port))


@routes.operation(
    "POST",
    "/v1/oidc/device",
    tag="Accounts",
    access=Access.PUBLIC,
    answers={200: Success("What to show, and what to keep.", OidcDevice)},
    problems=("not-found",),
)
def start_device_sign_in(_request: Request) -> Response:
    """Begin a sign-in of a program without a browser (RFC 8628).

    Show `verification_uri` and `user_code`, and ask at `/v1/oidc/device/token` until the user has signed in there. 404
    when the identity provider does not offer it.
    """
    return json_response(oidc_device.begin())


@routes.operation(
    "POST",
    "/v1/oidc/device/token",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(OidcDeviceCode),),
    answers={200: Success("Tokens.", Token), 202: Success("Nobody has signed in yet.", OidcPending)},
    problems=REFUSALS,
    settings=("SIGNING_KEY",),
)
def finish_device_sign_in(request: Request, body: OidcDeviceCode) -> Response:
    """Trade a device code in for tokens, once its user has signed in.

    The first sign-in makes an account, as that of a browser does.
    """
    found = oidc_device.finish(body.device_code, language_of(request))
    return json_response(found, 202) if isinstance(found, OidcPending) else _signed_in(request, found)


@routes.operation(
    "GET",
    "/v1/me/identities",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    answers={200: Success("All of them.", IdentityList)},
)
def list_identities(_request: Request, user_id: str) -> Response:
    """By which identities of the identity provider you can sign in."""
    return json_response(oidc_identities.list_of(user_id))


@routes.operation(
    "POST",
    "/v1/me/identities",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(LinkedCode),),
    answers={201: Success("It opens the account from now on.", Identity)},
    problems=("identity-taken", "not-found", "sign-in-refused", "too-many-attempts", "wrong-password"),
)
def link_identity(_request: Request, user_id: str, body: LinkedCode) -> Response:
    """Link an identity of the identity provider to your account.

    Begin as for a sign-in, at `POST /v1/oidc/start`, and send what comes back here. The addresses of the two may
    differ.
    """
    accounts.prove(user_id, body.password)
    return json_response(oidc.link(user_id, body), 201)


@routes.operation(
    "DELETE",
    "/v1/me/identities/<identity_id>",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(IDENTITY_ID, json_body(Proof)),
    answers={204: Success("It opens the account no more.")},
    problems=("not-found", "too-many-attempts", "wrong-password"),
)
def unlink_identity(_request: Request, user_id: str, identity_id: str, body: Proof) -> Response:
    """Unlink an identity from your account.

    Whoever knows the password is not locked out by it; for an account that was made by a sign-in, set one by mail
    first. Sessions go on.
    """
    accounts.prove(user_id, body.password)
    oidc_identities.unlink(user_id, identity_id)
    return Response(status_code=204)


def _signed_in(request: Request, user_id: str) -> Response:
    granted = grants.begin(accounts.row(user_id), agent_of(request), "", in_cookie=False, seen=sign_ins.seen(request))
    return answer_and_mail(json_response(grants.tokens(granted)), granted.event_id)
