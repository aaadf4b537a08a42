"""The login function, called in this process, as the page and programs call it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from events.catalogue import MailRequested
from functions.notify import fanout
from functions.shared import database
from functions.shared.tables import outbox
from tests.asgi import Answered, app_of, call

__all__ = ["PASSWORD", "asked", "carry", "code", "member", "posted", "register", "sign_in", "statements", "token"]

PASSWORD = "correct horse battery staple"


def asked(method: str, path: str, body: Any = None, **headers: str) -> Answered:
    """The answer to a request, with a JSON body unless it is None."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return call(app_of("login"), method, path, {"Content-Type": "application/json", **named}, content)


def posted(path: str, form: Mapping[str, str], **headers: str) -> Answered:
    """The answer to a form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    return call(app_of("login"), "POST", path, {**form_type, **named}, urlencode(form).encode())


def register(email: str, password: str = PASSWORD) -> Answered:
    """The answer to whoever registers."""
    return asked("POST", "/v1/users", {"email": email, "password": password})


def sign_in(email: str, password: str = PASSWORD, user_agent: str = "tests") -> Answered:
    """The answer to whoever signs in."""
    form = {"grant_type": "password", "username": email, "password": password}
    return posted("/v1/token", form, User_Agent=user_agent)


def token(email: str, password: str = PASSWORD) -> str:
    """What stands in Authorization for whoever signs in."""
    return f"Bearer {member(sign_in(email, password), 'access_token')}"


def member(answer: Answered, name: str) -> Any:
    """A member of a JSON answer."""
    return json.loads(answer.body)[name]


def code(answer: Answered) -> tuple[int, str]:
    """Status and code of a problem."""
    return answer.status, member(answer, "code")


def carry() -> None:
    """Bring the events of mails that are not settled to notify, as the broker does."""
    waiting = (outbox.c.type == MailRequested.TYPE, outbox.c.settled_at.is_(None))
    with database.reading() as connection:
        found = connection.execute(outbox.select().where(*waiting).order_by(outbox.c.created_at)).all()
    for row in found:
        fanout.tell(row.mail_id, MailRequested)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL that is sent during the block."""
    seen: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(database.engine(), "before_cursor_execute", listen)
    yield seen
    sa.event.remove(database.engine(), "before_cursor_execute", listen)
