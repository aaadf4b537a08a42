"""What owners want to be told of: read and changed, by them or by the one click of a mail program."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from functions.notify import preferences
from functions.notify.preference_shapes import UNSUBSCRIPTION, Preferences
from functions.notify.routes import routes
from functions.shared import link_pages
from functions.shared.accepts import takes
from functions.shared.api import json_response
from functions.shared.languages import Language
from functions.shared.layout import laid_out
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.takes import json_body

__all__: list[str] = []

# Nothing happens unless the button is pressed: programs open links by themselves.
ASKED: Mapping[Language, tuple[str, str, str]] = {
    "en": (
        "No more mails of this kind?",
        "You can have them again at any time, in your account.",
        "Send me no more",
    ),
    "de": (
        "Keine Mails dieser Art mehr?",
        "Du kannst sie jederzeit wieder bestellen, in deinem Konto.",
        "Keine mehr schicken",
    ),
}
DONE: Mapping[Language, tuple[str, str]] = {
    "en": ("You get no more mails of this kind", "You can have them again at any time, in your account."),
    "de": ("Du bekommst keine Mails dieser Art mehr", "Du kannst sie jederzeit wieder bestellen, in deinem Konto."),
}


@routes.operation(
    "GET",
    "/v1/me/notifications",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_READ,
    answers={200: Success("What you are told of.", Preferences)},
)
def read_notifications(_request: Request, user_id: str) -> Response:
    """What you are told of, and how."""
    return json_response(preferences.read(user_id))


@routes.operation(
    "PUT",
    "/v1/me/notifications",
    tag="Notices",
    access=Access.TOKEN,
    scope=Scope.ACCOUNT_WRITE,
    takes=(json_body(Preferences),),
    answers={200: Success("What you are told of from now on.", Preferences)},
)
def change_notifications(_request: Request, user_id: str, body: Preferences) -> Response:
    """Choose what you are told of, and how."""
    return json_response(preferences.change(user_id, body))


@routes.operation(
    "GET",
    "/v1/unsubscribe/<unsubscription>",
    tag="Notices",
    access=Access.LINK,
    takes=(UNSUBSCRIPTION,),
    answers={200: Success("A page with a button.", {}, ("text/html",))},
    problems=("not-found",),
)
def ask_to_unsubscribe(request: Request, unsubscription: str) -> Response:
    """A page that asks whether you want no more mails of this kind.

    It changes nothing. A browser is told by a page when the link is not one of ours.
    """
    try:
        language = preferences.reader_of(unsubscription)
    except Problem as problem:
        return link_pages.told(request, problem)
    question, hint, button = ASKED[language]
    content = f'<h1>{question}</h1><p>{hint}</p><form method="post"><button class="main">{button}</button></form>'
    return HTMLResponse(laid_out(question, content, language))


@routes.operation(
    "POST",
    "/v1/unsubscribe/<unsubscription>",
    tag="Notices",
    access=Access.LINK,
    takes=(UNSUBSCRIPTION,),
    answers={200: Success("There are no more mails of this kind.", {}, ("text/plain", "text/html"))},
    problems=("not-found",),
)
def unsubscribe(request: Request, unsubscription: str) -> Response:
    """Get no more mails of the kind of the one that this link came with (RFC 8058).

    What the body says does not matter. They can be had again by `PUT /v1/me/notifications`. A browser is answered by a
    page.
    """
    language = preferences.reader_of(unsubscription)
    preferences.unsubscribe(unsubscription)
    done, hint = DONE[language]
    vary = {"Vary": "Accept"}
    if not takes(request.headers.get("Accept", ""), "text/html"):
        return PlainTextResponse(f"{done}. {hint}\n", headers=vary)
    return HTMLResponse(laid_out(done, f"<h1>{done}</h1><p>{hint}</p>", language), headers=vary)
