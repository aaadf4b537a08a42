"""Webhooks: what a receiver gets and can verify, what is tried again, given up, disabled, and sent again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import deliveries, fanout, notice_routes, signing, webhook_routes, webhooks
from functions.notify.notice_shapes import DeliveryQuery, NoticeDelivery
from functions.notify.webhook_shapes import MadeWebhook, NewWebhook, WebhookChange
from functions.shared import database
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Problem
from functions.shared.reasons import Failure
from functions.shared.tables import chores, notifications, now
from functions.shared.tables import webhooks as table
from functions.shared.views import rfc3339
from functions.sweep import retention
from tests import provision
from tests.patience import PATIENCE, eventually
from tests.unit import rows
from tests.unit.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]
# The handlers look at nothing of a request.
ANY: Any = None
VERIFIER = ROOT / "tests" / "verifiers" / "webhook.mjs"
pytestmark = pytest.mark.usefixtures("tables", "store", "secrets", "inside")


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Receivers on this machine may be posted to; mails are kept."""
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("SMTP_URL", f"file:{tmp_path / 'mail'}")


def made(user: str, receiver: Receiver, **values: Any) -> MadeWebhook:
    return webhooks.create(user, NewWebhook(receiver.url, **values))


def done(user: str) -> str:
    """A job that has just been converted."""
    job = rows.job("converting", user)
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def listed(user: str) -> list[NoticeDelivery]:
    return deliveries.page(user, DeliveryQuery()).items


def of_webhooks(user: str) -> NoticeDelivery:
    (found,) = [each for each in listed(user) if each.channel == "webhook"]
    return found


def of_newest(user: str) -> NoticeDelivery:
    return listed(user)[0]


def let_time_pass(hours: float = 9) -> None:
    moment = rows.ago(hours * 3600)
    rows.change(notifications, notifications.c.sent_at.is_(None), claimed_at=moment, due_at=moment)


def age(hours: float) -> None:
    """As if what is not sent had been tried for so long."""
    rows.change(notifications, notifications.c.channel == "webhook", created_at=rows.ago(hours * 3600))
    let_time_pass(0.01)


# What is sent


def test_a_receiver_gets_the_event_as_a_cloudevent_that_the_official_library_verifies(
    receiver: Receiver, anna: str
) -> None:
    secret = made(anna, receiver).secret
    job = done(anna)
    fanout.tell(job, AudioCreated)
    ((headers, body),) = receiver.got
    event = Verifier(secret).verify(body, headers)
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", AudioCreated.TYPE, job)
    assert event["data"] == {"job_id": job, "filename": "talk.mp4", "size_bytes": 10, "duration_seconds": 1.5}
    assert event["time"] == rfc3339(rows.read(job).updated_at)
    assert rows.unsettled(job) == []
    assert headers["webhook-id"] == of_webhooks(anna).id


def test_the_official_library_for_javascript_verifies_it(receiver: Receiver, anna: str) -> None:
    node = provision.need("node")
    if not (VERIFIER.parent / "node_modules").exists():
        pytest.skip("NOT CHECKED: npm has not brought tests/verifiers")
    secret = made(anna, receiver).secret
    fanout.tell(done(anna), AudioCreated)
    ((headers, body),) = receiver.got
    given = json.dumps({"secret": secret, "headers": headers, "body": body.decode()})
    run = subprocess.run([node, VERIFIER], input=given, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE)
    assert json.loads(run.stdout) == json.loads(body)
    forged = json.dumps({"secret": signing.make_secret(), "headers": headers, "body": body.decode()})
    refused = subprocess.run([node, VERIFIER], input=forged, capture_output=True, text=True, timeout=PATIENCE)
    assert refused.returncode != 0
    assert "No matching signature" in refused.stderr


def test_what_was_changed_on_the_way_is_not_verified(receiver: Receiver, anna: str) -> None:
    secret = made(anna, receiver).secret
    fanout.tell(done(anna), AudioCreated)
    ((headers, body),) = receiver.got
    others = {"webhook-id": "another"}, {"webhook-timestamp": str(int(time.time()) - 10)}
    for changed in ((headers, body + b" "), *(({**headers, **other}, body) for other in others)):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(changed[1], changed[0])


def test_while_a_secret_is_changed_both_verify_and_then_only_the_new_one(receiver: Receiver, anna: str) -> None:
    first = made(anna, receiver)
    second = webhooks.change(anna, first.id, WebhookChange(new_secret=True))
    assert isinstance(second.secret, str)
    fanout.tell(done(anna), AudioCreated)
    ((headers, body),) = receiver.got
    for secret in (first.secret, second.secret):
        Verifier(secret).verify(body, headers)
    rows.change(table, table.c.id == first.id, former_until=rows.ago(1))
    fanout.tell(done(anna), AudioCreated)
    headers, body = receiver.got[1]
    Verifier(second.secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(first.secret).verify(body, headers)


def test_a_failure_is_told_with_its_reason_and_only_to_whom_wants_it(receiver: Receiver, anna: str) -> None:
    made(anna, receiver, events=[AudioCreated.TYPE])
    secret = made(anna, receiver, events=[ConversionFailed.TYPE]).secret
    job = rows.job(owner=anna)
    transitions.fail(job, Failure("no-audio"))
    fanout.tell(job, ConversionFailed)
    ((headers, body),) = receiver.got
    assert Verifier(secret).verify(body, headers)["data"]["code"] == "no-audio"


def test_what_happened_before_it_was_made_and_what_is_another_s_does_not_come(receiver: Receiver, anna: str) -> None:
    before = done(anna)
    made(anna, receiver)
    fanout.tell(before, AudioCreated)
    fanout.tell(done(rows.user()), AudioCreated)
    assert receiver.got == []


# What is tried again


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_whatever_is_not_2xx_is_tried_again_under_the_same_id(receiver: Receiver, anna: str, status: int) -> None:
    made(anna, receiver)
    job = done(anna)
    receiver.status, receiver.headers = status, {"Location": receiver.url}
    fanout.tell(job, AudioCreated)
    fanout.tell(job, AudioCreated)
    assert len(receiver.got) == 1
    assert rows.unsettled(job) == [AudioCreated.TYPE]
    receiver.status = 200
    let_time_pass()
    fanout.tell(job, AudioCreated)
    assert rows.unsettled(job) == []
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1
    tries = [(each.outcome, each.status) for each in of_webhooks(anna).attempts]
    assert tries == [("put-off", status), ("sent", 200)]


def test_the_waits_grow_to_hours(receiver: Receiver, anna: str) -> None:
    made(anna, receiver)
    receiver.status = 500
    job = done(anna)
    # Each wait began between two moments: it is as long as the first at least, and as the second at most.
    waits = []
    for _ in range(12):
        began = now()
        fanout.tell(job, AudioCreated)
        with database.reading() as connection:
            row = connection.execute(notifications.select().where(notifications.c.channel == "webhook")).one()
        waits.append([(row.due_at - moment).total_seconds() for moment in (now(), began)])
        let_time_pass()
    assert waits[0][0] < 70
    assert waits[0][1] > 45
    assert all(after[1] / before[0] > 1.5 for before, after in pairwise(waits[:7]))
    assert all(after[0] / before[1] < 2.6 for before, after in pairwise(waits[:7]))
    assert waits[-1][0] < 3.4 * 3600
    assert waits[-1][1] > 2.6 * 3600


def test_a_receiver_that_hangs_holds_up_no_mail_and_no_other_receiver(
    receiver: Receiver, anna: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.notify.fanout.WAIT_SECONDS", 0.3)
    with Receiver() as other:
        made(anna, receiver)
        made(anna, other)
        receiver.hold.clear()
        fanout.tell(done(anna), AudioCreated)
        eventually(lambda: other.got and list((tmp_path / "mail").glob("*.eml")), "the others are told")
        assert {each.state for each in listed(anna)} >= {"waiting"}
    # Had the event waited for it, it would have been given up by now, and put off.
    receiver.hold.set()
    eventually(lambda: {each.state for each in listed(anna)} == {"sent"}, "the slow one is told")


def test_an_owner_whose_receivers_hang_leaves_threads_to_others(receiver: Receiver, anna: str) -> None:
    """Twenty receivers that hang, and more jobs than threads: somebody else's receiver hears at once."""
    receiver.hold.clear()
    for _ in range(20):
        made(anna, receiver)
    with Receiver() as other:
        eve = rows.user()
        made(eve, other)
        waiting = [threading.Thread(target=fanout.tell, args=(done(anna), AudioCreated)) for _ in range(3)]
        for thread in waiting:
            thread.start()
        eventually(lambda: receiver.got, "the first hangs")
        fanout.tell(done(eve), AudioCreated)
        eventually(lambda: other.got, "somebody else is told")
        assert len(receiver.got) <= 12
        receiver.hold.set()
        for thread in waiting:
            thread.join(PATIENCE)


def test_a_head_that_trickles_does_not_hold_us(anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.notify.posting.POST_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            taken, _ = listener.accept()
            with taken, suppress(OSError):
                for _ in range(PATIENCE * 10):
                    taken.sendall(b"H")
                    time.sleep(0.1)

        threading.Thread(target=trickle, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        row = webhooks.of(anna, webhooks.create(anna, NewWebhook(url)).id)
        began = time.monotonic()
        answer = webhook_routes.send_test(ANY, anna, row.id)
        assert time.monotonic() - began < PATIENCE / 2
        assert json.loads(bytes(answer.body))["delivered"] is False


# What is given up


def test_after_a_day_it_is_disabled_and_its_owner_is_told_once(receiver: Receiver, anna: str, tmp_path: Path) -> None:
    webhook = made(anna, receiver)
    receiver.status = 500
    jobs = [done(anna), done(anna)]
    for job in jobs:
        fanout.tell(job, AudioCreated)
    age(25)
    for job in jobs:
        fanout.tell(job, AudioCreated)
    shown = webhooks.read(anna, webhook.id)
    assert (shown.enabled, shown.disabled_reason) == (False, "it answered 500")
    assert rows.unsettled(jobs[0]) == rows.unsettled(jobs[1]) == []
    told = [path for path in (tmp_path / "mail").glob("webhook-*.eml") if receiver.url in path.read_text()]
    assert len(told) == 1
    assert {each.state for each in listed(anna) if each.channel == "webhook"} == {"refused"}
    count = len(receiver.got)
    fanout.tell(done(anna), AudioCreated)
    assert len(receiver.got) == count


def test_it_is_not_disabled_before_its_owner_can_be_told(
    receiver: Receiver, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = made(anna, receiver)
    receiver.status = 500
    job = done(anna)
    fanout.tell(job, AudioCreated)
    age(25)
    with monkeypatch.context() as away:
        away.setenv("SMTP_URL", "smtp://127.0.0.1:9")
        fanout.tell(job, AudioCreated)
    assert webhooks.read(anna, webhook.id).enabled
    rows.change(table, table.c.id == webhook.id, giving_up_until=rows.ago(1))
    age(25)
    fanout.tell(job, AudioCreated)
    assert not webhooks.read(anna, webhook.id).enabled


def test_410_disables_it_at_once(receiver: Receiver, anna: str) -> None:
    webhook = made(anna, receiver)
    receiver.status = 410
    job = done(anna)
    fanout.tell(job, AudioCreated)
    assert not webhooks.read(anna, webhook.id).enabled
    assert rows.unsettled(job) == []
    (attempt,) = of_webhooks(anna).attempts
    assert (attempt.outcome, attempt.status) == ("refused", 410)


def test_one_that_is_enabled_again_gets_what_it_has_missed_when_asked(receiver: Receiver, anna: str) -> None:
    webhook = made(anna, receiver)
    receiver.status = 410
    fanout.tell(done(anna), AudioCreated)
    delivery = of_webhooks(anna).id
    with pytest.raises(Problem, match="nobody to tell"):
        webhook_routes.redeliver(ANY, anna, webhook.id, delivery)
    receiver.status = 200
    webhooks.change(anna, webhook.id, WebhookChange(enabled=True))
    assert webhook_routes.redeliver(ANY, anna, webhook.id, delivery).status_code == 202
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [delivery] * 2
    assert of_webhooks(anna).state == "sent"


def test_what_was_delivered_is_delivered_again_when_asked_and_nobody_else_hears_of_it(
    receiver: Receiver, anna: str, tmp_path: Path
) -> None:
    webhook = made(anna, receiver)
    job = done(anna)
    fanout.tell(job, AudioCreated)
    (kept,) = (tmp_path / "mail").glob("*.eml")
    kept.unlink()
    made(anna, receiver)
    for _ in range(2):
        webhook_routes.redeliver(ANY, anna, webhook.id, of_webhooks(anna).id)
    assert len(receiver.got) == 3
    assert list((tmp_path / "mail").glob("*.eml")) == []
    assert rows.unsettled(job) == []
    assert [each.outcome for each in of_webhooks(anna).attempts] == ["sent"] * 3


def test_of_a_job_with_newer_news_nothing_is_sent_again(receiver: Receiver, anna: str) -> None:
    webhook = made(anna, receiver)
    job = rows.job(owner=anna)
    transitions.fail(job, Failure("damaged"))
    fanout.tell(job, ConversionFailed)
    transitions.retry(job)
    with pytest.raises(Problem, match="changed since"):
        webhook_routes.redeliver(ANY, anna, webhook.id, of_webhooks(anna).id)
    assert len(receiver.got) == 1


KILLED = """
import sys
from events.catalogue import AudioCreated
from functions.notify import fanout
fanout.WAIT_SECONDS = 600
fanout.tell(sys.argv[1], AudioCreated)
"""


def test_notify_is_killed_while_it_posts_and_the_next_one_posts_it_under_the_same_id(
    receiver: Receiver, anna: str
) -> None:
    made(anna, receiver)
    job = done(anna)
    receiver.hold.clear()
    victim = subprocess.Popen([sys.executable, "-c", KILLED, job], cwd=ROOT)
    try:
        eventually(lambda: receiver.got, "it is posting")
    finally:
        victim.kill()
        victim.wait(PATIENCE)
    receiver.hold.set()
    fanout.tell(job, AudioCreated)
    assert len(receiver.got) == 1
    let_time_pass()
    fanout.tell(job, AudioCreated)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert (len(receiver.got), rows.unsettled(job)) == (2, [])
    assert [each.outcome for each in of_webhooks(anna).attempts] == ["begun", "sent"]


# Where it may lead


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://192.168.0.1:8080/",
        "ftp://example.com/",
        "https://anna:secret@example.com/",
        "file:///etc/passwd",
        "https:///nowhere",
        "http://[fe80::1]/",
        "http://2130706433/",
    ],
)
def test_an_address_inside_is_not_taken(anna: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "")
    with pytest.raises(Problem) as said:
        webhooks.create(anna, NewWebhook(url))
    assert said.value.code == "bad-request"
    good = webhooks.create(anna, NewWebhook("https://example.com/"))
    with pytest.raises(Problem):
        webhooks.change(anna, good.id, WebhookChange(url=url))


def test_a_name_that_leads_inside_gets_nothing(receiver: Receiver, anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = webhooks.create(anna, NewWebhook(f"http://localhost:{receiver.server_port}/hook"))
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "")
    fanout.tell(done(anna), AudioCreated)
    assert receiver.got == []
    (attempt,) = of_webhooks(anna).attempts
    assert attempt.detail == "its host does not lead to a public address"
    answer = json.loads(bytes(webhook_routes.send_test(ANY, anna, webhook.id).body))
    assert (answer["delivered"], answer["code"]) == (False, "not-public")


def test_a_test_says_by_a_code_why_there_is_no_answer(anna: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    for url, code in ((silent, "no-answer"), (f"http://{'x' * 64}.example/", "no-host")):
        webhook = webhooks.create(anna, NewWebhook(url))
        answer = json.loads(bytes(webhook_routes.send_test(ANY, anna, webhook.id).body))
        assert (answer["status"], answer["code"]) == (None, code)


# Rows


def test_a_test_is_posted_signed_also_when_it_is_disabled(receiver: Receiver, anna: str) -> None:
    webhook = made(anna, receiver)
    webhooks.change(anna, webhook.id, WebhookChange(enabled=False))
    answer = json.loads(bytes(webhook_routes.send_test(ANY, anna, webhook.id).body))
    assert answer == {"delivered": True, "status": 204, "detail": None, "code": None}
    ((headers, body),) = receiver.got
    assert Verifier(webhook.secret).verify(body, headers)["data"] == {"webhook_id": webhook.id}
    receiver.status = 500
    answer = json.loads(bytes(webhook_routes.send_test(ANY, anna, webhook.id).body))
    assert answer == {"delivered": False, "status": 500, "detail": "it answered 500", "code": "answered"}


def test_tests_are_in_the_list_of_deliveries_and_are_not_sent_again(
    receiver: Receiver, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = made(anna, receiver)
    webhook_routes.send_test(ANY, anna, webhook.id)
    receiver.status = 500
    webhook_routes.send_test(ANY, anna, webhook.id)
    failed, good = deliveries.page(anna, DeliveryQuery(), deliveries.to("webhook", webhook.id)).items
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [good.id, failed.id]
    assert (good.type, good.state, good.job_id) == ("dev.audiolift.webhook.tested.v1", "sent", None)
    assert (failed.state, failed.reason) == ("refused", "it answered 500")
    assert [(each.outcome, each.status) for each in failed.attempts] == [("refused", 500)]
    with monkeypatch.context() as dying:
        dying.setattr("functions.notify.posting.post", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            webhook_routes.send_test(ANY, anna, webhook.id)
    assert "its process died" in str(of_newest(anna).reason)
    with pytest.raises(Problem, match="make another one"):
        webhook_routes.redeliver(ANY, anna, webhook.id, failed.id)
    retention.clear_lost_notices()
    assert len(listed(anna)) == 3
    rows.change(notifications, notifications.c.user_id == anna, created_at=rows.ago(31 * 86_400))
    rows.change(chores, chores.c.name == "lost-notices", begun_at=rows.ago(4000))
    retention.clear_lost_notices()
    assert listed(anna) == []


def test_a_secret_is_shown_once(receiver: Receiver, anna: str) -> None:
    webhook = made(anna, receiver)
    for shown in (webhooks.read(anna, webhook.id), *webhooks.every(anna)):
        assert not hasattr(shown, "secret")


def test_what_is_deleted_gets_nothing_and_its_waiting_deliveries_end(receiver: Receiver, anna: str) -> None:
    webhook = made(anna, receiver)
    receiver.status = 500
    job = done(anna)
    fanout.tell(job, AudioCreated)
    webhooks.delete(anna, webhook.id)
    let_time_pass()
    fanout.tell(job, AudioCreated)
    assert len(receiver.got) == 1
    assert rows.unsettled(job) == []
    assert (of_webhooks(anna).state, of_webhooks(anna).reason) == ("refused", "the webhook was deleted")


def test_there_are_twenty_at_most(receiver: Receiver, anna: str) -> None:
    for _ in range(20):
        made(anna, receiver)
    with pytest.raises(Problem) as said:
        made(anna, receiver)
    assert said.value.code == "too-many-webhooks"


def test_nobody_reaches_another_s(receiver: Receiver, anna: str) -> None:
    webhook = made(anna, receiver)
    fanout.tell(done(anna), AudioCreated)
    delivery = of_webhooks(anna).id
    eve = rows.user()
    hers = made(eve, receiver)
    for forbidden in (
        lambda: webhooks.read(eve, webhook.id),
        lambda: webhooks.delete(eve, webhook.id),
        lambda: webhooks.change(eve, webhook.id, WebhookChange(enabled=False)),
        lambda: webhook_routes.send_test(ANY, eve, webhook.id),
        lambda: webhook_routes.redeliver(ANY, eve, webhook.id, delivery),
        lambda: webhook_routes.redeliver(ANY, eve, hers.id, delivery),
        lambda: notice_routes.resend_notice(ANY, eve, delivery),
    ):
        with pytest.raises(Problem) as said:
            forbidden()
        assert said.value.code == "not-found"
    assert len(receiver.got) == 1
