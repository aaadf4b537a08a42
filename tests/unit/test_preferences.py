"""What owners want to be told of, and the one click by which they get no more (RFC 8058)."""

from __future__ import annotations

import email
import json
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from starlette.requests import Request

from events.catalogue import AudioCreated, ConversionFailed, SubmissionConfirmed
from functions.notify import deliveries, fanout, preference_routes, preferences
from functions.notify.notice_shapes import DeliveryQuery
from functions.notify.preference_shapes import KINDS, Events, Preferences
from functions.shared import kinds, languages, settings, takes, tokens
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.reasons import Failure
from functions.shared.tables import notice_preferences
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets", "mails")
# A program's: it takes whatever comes.
ANY = Request({"type": "http", "headers": []})


def tell_of_both(user: str) -> None:
    """One job that is done, one that has failed, both told and settled."""
    job = rows.job("converting", user)
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    fanout.tell(job, AudioCreated)
    failed = rows.job(owner=user)
    transitions.fail(failed, Failure("no-audio"))
    fanout.tell(failed, ConversionFailed)
    assert rows.unsettled(job) == rows.unsettled(failed) == []


def kept(mails: Path) -> list[EmailMessage]:
    parsed = [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in mails.glob("*.eml")]
    return sorted(parsed, key=lambda message: str(message["Subject"]))


def wanted(**events: bool) -> Preferences:
    given = {"events": {kind: {"mail": mail} for kind, mail in events.items()}}
    return takes.checked(given, Preferences, "bad-request")


def test_whoever_has_said_nothing_is_told_of_completion_and_failure(anna: str, mails: Path) -> None:
    tell_of_both(anna)
    assert len(kept(mails)) == 2
    assert json.loads(bytes(preference_routes.read_notifications(ANY, anna).body)) == {
        "events": {
            **{kind: {"mail": True, "sms": False, "services": {}} for kind in KINDS.values()},
            SubmissionConfirmed.TYPE: {"mail": False, "sms": False, "services": {}},
            kinds.SIGNED_IN: {"mail": True},
            kinds.KEY_MADE: {"mail": True},
        },
        "language": "en",
    }


def test_only_what_is_wanted_is_mailed_and_the_event_is_settled_all_the_same(anna: str, mails: Path) -> None:
    chosen = preferences.change(anna, wanted(**{AudioCreated.TYPE: False}))
    assert (chosen.events.audio_created.mail, chosen.events.conversion_failed.mail) == (False, True)
    tell_of_both(anna)
    (message,) = kept(mails)
    assert str(message["Subject"]).startswith("No MP3")
    preferences.change(anna, wanted())
    tell_of_both(anna)
    assert len(kept(mails)) == 3


def test_mails_are_in_the_language_that_was_chosen_and_of_one_thread_for_a_job(anna: str, mails: Path) -> None:
    preferences.change(anna, takes.checked({"events": {}, "language": "de"}, Preferences, "bad-request"))
    tell_of_both(anna)
    assert [str(each["Subject"])[:9] for each in kept(mails)] == ["Deine MP3", "Keine MP3"]
    assert len({each["References"] for each in kept(mails)}) == 2
    token = preferences.unsubscribe_token(anna, AudioCreated.TYPE)
    preferences.unsubscribe(token)
    assert languages.of(anna) == "de"


def test_one_who_has_chosen_a_language_of_a_newer_release_gets_english(anna: str, mails: Path) -> None:
    preferences.change(anna, wanted())
    rows.change(notice_preferences, notice_preferences.c.user_id == anna, language="fr")
    tell_of_both(anna)
    assert len(kept(mails)) == 2
    assert preferences.read(anna).language == "en"


def test_a_mail_that_waits_and_is_not_wanted_any_more_is_not_sent(
    anna: str, mails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = rows.job("converting", anna)
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    with monkeypatch.context() as away:
        away.setenv("SMTP_URL", "smtp://127.0.0.1:9")
        fanout.tell(job, AudioCreated)
    assert [each.state for each in deliveries.page(anna, DeliveryQuery()).items] == ["waiting"]
    preferences.change(anna, wanted(**{AudioCreated.TYPE: False}))
    fanout.tell(job, AudioCreated)
    assert (kept(mails), rows.unsettled(job)) == ([], [])
    (shown,) = deliveries.page(anna, DeliveryQuery()).items
    assert (shown.state, shown.reason) == ("refused", "it is not wanted any more")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"events": []},
        {"events": {"x": {"mail": True}}},
        {"events": {AudioCreated.TYPE: {"mail": "no"}}},
        {"y": 1},
        {"events": {}, "language": "fr"},
        {"events": {kinds.SIGNED_IN: {"services": {}}}},
    ],
)
def test_what_is_no_choice_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        takes.checked(given, Preferences, "bad-request")


def test_one_click_ends_mails_of_that_kind_and_no_other(anna: str, mails: Path) -> None:
    tell_of_both(anna)
    _, ready = kept(mails)
    assert ready["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = urlsplit(str(ready["List-Unsubscribe"]).strip("<>"))
    # As it is sent: in encoded words, mail programs do not find it.
    sent = b"".join(path.read_bytes() for path in mails.glob("*.eml"))
    assert f"\r\nList-Unsubscribe: <{link.geturl()}>\r\n".encode() in sent
    token = link.path.removeprefix("/v1/unsubscribe/")
    assert link.path != token
    page = preference_routes.ask_to_unsubscribe(ANY, token)
    assert b'<form method="post">' in bytes(page.body)
    assert preferences.wants_mail(anna, AudioCreated.TYPE)
    for _ in range(2):
        assert preference_routes.unsubscribe(ANY, token).status_code == 200
    assert not preferences.wants_mail(anna, AudioCreated.TYPE)
    assert preferences.wants_mail(anna, ConversionFailed.TYPE)
    assert preferences.wants_mail(rows.user(), AudioCreated.TYPE)


def test_what_the_link_leads_to_is_in_the_language_of_the_mail(anna: str) -> None:
    preferences.change(anna, Preferences(Events(), "de"))
    token = preferences.unsubscribe_token(anna, AudioCreated.TYPE)
    page = bytes(preference_routes.ask_to_unsubscribe(ANY, token).body).decode()
    assert 'lang="de"' in page
    assert "Keine Mails dieser Art mehr?" in page
    assert bytes(preference_routes.unsubscribe(ANY, token).body).decode().startswith("Du bekommst keine Mails")
    browser = Request({"type": "http", "headers": [(b"accept", b"text/html")]})
    page = bytes(preference_routes.unsubscribe(browser, token).body).decode()
    assert "<h1>Du bekommst keine Mails dieser Art mehr</h1>" in page
    assert "Zum Inhalt springen" in page


def test_a_link_that_is_forged_or_for_something_else_ends_nothing(anna: str) -> None:
    secret = settings.required("LINK_SECRET")
    claims = {"sub": anna, "kind": AudioCreated.TYPE}
    typ = {"typ": preferences.TOKEN_TYPE}
    for token in (
        "x",
        tokens.link(tokens.Link(anna), 4_000_000_000),
        jwt.encode(claims, secret, "HS256"),
        jwt.encode(claims, "another secret of thirty-two bytes", "HS256", headers=typ),
        jwt.encode({**claims, "kind": "everything"}, secret, "HS256", headers=typ),
        jwt.encode({"kind": AudioCreated.TYPE}, secret, "HS256", headers=typ),
        jwt.encode(claims, "", "none", headers=typ),
    ):
        for opened in (preference_routes.ask_to_unsubscribe, preference_routes.unsubscribe):
            with pytest.raises(Problem) as said:
                opened(ANY, token)
            assert said.value.code == "not-found"
    assert preferences.wants_mail(anna, AudioCreated.TYPE)


def test_a_browser_is_told_by_a_page_that_a_link_is_none_of_ours() -> None:
    browser = Request({"type": "http", "headers": [(b"accept", b"text/html")]})
    page = preference_routes.ask_to_unsubscribe(browser, "x")
    assert (page.status_code, page.media_type) == (404, "text/html")


def test_the_link_in_a_mail_opens_no_file() -> None:
    with pytest.raises(Problem):
        tokens.linked(preferences.unsubscribe_token("anna", AudioCreated.TYPE))


def test_of_an_account_that_is_gone_nothing_is_changed() -> None:
    with pytest.raises(Problem) as said:
        preferences.change("0" * 32, wanted())
    assert said.value.code == "unauthenticated"
