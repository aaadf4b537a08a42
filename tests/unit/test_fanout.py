"""functions/notify/fanout.py: each endpoint of each channel is told once, and none waits for another."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import channels, fanout, news
from functions.shared import database
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import notifications as table
from tests.patience import PATIENCE, eventually
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets")

ROOT = Path(__file__).resolve().parents[2]
PIGEONS = ROOT / "tests" / "channels"


@pytest.fixture(autouse=True)
def lofts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Mails are kept in a directory; beside mail there is the channel `pigeon`, which has two lofts."""
    monkeypatch.setenv("SMTP_URL", f"file://{tmp_path / 'mail'}")
    monkeypatch.setenv("PIGEONS", str(tmp_path / "lofts"))
    (tmp_path / "lofts").mkdir()
    for name in ("north", "south"):
        (tmp_path / "lofts" / name).touch()
    monkeypatch.setattr(channels, "__path__", [*channels.__path__, str(PIGEONS)])
    channels.every.cache_clear()
    yield tmp_path / "lofts"
    channels.every.cache_clear()
    sys.modules.pop("functions.notify.channels.pigeon", None)


def test_every_endpoint_of_every_channel_is_told_and_the_event_is_settled(lofts: Path, tmp_path: Path) -> None:
    job = done()
    fanout.tell(job, AudioCreated)
    assert (mails(tmp_path), told(lofts, "north"), told(lofts, "south")) == (1, 1, 1)
    assert rows.unsettled(job) == []


def test_the_ledger_has_a_row_for_each_endpoint_and_no_address() -> None:
    job = rows.job("converting", owner=rows.user("anna@example.com"))
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    fanout.tell(job, AudioCreated)
    found = noted()
    assert [(row.channel, row.endpoint) for row in found] == [("mail", ""), ("pigeon", "north"), ("pigeon", "south")]
    assert "anna" not in str(found)


@pytest.mark.parametrize("trouble", ["away", "broken"])
def test_a_channel_that_is_down_keeps_the_event_open_and_the_others_are_told_once(
    lofts: Path, tmp_path: Path, trouble: str
) -> None:
    job = done()
    (lofts / f"north.{trouble}").touch()
    for _ in range(3):
        fanout.tell(job, AudioCreated)
    assert (mails(tmp_path), told(lofts, "north"), told(lofts, "south")) == (1, 0, 1)
    assert rows.unsettled(job) == [AudioCreated.TYPE]

    (lofts / f"north.{trouble}").unlink()
    let_time_pass()
    fanout.tell(job, AudioCreated)
    assert (mails(tmp_path), told(lofts, "north"), told(lofts, "south")) == (1, 1, 1)
    assert rows.unsettled(job) == []


def test_mail_that_is_down_holds_up_no_pigeon(lofts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://127.0.0.1:9")
    job = done()
    fanout.tell(job, AudioCreated)
    assert (told(lofts, "north"), told(lofts, "south")) == (1, 1)
    assert rows.unsettled(job) == [AudioCreated.TYPE]


def test_while_one_server_hangs_the_others_are_told(lofts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = done()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        code = (
            f"from functions.notify import channels, fanout\nfrom events.catalogue import AudioCreated\n"
            f"channels.__path__.append({str(PIGEONS)!r})\nfanout.tell({job!r}, AudioCreated)"
        )
        hanging = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        try:
            connection, _ = silent.accept()
            with connection:
                eventually_told(lofts, "north", "south")
                assert hanging.poll() is None
        finally:
            hanging.kill()
            hanging.wait()
    assert rows.unsettled(job) == [AudioCreated.TYPE]


def test_an_endpoint_that_refuses_is_done_with_and_its_reason_is_kept(lofts: Path) -> None:
    job = done()
    (lofts / "north.full").touch()
    fanout.tell(job, AudioCreated)
    assert [row.refusal for row in noted()] == [None, "north is full", None]
    assert rows.unsettled(job) == []
    fanout.tell(job, AudioCreated)
    assert (told(lofts, "north"), told(lofts, "south")) == (0, 1)


def test_a_channel_that_cannot_say_whom_to_tell_keeps_the_event_open(
    lofts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIGEONS", str(tmp_path / "nowhere"))
    job = done()
    with pytest.raises(Unavailable, match="pigeon"):
        fanout.tell(job, AudioCreated)
    assert (mails(tmp_path), rows.unsettled(job)) == (1, [AudioCreated.TYPE])


def test_what_a_retry_leads_to_meanwhile_is_not_settled_with_the_news_before_it() -> None:
    job = rows.job()
    transitions.fail(job, Failure("damaged"))
    before = news.notice_of(job, ConversionFailed)
    assert before
    transitions.retry(job)
    transitions.fail(job, Failure("damaged"))
    news.settle(before)
    assert ConversionFailed.TYPE in rows.unsettled(job)


def test_what_the_release_before_has_told_is_not_told_again(tmp_path: Path) -> None:
    """It knows of no endpoints: it names none when it writes."""
    job = done()
    row = rows.read(job)
    about = {"job_id": job, "kind": AudioCreated.TYPE, "channel": "mail", "generation": row.fencing_token}
    with database.transaction() as connection:
        values = {**about, "user_id": row.user_id, "claimed_at": rows.ago(9), "sent_at": rows.ago(9)}
        connection.execute(table.insert().values(**values))
    fanout.tell(job, AudioCreated)
    assert mails(tmp_path) == 0
    assert rows.unsettled(job) == []


DIE = """
import os, sys
from functools import partial
from events.catalogue import AudioCreated
from functions.notify import channels, fanout
from tests.chaos.dying import die_at, places_of, tracer, watched

channels.__path__.append(sys.argv[1])
jobs = sys.argv[2:]
channels.every()

def deliver(job, reached):
    files = tuple(f"functions/notify/{name}.py" for name in ("fanout", "telling", "ledger"))
    with watched(tracer(files, reached)):
        fanout.tell(job, AudioCreated)

places = places_of(lambda _, reached: deliver(jobs.pop(), reached))
for job, place in zip(jobs, places):
    pid = os.fork()
    if pid == 0:
        deliver(job, partial(die_at, place))
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1]), place
print(len(places))
"""


def test_wherever_notify_dies_every_endpoint_hears_of_the_job(lofts: Path, tmp_path: Path) -> None:
    given = [done() for _ in range(160)]
    command = [sys.executable, "-c", DIE, str(PIGEONS), *given]
    died = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
    assert 30 < int(died.stdout) < len(given)

    let_time_pass()
    for job in given:
        fanout.tell(job, AudioCreated)

    assert [job for job in given if rows.unsettled(job)] == []
    assert mails(tmp_path) == len(given)
    for name in ("north", "south"):
        heard = (lofts / name).read_text().splitlines()
        # A pigeon that was sent and not yet written down flies twice, and is known by its identity.
        assert len(set(heard)) == len(given)
        assert max(map(heard.count, heard)) <= 2


def done() -> str:
    """A job that has just been converted."""
    job = rows.job("converting")
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    return job


def told(lofts: Path, name: str) -> int:
    return (lofts / name).read_text().count("\n")


def mails(tmp_path: Path) -> int:
    return len(list((tmp_path / "mail").glob("*.eml")))


def noted() -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(table.select().order_by(table.c.channel, table.c.endpoint)).all())


def let_time_pass() -> None:
    rows.change(table, table.c.sent_at.is_(None), claimed_at=rows.ago(3600), due_at=rows.ago(1))


def eventually_told(lofts: Path, *names: str) -> None:
    eventually(lambda: all(told(lofts, name) for name in names), f"{', '.join(names)} told")
