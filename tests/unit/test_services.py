"""Chats and SMS by apprise: what the operator configures, what owners choose, what a service gets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import deliveries, fanout, preferences
from functions.notify.notice_shapes import DeliveryQuery
from functions.notify.preference_shapes import Preferences
from functions.shared import takes
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.tables import notifications
from tests.patience import PATIENCE
from tests.unit import rows
from tests.unit.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.usefixtures("tables", "store", "secrets"),
    # apprise reads pictures by it where it is there.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch, mails: Path, receiver: Receiver) -> Receiver:
    """A chat that takes apprise's JSON, which the operator has configured as `team`, beside one that is away."""
    urls = {"team": f"json://127.0.0.1:{receiver.server_port}/", "away": "json://127.0.0.1:9/", "odd": "nothing://x"}
    monkeypatch.setenv("NOTICE_SERVICES", json.dumps(urls))
    receiver.status = 200
    return receiver


def choose(user: str, *names: str) -> Preferences:
    given = {"events": {AudioCreated.TYPE: {"services": dict.fromkeys(names, True)}}}
    return preferences.change(user, takes.checked(given, Preferences, "bad-request"))


def done(user: str) -> str:
    job = rows.job("converting", user)
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def states(user: str) -> dict[str, str]:
    return {each.channel: each.state for each in deliveries.page(user, DeliveryQuery()).items}


def test_nobody_is_told_who_has_not_chosen_it(chat: Receiver, anna: str) -> None:
    shown = preferences.read(anna).events
    assert shown.audio_created.services == {"team": False, "away": False, "odd": False}
    fanout.tell(done(anna), AudioCreated)
    assert (chat.got, states(anna)) == ([], {"mail": "sent"})


def test_whoever_chooses_a_service_is_told_once_by_it(chat: Receiver, anna: str) -> None:
    chosen = choose(anna, "team").events
    assert chosen.audio_created.services == {"team": True, "away": False, "odd": False}
    assert chosen.conversion_failed.services == {"team": False, "away": False, "odd": False}
    job = done(anna)
    for _ in range(2):
        fanout.tell(job, AudioCreated)
    (got,) = chat.jsons
    assert got["title"] == "Your MP3 is ready: talk.mp4"
    assert "/v1/files/" in got["message"]
    assert rows.unsettled(job) == []


@pytest.mark.parametrize("name", ["away", "odd"])
def test_one_that_does_not_work_is_tried_again_and_holds_up_nothing_else(chat: Receiver, anna: str, name: str) -> None:
    choose(anna, "team", name)
    job = done(anna)
    fanout.tell(job, AudioCreated)
    assert len(chat.got) == 1
    assert rows.unsettled(job) == [AudioCreated.TYPE]
    found = {(each.channel, each.state) for each in deliveries.page(anna, DeliveryQuery()).items}
    assert found == {("mail", "sent"), ("service", "sent"), ("service", "waiting")}


def test_one_that_refuses_is_tried_again(chat: Receiver, anna: str) -> None:
    choose(anna, "team")
    chat.status = 500
    job = done(anna)
    fanout.tell(job, AudioCreated)
    chat.status = 200
    moment = rows.ago(10)
    rows.change(notifications, notifications.c.channel == "service", claimed_at=moment, due_at=moment)
    fanout.tell(job, AudioCreated)
    assert (len(chat.got), states(anna)["service"], rows.unsettled(job)) == (2, "sent", [])


def test_a_service_that_is_configured_no_longer_holds_up_nothing(
    chat: Receiver, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(anna, "team")
    monkeypatch.setenv("NOTICE_SERVICES", "{}")
    job = done(anna)
    fanout.tell(job, AudioCreated)
    assert (chat.got, rows.unsettled(job)) == ([], [])


@pytest.mark.parametrize("name", ["other", "json://evil.example.com/", "", "TEAM"])
def test_nobody_can_give_an_address_of_their_own(chat: Receiver, anna: str, name: str) -> None:
    with pytest.raises(Problem) as said:
        choose(anna, name)
    assert said.value.code == "bad-request"


def test_one_click_on_a_mail_leaves_services_as_they_are(chat: Receiver, anna: str) -> None:
    choose(anna, "team")
    preferences.unsubscribe(preferences.unsubscribe_token(anna, ConversionFailed.TYPE))
    assert preferences.services_of(anna, AudioCreated.TYPE) == ["team"]


def test_apprise_is_not_imported_where_nothing_is_configured() -> None:
    program = (
        "import sys\nfrom functions.notify import channels\nfrom functions.notify.channels import service\n"
        "channels.every()\nassert service.CHANNEL.name == 'service'\nassert 'apprise' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=PATIENCE)
