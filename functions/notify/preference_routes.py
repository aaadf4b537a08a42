"""What owners want to be told of: read and changed, by them or by the one click of a mail program."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from functions.notify import preferences
from functions.notify.preference_shapes import UNSUBSCRIPTION, Preferences
from functions.notify.routes import routes
from functions.shared import link_pages
from functions.shared.api import json_response
from functions.shared.languages import Language
from functions.shared.operations import Access, Success
from functions.shared.problems import Problem
from functions.shared.scopes import Scope
from functions.shared.takes import json_body

__all__: list[str] = []

# Nothing happens unless the button is pressed: programs open links by themselves.
PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>audiolift: {title}</title>
</head>
<body><main><h1>{heading}</h1>
<form method="post"><button>{button}</button></form></main></body>
</html>
"""
ASKED: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "no more such mails",
        "heading": "No more mails of this kind?",
        "button": "Send me no more",
    },
    "de": {
        "title": "keine solchen Mails mehr",
        "heading": "Keine Mails dieser Art mehr?",
        "button": "Schicken Sie mir keine mehr",
    },
}
DONE: Mapping[Language, str] = {
    "en": "You get no more mails of this kind. You can have them again in your settings.\n",
    "de": "Sie bekommen keine Mails dieser Art mehr. In Ihren Einstellungen können Sie sie wieder bestellen.\n",
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
    problems=("not-found",),
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
    return Response(PAGE.format(language=language, **ASKED[language]), media_type="text/html")


@routes.operation(
    "POST",
    "/v1/unsubscribe/<unsubscription>",
    tag="Notices",
    access=Access.LINK,
    takes=(UNSUBSCRIPTION,),
    answers={200: Success("There are no more mails of this kind.", {}, ("text/plain",))},
    problems=("not-found",),
)
def unsubscribe(_request: Request, unsubscription: str) -> Response:
    """Get no more mails of the kind of the one that this link came with (RFC 8058).

    What the body says does not matter. They can be had again by `PUT /v1/me/notifications`.
    """
    language = preferences.reader_of(unsubscription)
    preferences.unsubscribe(unsubscription)
    return Response(DONE[language], media_type="text/plain")
