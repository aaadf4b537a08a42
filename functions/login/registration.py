"""Accounts are made, and passwords that were forgotten are reset: whoever asks is not signed in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.login import accounts, changes, mails
from functions.login.routes import accepted, answer_and_mail, done, language_of, routes
from functions.login.shapes import Forgotten, LinkOpened, NewUser, PasswordReset, User
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.takes import json_body

__all__: list[str] = []


@routes.operation(
    "POST",
    "/v1/users",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(NewUser, invalid="invalid-account"),),
    answers={
        201: Success("The account, where addresses are not confirmed.", User, headers=("Location",)),
        202: Success("A mail is on its way to the address, whether it has an account or not."),
    },
    problems=("email-taken",),
)
def register(request: Request, body: NewUser) -> Response:
    """Create an account.

    Where mail is really sent, the account is made when the link in the mail is opened: see `POST /v1/users/verify`.
    Mails are in the language of `Accept-Language`, of those that there are, until another is chosen.
    """
    if mails.are_needed():
        return accepted(changes.register(body.email, body.password, language_of(request)))
    made = accounts.create(body.email, body.password, language_of(request))
    return json_response(made, 201, {"Location": "/v1/me"})


@routes.operation(
    "POST",
    "/v1/users/verify",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(LinkOpened),),
    answers={200: Success("The account.", User)},
    problems=("invalid-link", "wrong-password", "email-taken", "too-many-attempts", "unauthenticated"),
)
def confirm_address(request: Request, body: LinkOpened) -> Response:
    """Confirm an address by the link that was mailed to it.

    That makes the account, or gives it its new address. The password is that of the account: who gets a mail that
    they have not asked for cannot give it.
    """
    user, event_id = changes.confirm(body.token, body.password, language_of(request))
    return answer_and_mail(json_response(user), event_id)


@routes.operation(
    "POST",
    "/v1/password/forgot",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(Forgotten, invalid="invalid-account"),),
    answers={202: Success("If there is such an account, a mail is on its way.")},
)
def forget_password(_request: Request, body: Forgotten) -> Response:
    """Have a link mailed by which another password can be chosen.

    It is good for half an hour. Where mail is kept on one machine, it is a file there.
    """
    return accepted(changes.forgot(body.email))


@routes.operation(
    "POST",
    "/v1/password/reset",
    tag="Accounts",
    access=Access.PUBLIC,
    takes=(json_body(PasswordReset),),
    answers={204: Success("It is the password now.")},
    problems=("invalid-link", "invalid-account"),
)
def reset_password(_request: Request, body: PasswordReset) -> Response:
    """Choose another password, by the link that was mailed.

    All sessions end, and nobody who has guessed at the password before makes its owner wait.
    """
    return answer_and_mail(done(), changes.reset(body.token, body.new_password))
