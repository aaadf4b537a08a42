"""SMS: a number is used once a code has come back from it, and what is sent there.

The provider is an HTTP server of the test. It is reached by apprise's plug-in `json`, and by that for Twilio, whose
address of the provider is set to it.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

import pytest

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import deliveries, fanout, phone_routes, phones, preferences
from functions.notify.notice_shapes import DeliveryQuery
from functions.notify.phone_shapes import NewPhone, PhoneCode
from functions.notify.preference_shapes import Preferences
from functions.shared import database, takes
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem, Unavailable
from functions.shared.reasons import Failure
from functions.shared.starting import CannotStart
from functions.shared.tables import attempts, notifications
from functions.shared.tables import phones as table
from functions.sweep import retention
from tests.unit import rows
from tests.unit.processes import race
from tests.unit.receiver import Receiver

pytestmark = [
    pytest.mark.usefixtures("tables", "store", "secrets", "mails"),
    # apprise reads pictures by it where it is there.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]
NUMBER = "+4915112345678"
# The handlers look at nothing of a request.
ANY: Any = None


@pytest.fixture
def provider(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The provider of SMS that the operator has configured."""
    monkeypatch.setenv("SMS_SERVICE", f"json://127.0.0.1:{receiver.server_port}/{{number}}")
    receiver.status = 200
    return receiver


def give(user: str, number: str = NUMBER) -> Any:
    return json.loads(bytes(phone_routes.give_phone(ANY, user, NewPhone(number)).body))


def confirm(user: str, code: str) -> Any:
    return json.loads(bytes(phone_routes.confirm_phone(ANY, user, PhoneCode(code)).body))


def sent_code(provider: Receiver) -> str:
    (code,) = re.findall(r"\d{6}", provider.jsons[-1]["message"])
    return str(code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def refused(act: Any) -> str:
    with pytest.raises(Problem) as said:
        act()
    return said.value.code


def choose(user: str, **kinds: bool) -> None:
    given = {"events": {kind: {"mail": False, "sms": wanted} for kind, wanted in kinds.items()}}
    preferences.change(user, takes.checked(given, Preferences, "bad-request"))


def done(user: str) -> str:
    job = rows.job("converting", user, filename="talk & <b>.mp4")
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def test_a_number_is_used_once_its_code_has_come_back(provider: Receiver, anna: str) -> None:
    assert phones.read(anna).possible
    given = give(anna, "+49 (151) 1234-5678")
    assert provider.paths == [f"/{NUMBER}".replace("+", "%2B")] or provider.paths == [f"/{NUMBER}"]
    assert (given["number"], given["confirmed_at"]) == ("+49…678", None)
    assert phones.confirmed(anna) is None
    shown = confirm(anna, f" {sent_code(provider)} ")
    assert (shown["number"], shown["code_expires_at"]) == ("+49…678", None)
    assert shown["confirmed_at"]
    assert phones.confirmed(anna).number == NUMBER
    assert refused(lambda: confirm(anna, sent_code(provider))) == "wrong-code"
    phone_routes.forget_phone(ANY, anna)
    assert phones.read(anna).number is None


def test_the_owner_is_told_by_sms_of_what_was_chosen_once_and_without_a_link_to_the_file(
    provider: Receiver, anna: str
) -> None:
    give(anna)
    confirm(anna, sent_code(provider))
    choose(anna, **{AudioCreated.TYPE: True, ConversionFailed.TYPE: False})
    job = done(anna)
    for _ in range(2):
        fanout.tell(job, AudioCreated)
    failed = rows.job(owner=anna)
    transitions.fail(failed, Failure("no-audio"))
    fanout.tell(failed, ConversionFailed)
    assert [each["message"] for each in provider.jsons[1:]] == [
        "Your MP3 is ready: talk & <b>.mp4\nhttp://localhost:8080"
    ]
    assert rows.unsettled(job) == rows.unsettled(failed) == []
    (shown,) = deliveries.page(anna, DeliveryQuery()).items
    assert (shown.channel, shown.state) == ("sms", "sent")
    with database.reading() as connection:
        assert NUMBER not in str(connection.execute(notifications.select()).all())


def test_a_number_that_is_not_confirmed_gets_nothing_but_its_code(provider: Receiver, anna: str) -> None:
    give(anna)
    choose(anna, **{AudioCreated.TYPE: True})
    job = done(anna)
    fanout.tell(job, AudioCreated)
    assert (len(provider.got), rows.unsettled(job)) == (1, [])


def test_a_provider_that_is_away_is_tried_again_and_a_number_that_was_given_up_is_not(
    provider: Receiver, anna: str
) -> None:
    give(anna)
    confirm(anna, sent_code(provider))
    choose(anna, **{AudioCreated.TYPE: True})
    provider.status = 500
    jobs = [done(anna), done(anna)]
    for job in jobs:
        fanout.tell(job, AudioCreated)
    assert {each.state for each in deliveries.page(anna, DeliveryQuery()).items} == {"waiting"}
    provider.status, moment = 200, rows.ago(10)
    rows.change(notifications, notifications.c.channel == "sms", claimed_at=moment, due_at=moment)
    fanout.tell(jobs[0], AudioCreated)
    phones.forget(anna)
    count = len(provider.got)
    fanout.tell(jobs[1], AudioCreated)
    assert (len(provider.got), rows.unsettled(jobs[0]), rows.unsettled(jobs[1])) == (count, [], [])


def test_a_code_is_good_for_five_guesses_and_ten_minutes_and_for_its_own_number(provider: Receiver, anna: str) -> None:
    give(anna)
    code = sent_code(provider)
    for _ in range(5):
        assert refused(lambda: confirm(anna, wrong(code))) == "wrong-code"
    assert refused(lambda: confirm(anna, code)) == "wrong-code"
    give(anna)
    rows.change(table, table.c.user_id == anna, code_expires_at=rows.ago(1))
    assert refused(lambda: confirm(anna, sent_code(provider))) == "wrong-code"
    later()
    give(anna, "+4366412345678")
    first = sent_code(provider)
    give(anna)
    if first != sent_code(provider):
        assert refused(lambda: confirm(anna, first)) == "wrong-code"
    assert refused(lambda: confirm(rows.user(), sent_code(provider))) == "wrong-code"
    assert phones.confirmed(anna) is None


def test_of_many_guesses_at_once_five_are_looked_at(provider: Receiver, anna: str) -> None:
    give(anna)
    prepare = "from functions.notify import phones\nfrom functions.shared.problems import Problem"
    act = f"try:\n    phones.confirm({anna!r}, 'x')\nexcept Problem:\n    pass\nprint('guessed')"
    race(8, prepare, act)
    with database.reading() as connection:
        assert connection.execute(table.select()).one().guesses == 5
    assert refused(lambda: confirm(anna, sent_code(provider))) == "wrong-code"


def test_nobody_floods_a_telephone_nor_the_operator_s_bill(provider: Receiver, anna: str) -> None:
    for number in ("+4915100000001", "+4915100000002"):
        give(anna, number)
    assert refused(lambda: give(anna, "+4915100000003")) == "too-many-codes"
    for _ in range(2):
        give(rows.user())
    with pytest.raises(Problem) as said:
        give(rows.user())
    assert (said.value.code, int(said.value.headers["Retry-After"]) > 200) == ("too-many-codes", True)
    assert len(provider.got) == 4
    later()
    give(rows.user())


def test_whether_another_account_has_the_number_nobody_learns(provider: Receiver, anna: str) -> None:
    give(anna)
    confirm(anna, sent_code(provider))
    eve = rows.user()
    given, first = give(eve), give(rows.user(), "+4366412345678")
    assert {**given, "code_expires_at": 0, "number": 0} == {**first, "code_expires_at": 0, "number": 0}
    assert phones.confirmed(anna).number == NUMBER


@pytest.mark.parametrize(
    "number", ["", "0151 1234567", "+49", "+0151123456", "+49151x2345678", "+" + "1" * 16, "+１２３４５６７８"]
)
def test_what_is_no_number_is_refused(number: str) -> None:
    assert refused(lambda: takes.checked({"number": number}, NewPhone, "bad-request")) == "bad-request"


def test_where_there_are_no_sms_no_number_is_taken_and_nobody_is_held_up(anna: str) -> None:
    assert not phones.read(anna).possible
    assert refused(lambda: give(anna)) == "not-found"
    choose(anna, **{AudioCreated.TYPE: True})
    job = done(anna)
    fanout.tell(job, AudioCreated)
    assert rows.unsettled(job) == []


def test_a_service_that_would_send_all_to_one_number_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("", "json://example.com/{number}"):
        monkeypatch.setenv("SMS_SERVICE", url)
        phone_routes.check_service()
    monkeypatch.setenv("SMS_SERVICE", "json://user:secret@example.com/+4915112345678")
    with pytest.raises(CannotStart, match="number") as said:
        phone_routes.check_service()
    assert "secret" not in str(said.value)


def test_a_code_that_cannot_be_sent_is_told_at_once(provider: Receiver, anna: str) -> None:
    provider.status = 500
    with pytest.raises(Unavailable):
        give(anna)


def test_the_plug_in_of_a_real_provider_sends_to_the_number_that_was_given(
    receiver: Receiver, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio = import_module("apprise.plugins.twilio").NotifyTwilio
    monkeypatch.setattr(twilio, "notify_sms_url", f"http://127.0.0.1:{receiver.server_port}/{{sid}}/Messages.json")
    sid, token = "AC" + "0" * 32, "0" * 32
    monkeypatch.setenv("SMS_SERVICE", f"twilio://{sid}:{token}@+15005550006/{{number}}")
    receiver.status, receiver.answer = 201, b'{"sid": "SM1", "status": "queued"}'
    give(anna)
    ((_, body),) = receiver.got
    form = parse_qs(body.decode())
    assert form["To"] == [NUMBER]
    confirm(anna, re.findall(r"\d{6}", form["Body"][0])[0])


def test_a_number_that_was_never_confirmed_is_forgotten_after_a_day(provider: Receiver, anna: str) -> None:
    give(anna)
    eve = rows.user()
    give(eve)
    confirm(eve, sent_code(provider))
    rows.change(table, table.c.code_expires_at.is_not(None), code_expires_at=rows.ago(90_000))
    retention.forget()
    assert (phones.read(anna).number, phones.read(eve).number) == (None, "+49…678")


def later() -> None:
    """An hour later."""
    with database.transaction() as connection:
        connection.execute(attempts.delete())
