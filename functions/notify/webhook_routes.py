"""Webhooks: made, listed, changed, deleted, tried; and what became of what was sent to them."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from functions.notify import deliveries, webhooks
from functions.notify.channels import webhook as channel
from functions.notify.notice_routes import tell_again
from functions.notify.notice_shapes import DeliveryPage, DeliveryQuery
from functions.notify.routes import routes
from functions.notify.webhook_shapes import (
    DELIVERY_ID,
    WEBHOOK_ID,
    ChangedWebhook,
    MadeWebhook,
    NewWebhook,
    Tested,
    Webhook,
    WebhookChange,
    WebhookList,
)
from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.problems import Unavailable
from functions.shared.scopes import Scope
from functions.shared.takes import json_body
from functions.shared.takes import query as in_query

__all__: list[str] = []

NO_STORE = {"Cache-Control": "no-store"}
# Read once it is known whose webhook it is: of what is another's, nobody learns more than of what is not there.
CHANGE = json_body(WebhookChange)


@routes.operation(
    "POST",
    "/v1/webhooks",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(NewWebhook),),
    answers={201: Success("The webhook, and its secret.", MadeWebhook, headers=("Location",))},
    problems=("too-many-webhooks",),
)
def make_webhook(_request: Request, user_id: str, body: NewWebhook) -> Response:
    """Have events posted to a URL.

    They are CloudEvents in JSON, signed as Standard Webhooks says: see docs/webhooks.md.
    """
    made = webhooks.create(user_id, body)
    return json_response(made, 201, {"Location": f"/v1/webhooks/{made.id}", **NO_STORE})


@routes.operation(
    "GET",
    "/v1/webhooks",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    answers={200: Success("The webhooks, without their secrets.", WebhookList)},
)
def list_webhooks(_request: Request, user_id: str) -> Response:
    """Your webhooks."""
    return json_response(WebhookList(webhooks.every(user_id)))


@routes.operation(
    "GET",
    "/v1/webhooks/<webhook_id>",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    takes=(WEBHOOK_ID,),
    answers={200: Success("The webhook, without its secret.", Webhook)},
    problems=("not-found",),
)
def read_webhook(_request: Request, user_id: str, webhook_id: str) -> Response:
    """A webhook."""
    return json_response(webhooks.read(user_id, webhook_id))


@routes.operation(
    "PATCH",
    "/v1/webhooks/<webhook_id>",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(WEBHOOK_ID, replace(CHANGE, read=None)),
    answers={200: Success("The webhook; with its secret, if that is new.", ChangedWebhook)},
    problems=("not-found",),
)
def change_webhook(request: Request, user_id: str, webhook_id: str) -> Response:
    """Change where it posts, what, whether, or its secret."""
    webhooks.of(user_id, webhook_id)
    assert CHANGE.read
    body: WebhookChange = CHANGE.read(request)["body"]
    return json_response(webhooks.change(user_id, webhook_id, body), headers=NO_STORE)


@routes.operation(
    "DELETE",
    "/v1/webhooks/<webhook_id>",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(WEBHOOK_ID,),
    answers={204: Success("It is gone.")},
    problems=("not-found",),
)
def delete_webhook(_request: Request, user_id: str, webhook_id: str) -> Response:
    """Delete a webhook; nothing more is sent to it."""
    webhooks.delete(user_id, webhook_id)
    return Response(status_code=204)


@routes.operation(
    "GET",
    "/v1/webhooks/<webhook_id>/deliveries",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    takes=(WEBHOOK_ID, in_query(DeliveryQuery)),
    answers={200: Success("The deliveries.", DeliveryPage)},
    problems=("not-found",),
)
def list_deliveries(_request: Request, user_id: str, webhook_id: str, query: DeliveryQuery) -> Response:
    """What was sent to a webhook, with each try and its answer."""
    webhooks.of(user_id, webhook_id)
    return json_response(deliveries.page(user_id, query, deliveries.to("webhook", webhook_id)))


@routes.operation(
    "POST",
    "/v1/webhooks/<webhook_id>/deliveries/<delivery_id>/redeliver",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(WEBHOOK_ID, DELIVERY_ID),
    answers={202: Success("It is on its way; the list says how it went.")},
    problems=("not-found", "wrong-state"),
)
def redeliver(_request: Request, user_id: str, webhook_id: str, delivery_id: str) -> Response:
    """Send a delivery again, whatever became of it, under the same `webhook-id`."""
    webhooks.of(user_id, webhook_id)
    return tell_again(deliveries.of(user_id, delivery_id, deliveries.to("webhook", webhook_id)))


@routes.operation(
    "POST",
    "/v1/webhooks/<webhook_id>/test",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(WEBHOOK_ID,),
    answers={200: Success("How it went.", Tested)},
    problems=("not-found",),
)
def send_test(_request: Request, user_id: str, webhook_id: str) -> Response:
    """Post an event of type `dev.audiolift.webhook.tested.v1` now, also to a webhook that is disabled.

    It is in the list of deliveries, and is not tried again.
    """
    try:
        status = channel.test(webhooks.of(user_id, webhook_id))
    except Unavailable as error:
        return json_response(Tested(False, None, str(error), getattr(error, "code", "no-answer")))
    if 200 <= status < 300:
        return json_response(Tested(True, status, None, None))
    return json_response(Tested(False, status, f"it answered {status}", "answered"))
