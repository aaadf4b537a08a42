"""What no log may hold: links that open a file to whoever reads them, the addresses of people, the names of files."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from events.catalogue import AudioCreated
from functions.gateway import relay
from functions.notify import news
from functions.notify.channels import Notice, Refused, mail
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.routing import Routes, loggable
from functions.shared.watch import UNWATCHED
from functions.shared.web import answer
from tests.unit import rows
from tests.unit.smtp import Server

LINK = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmVk"
# Routes are found behind doubled slashes too.
PATH = f"//v1/files/{LINK}"
NOBODY = "http://127.0.0.1:9"
ERRORS = (Unavailable("the database does not answer"), RuntimeError("a bug"))


def scope() -> dict[str, Any]:
    named = {"path": PATH, "raw_path": PATH.encode(), "query_string": b"filename=diary.mp4"}
    return {"type": "http", "method": "GET", "scheme": "http", "http_version": "1.1", "headers": [], **named}


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As with LOG_LEVEL=DEBUG."""
    caplog.set_level(logging.DEBUG)


def test_the_gateway_names_a_function_that_does_not_answer_and_not_the_link_that_was_asked_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_shared", None)
    sent: list[Any] = []

    async def asked() -> None:
        async def receive() -> dict[str, Any]:
            return await asyncio.Event().wait()  # type: ignore[return-value]

        async def send(message: Any) -> None:
            sent.append(message)

        await relay.Relay(Request(scope()), NOBODY, 60)(scope(), receive, send)
        await (await relay.forwarder()).__aexit__(None, None, None)

    asyncio.run(asked())
    assert sent[0]["status"] == 502
    assert NOBODY in caplog.text
    assert "/v1/files/" in caplog.text
    assert LINK not in caplog.text
    assert "diary" not in caplog.text


@pytest.mark.parametrize("error", ERRORS)
def test_a_function_that_fails_does_not_log_the_link(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    routes = Routes()

    @routes.add("GET", "/v1/files/<signed>")
    def handler(_request: Request, signed: str) -> None:
        raise error

    asyncio.run(answer(routes, Request({**scope(), "server": ("x", 80)})))
    check(caplog)


def check(caplog: pytest.LogCaptureFixture) -> None:
    assert "/v1/files/" in caplog.text
    assert LINK not in caplog.text


@pytest.mark.parametrize("path", ["/v1/files/", "//v1/files/", "/v1/unsubscribe/", "/verify/", "//reset/"])
def test_no_log_has_what_a_link_in_a_mail_ends_with(path: str) -> None:
    assert loggable(path + LINK) == f"{path}…"


@pytest.fixture
def notice(tables: object, store: object, monkeypatch: pytest.MonkeyPatch) -> Notice:
    """What anna@example.com is to be told about talk.mp4."""
    monkeypatch.setenv("LINK_SECRET", "s" * 40)
    job = rows.job("converting", rows.user("anna@example.com"))
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    found = news.notice_of(job, AudioCreated)
    assert found
    return found


def test_who_was_mailed_and_about_which_file_is_not_logged(
    notice: Notice, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMTP_URL", f"file:{tmp_path}")
    mailed(notice)
    (kept,) = tmp_path.glob("*.eml")
    assert "anna@example.com" in kept.read_text()
    assert notice.job.id in caplog.text
    assert not {word for word in ("anna", "talk") if word in caplog.text}


@pytest.mark.parametrize(("code", "raised"), [(550, Refused), (451, Unavailable)])
def test_a_mail_server_that_repeats_the_address_does_not_bring_it_into_the_log(
    code: int, raised: type[Exception], notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as server:
        server.answers["RCPT"] = f"{code} 5.1.1 <anna@example.com> is not here"
        monkeypatch.setenv("SMTP_URL", f"smtp://{server.place}")
        with pytest.raises(raised) as caught:
            mailed(notice)
    assert str(code) in str(caught.value)
    assert "anna" not in str(caught.value)


def mailed(notice: Notice) -> None:
    """Tell the owner by mail."""
    (endpoint,) = mail.CHANNEL.endpoints_of(notice)
    mail.CHANNEL.send(notice, endpoint, UNWATCHED)
