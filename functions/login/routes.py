"""The routes of login, and what their handlers answer with. They are in the modules that main.py names."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.login import mails
from functions.shared import database, languages
from functions.shared.api import Api
from functions.shared.languages import Language

__all__ = ["NO_STORE", "accepted", "agent_of", "answer_and_mail", "done", "language_of", "routes"]

routes = Api(lambda: database.ping())

NO_STORE = {"Cache-Control": "no-store"}


def agent_of(request: Request) -> str:
    """What the program that asks says that it is."""
    return request.headers.get("User-Agent", "")


def language_of(request: Request) -> Language:
    """The language of ours that the client would rather have."""
    return languages.accepted(request.headers.get("Accept-Language"))


def accepted(event_id: str | None) -> Response:
    """202, after which the event of a mail is sent, if there is one."""
    return answer_and_mail(Response(status_code=202, headers=NO_STORE), event_id)


def answer_and_mail(response: Response, event_id: str | None) -> Response:
    """The response, after which the event of a mail is sent, if there is one."""
    response.background = mails.posting(event_id)
    return response


def done() -> Response:
    """204."""
    return Response(status_code=204, headers=NO_STORE)
