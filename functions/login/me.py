"""What who is signed in may do with the account: read, change and delete it, and see to its sessions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.login import accounts, changes, grants, mails, sessions
from functions.login.routes import accepted, agent_of, answer_and_mail, done, routes
from functions.login.shapes import Account, AddressChange, PasswordChange, Proof, SessionList, Token, User
from functions.shared.api import json_response
from functions.shared.operations import Access, Success, part
from functions.shared.scopes import Scope
from functions.shared.takes import json_body

__all__: list[str] = []


@routes.operation(
    "GET",
    "/v1/me",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    answers={200: Success("The account.", Account)},
)
def read_account(_request: Request, user_id: str) -> Response:
    """The account that the token is for."""
    return json_response(accounts.read(user_id))


@routes.operation(
    "PATCH",
    "/v1/me",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(AddressChange, invalid="invalid-account"),),
    answers={
        200: Success("The account, where addresses are not confirmed.", User),
        202: Success("A mail is on its way to the new address."),
    },
    problems=("wrong-password", "email-taken", "too-many-attempts"),
)
def change_address(_request: Request, user_id: str, body: AddressChange) -> Response:
    """Change the email address.

    Where mail is really sent, it changes when the link in the mail is opened: see `POST /v1/users/verify`.
    """
    user = accounts.prove(user_id, body.password)
    if mails.are_needed():
        return accepted(changes.change_address(user, body.email))
    moved, _ = accounts.move(user, body.email)
    return json_response(moved)


@routes.operation(
    "DELETE",
    "/v1/me",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(Proof),),
    answers={204: Success("It is gone.")},
    problems=("wrong-password", "too-many-attempts"),
)
def delete_account(_request: Request, user_id: str, body: Proof) -> Response:
    """Delete the account with all that belongs to it.

    Nobody can sign in from now on. Conversions stop, and jobs and files are deleted, within minutes.
    """
    user = accounts.prove(user_id, body.password)
    return answer_and_mail(done(), accounts.close(user))


@routes.operation(
    "POST",
    "/v1/me/password",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(PasswordChange),),
    answers={200: Success("Tokens of a new session; all others have ended.", Token)},
    problems=("wrong-password", "invalid-account", "invalid-credentials", "too-many-attempts"),
    settings=("SIGNING_KEY",),
)
def change_password(request: Request, user_id: str, body: PasswordChange) -> Response:
    """Change the password.

    Everybody is signed out but you, who get new tokens.
    """
    user = accounts.prove(user_id, body.password)
    changed, event_id = changes.change_password(user, body.new_password)
    return answer_and_mail(json_response(grants.issue(changed, agent_of(request))), event_id)


@routes.operation(
    "GET",
    "/v1/me/sessions",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    answers={200: Success("The sessions.", SessionList)},
)
def list_sessions(_request: Request, user_id: str) -> Response:
    """Where you are signed in."""
    return json_response(sessions.list_of(user_id))


@routes.operation(
    "DELETE",
    "/v1/me/sessions",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    answers={204: Success("They have ended.")},
)
def end_sessions(_request: Request, user_id: str) -> Response:
    """Sign out everywhere.

    Access tokens that were given out end by themselves.
    """
    sessions.end_every(user_id)
    return done()


@routes.operation(
    "DELETE",
    "/v1/me/sessions/<session_id>",
    tag="Accounts",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(part("session_id", "Of the list of sessions, or of a token response.", pattern="^[0-9a-f]{32}$"),),
    answers={204: Success("It has ended.")},
    problems=("not-found",),
)
def end_session(_request: Request, user_id: str, session_id: str) -> Response:
    """Sign out somewhere else.

    An access token that was given out there ends by itself.
    """
    sessions.end_one(user_id, session_id)
    return done()
