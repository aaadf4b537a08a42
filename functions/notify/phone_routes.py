"""A number for SMS: given, confirmed by the code that is sent there, and forgotten."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.notify import phones
from functions.notify.phone_shapes import PLACE, NewPhone, Phone, PhoneCode
from functions.notify.routes import routes
from functions.shared import settings
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.scopes import Scope
from functions.shared.starting import CannotStart, before_serving
from functions.shared.takes import json_body

__all__ = ["check_service", "confirm_phone", "forget_phone", "give_phone", "read_phone"]


@before_serving
def check_service() -> None:
    """Raises: CannotStart when every SMS would go to the same number, whatever was confirmed."""
    url = settings.text("SMS_SERVICE")
    if url and PLACE not in url:
        raise CannotStart(f"SMS_SERVICE must have {PLACE} where the recipient's number goes")


@routes.operation(
    "GET",
    "/v1/me/phone",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    answers={200: Success("Your number, if there is one.", Phone)},
)
def read_phone(_request: Request, user_id: str) -> Response:
    """The number that you can be told at by SMS."""
    return json_response(phones.read(user_id))


@routes.operation(
    "PUT",
    "/v1/me/phone",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(NewPhone),),
    answers={202: Success("A code is on its way there; the number is used once it has come back.", Phone)},
    problems=("not-found", "too-many-codes", "unauthenticated"),
)
def give_phone(_request: Request, user_id: str, body: NewPhone) -> Response:
    """Give a number to be told at by SMS, in place of the one before.

    A code is sent there. Which notices come by SMS, `PUT /v1/me/notifications` says. 404 where no SMS are sent.
    """
    return json_response(phones.begin(user_id, body.number), 202)


@routes.operation(
    "POST",
    "/v1/me/phone/confirm",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(PhoneCode),),
    answers={200: Success("The number is used from now on.", Phone)},
    problems=("wrong-code",),
)
def confirm_phone(_request: Request, user_id: str, body: PhoneCode) -> Response:
    """Confirm the number by the code that was sent there.

    A code is good for ten minutes and for five tries.
    """
    return json_response(phones.confirm(user_id, body.code))


@routes.operation(
    "DELETE",
    "/v1/me/phone",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    answers={204: Success("There is none any more.")},
)
def forget_phone(_request: Request, user_id: str) -> Response:
    """Forget the number; no more SMS are sent."""
    phones.forget(user_id)
    return Response(status_code=204)
