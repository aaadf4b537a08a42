"""Mails about accounts: in the language of who gets them, as text and as HTML, which say the same."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from string import Formatter
from typing import Any

import pytest

from functions.notify import german, texts
from functions.notify.account_texts import ENGLISH, GERMAN, TEXTS
from functions.shared import database, languages, mail, wording
from functions.shared.tables import users
from tests.unit.login import PASSWORD, asked, register, token
from tests.unit.smtp import Server

ANNA = "anna@example.com"
HOSTILE = '<script>alert(1)</script>"&{link}'


def parts(server: Server) -> tuple[str, str]:
    """Text and HTML of the newest mail."""
    received: Any = message_from_bytes(server.got[-1].content, policy=policy.default)  # type: ignore[arg-type]
    assert [part.get_content_type() for part in received.iter_parts()] == ["text/plain", "text/html"]
    return tuple(received.get_body((kind,)).get_content() for kind in ("plain", "html"))


@pytest.mark.parametrize("name", ENGLISH)
@pytest.mark.parametrize("language", TEXTS)
def test_text_and_html_say_the_same_and_nothing_that_is_put_in_runs(
    name: str, language: languages.Language, server: Server
) -> None:
    words, link = TEXTS[language][name], "http://localhost:8080/verify/x"
    values = {each: HOSTILE for _, each, _, _ in Formatter().parse(words.body) if each and each != "link"}
    text, html = wording.written(words, language, link, **values)
    mail.send(mail.compose("1", ANNA, text, html))
    plain, shown = parts(server)
    assert "<script" not in shown
    assert f'<html lang="{language}">' in shown
    assert f"<h1>{words.subject}</h1>" in shown
    assert 'name="color-scheme" content="light dark"' in shown
    assert set(re.findall(r'href="(http[^"]+)"', shown)) == set(re.findall(r"^http\S+", plain, re.MULTILINE))
    assert (f'<a href="{link}">{words.action}</a>' in shown) is ("{link}" in words.body)
    assert bool(values) is (HOSTILE in plain)


def test_both_languages_have_the_same_mails_with_the_same_values() -> None:
    assert ENGLISH.keys() == GERMAN.keys()
    for name, words in ENGLISH.items():
        assert fields(words.body) == fields(GERMAN[name].body)
        assert not {"the", "The", "your", "password", "is"} & set(GERMAN[name].body.split())
        assert bool(words.action) is bool(GERMAN[name].action) is ("{link}" in words.body)


@pytest.mark.parametrize(
    ("asked_for", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr, en;q=0.3, de;q=0.8", "de"),
        ("en-GB,de;q=0.5", "en"),
        ("fr", "en"),
        ("", "en"),
        ("de;q=0", "en"),
        ("\x00;;q=,,", "en"),
    ],
)
def test_the_language_is_the_first_of_ours_that_is_asked_for(asked_for: str, language: str) -> None:
    assert languages.accepted(asked_for) == language


@pytest.mark.usefixtures("broker")
def test_who_registers_in_german_is_written_to_in_german_from_then_on(server: Server) -> None:
    body = {"email": ANNA, "password": PASSWORD}
    asked("POST", "/v1/users", body, Accept_Language="de")
    assert server.mails(ANNA)[-1][0] == "Bestätige deine Adresse"
    link = {"token": server.token(ANNA), "password": PASSWORD}
    assert asked("POST", "/v1/users/verify", link, Accept_Language="de").status == 200
    with database.reading() as connection:
        assert languages.of(connection.execute(users.select()).one().id) == "de"
    # What a stranger's browser asks for does not matter to the owner of an account.
    asked("POST", "/v1/users", body, Accept_Language="en")
    asked("POST", "/v1/password/forgot", {"email": ANNA})
    asked("POST", "/v1/api-keys", {"name": HOSTILE, "scopes": ["jobs:read"]}, Authorization=token(ANNA))
    assert [subject for subject, _ in server.mails(ANNA)][1:] == [
        "Du hast schon ein Konto",
        "Setze dein Passwort zurück",
        "Ein API-Schlüssel wurde erstellt",
    ]


@pytest.mark.usefixtures("tables", "secrets")
def test_where_mail_is_kept_the_language_is_noted_at_once(mails: object) -> None:
    asked("POST", "/v1/users", {"email": ANNA, "password": PASSWORD}, Accept_Language="de")
    register("eve@example.com")
    with database.reading() as connection:
        found = {row.email: languages.of(row.id) for row in connection.execute(users.select())}
    assert found == {ANNA: "de", "eve@example.com": "en"}


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("it answered 410, which says that it wants no more", "Beim letzten Mal hat er mit 410 geantwortet"),
        ("it answered 503", "Beim letzten Mal hat er mit 503 geantwortet."),
        ("it did not answer: ReadTimeout", "Beim letzten Mal hat er nicht geantwortet: ReadTimeout."),
        ("its host does not lead to a public address", "führte sein Name zu keiner öffentlichen Adresse."),
        ("there is no host of its name", "gab es keinen Rechner seines Namens."),
        ("something new", "hieß es: something new."),
    ],
)
def test_the_mail_about_a_webhook_is_in_the_language_of_its_owner(reason: str, said: str) -> None:
    text, html = texts.webhook_disabled("https://example.com/<hook>", reason, "de")
    assert text.startswith("Dein Webhook ist abgeschaltet\n")
    assert said in text
    assert "&lt;hook&gt;" in html
    english, _ = texts.webhook_disabled("https://example.com/", reason, "en")
    assert f"The last time, {reason}." in english
    assert german.webhook_reason(reason)


def fields(body: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(body)} - {None}
