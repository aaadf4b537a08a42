"""functions/sweep/dead_letters.py: what the broker gave up on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from events.wire import Envelope
from functions.shared import database, outbox
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.tables import dead_letters as table
from functions.shared.tables import outbox as messages
from functions.sweep import dead_letters, letters, main, replays
from tests.unit import rows
from tests.unit.processes import ROOT
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

FOREIGN = Envelope(
    {"id": "7", "source": "/cms", "type": "com.example.thing.v1", "specversion": "1.0", "time": "2026-11-21T09:30:00Z"},
    b"\x00\xff{",
)


def test_a_dead_letter_is_kept_whole() -> None:
    dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="500", knativeerrordest="http://upload/"))
    (letter,) = kept()
    assert (letter.data, letter.reason, letter.state) == (FOREIGN.data, "500 http://upload/", "recorded")
    assert letter.attributes == {**FOREIGN.attributes, "knativeerrorcode": "500", "knativeerrordest": "http://upload/"}


def test_the_same_dead_letter_is_kept_once() -> None:
    for _ in range(3):
        dead_letters.record(FOREIGN)
    assert len(kept()) == 1


def test_letters_of_two_sources_with_one_id_are_two() -> None:
    dead_letters.record(FOREIGN)
    dead_letters.record(FOREIGN.with_attributes(source="/other"))
    assert len(kept()) == 2


def test_a_reason_without_end_does_not_keep_the_letter_out() -> None:
    dead_letters.record(FOREIGN.with_attributes(knativeerrordest="http://upload/" + "x" * 5000))
    assert len(kept()[0].reason) == 900


def test_a_job_that_cannot_be_converted_is_failed_and_its_owner_told(sink: Sink) -> None:
    job, event = sent_upload()
    dead_letters.record(event.with_attributes(knativeerrorcode="500"))
    assert (rows.read(job).state, rows.read(job).error_code) == ("failed", "gave-up")
    assert sink.types() == ["conversion.failed"]


def test_a_job_that_is_being_converted_is_not_failed(sink: Sink) -> None:
    job, event = sent_upload()
    claims.claim(job)
    dead_letters.record(event.with_attributes(knativeerrorcode="500"))
    assert rows.read(job).state == "converting"
    assert sink.received == []


@pytest.mark.parametrize("code", ["500", "-1"])
def test_a_job_that_was_retried_since_its_letter_was_read_is_left_alone(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    job, event = sent_upload()
    read = outbox.read(event.id)
    transitions.cancel(job)
    transitions.retry(job)
    monkeypatch.setattr(outbox, "read", lambda _: read)
    dead_letters.record(event.with_attributes(knativeerrorcode=code))
    assert rows.read(job).state == "queued"
    assert rows.unsettled(job) == [read.type]
    assert {message.sent_at is None for message in rows.messages(job) if message.settled_at} == {False}


def test_what_the_dispatcher_never_delivered_is_sent_again_at_the_next_tick(sink: Sink) -> None:
    job, event = sent_upload(created=60)
    dead_letters.record(event.with_attributes(knativeerrorcode="-1"))
    assert rows.read(job).state == "queued"
    main.tick()
    assert sink.received == [event]


def test_what_can_never_be_delivered_is_given_up_in_the_end(sink: Sink) -> None:
    job, event = sent_upload(tries=14)
    dead_letters.record(event.with_attributes(knativeerrorcode="-1"))
    assert rows.read(job).state == "failed"


def test_an_event_that_had_its_effect_has_no_consequence(sink: Sink) -> None:
    job, event = sent_upload()
    transitions.cancel(job)
    dead_letters.record(event.with_attributes(knativeerrorcode="500"))
    assert rows.read(job).state == "cancelled"
    assert sink.received == []


def test_news_that_could_not_be_told_leave_the_job_done_and_stay_due(sink: Sink) -> None:
    job = rows.job("converting")
    event_id = transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    outbox.send(event_id)
    dead_letters.record(sink.received.pop().with_attributes(knativeerrorcode="500"))
    assert rows.read(job).state == "done"
    assert rows.unsettled(job) == ["dev.audiolift.audio.created.v1"]


def test_an_upload_is_replayed_with_one_effect_however_often_it_is_asked_for(sink: Sink) -> None:
    job, event = sent_upload()
    dead_letters.record(event.with_attributes(knativeerrorcode="500"))
    sink.received.clear()
    for _ in range(3):
        replay()
    assert (rows.read(job).state, sink.types()) == ("queued", ["video.uploaded"])
    assert rows.history(job) == ["queued", "failed", "queued"]


def test_a_job_that_was_converted_meanwhile_is_not_converted_again(sink: Sink) -> None:
    job, event = sent_upload()
    dead_letters.record(event.with_attributes(knativeerrorcode="500"))
    transitions.retry(job)
    claim = claims.claim(job)
    assert claim
    transitions.finish(claim, Audio(10, "ab" * 32, 1.5))
    sink.received.clear()
    replay()
    assert (rows.read(job).state, sink.received) == ("done", [])


def test_the_letter_of_another_system_is_replayed_as_it_was(sink: Sink) -> None:
    dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="500", knativeerrordest="http://upload/"))
    replay()
    assert [(event.data, event.source) for event in sink.received] == [(FOREIGN.data, FOREIGN.source)]
    assert not [name for name in sink.received[0].attributes if name.startswith("knativeerror")]


@pytest.mark.parametrize("subject", ["Grüße 你好", 'a "quoted" 100 %', "\x80\x9f", "x" * 3000])
def test_a_letter_with_strange_attributes_is_replayed_and_stops_nothing(sink: Sink, subject: str) -> None:
    dead_letters.record(FOREIGN.with_attributes(subject=subject))
    job, _ = sent_upload(created=60, sent=False)
    replay()
    assert [event.subject for event in sink.received] == [subject, job]


def test_a_letter_that_the_sink_does_not_take_stays_wanted(sink: Sink) -> None:
    dead_letters.record(FOREIGN)
    sink.status = 503
    replay()
    assert kept()[0].state == "wanted"
    sink.status = 202
    main.tick()
    assert kept()[0].state == "replayed"


def test_only_what_was_asked_for_is_replayed(sink: Sink) -> None:
    dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="500"))
    dead_letters.record(FOREIGN.with_attributes(id="8", knativeerrorcode="500"))
    wanted = next(letter.id for letter in kept() if letter.attributes["id"] == "8")
    assert replays.want_replay(table.c.id == wanted) == 1
    main.tick()
    assert [event.id for event in sink.received] == ["8"]


@pytest.mark.parametrize(
    ("arguments", "says", "status"),
    [
        (lambda letter: [], "recorded, replays: 0, com.example.thing.v1 - 500", 0),
        (lambda letter: [letter], "1 to be replayed", 0),
        (lambda letter: ["--all"], "1 to be replayed", 0),
        (lambda letter: ["--show", letter], '"source": "/cms"', 0),
        (lambda letter: ["--show", letter], "\\x00\\xff{", 0),
        (lambda letter: ["--settle", letter], "1 settled", 0),
        (lambda letter: ["nothing"], "There is no such dead letter", 1),
        (lambda letter: ["--show", "nothing"], "There is no such dead letter", 1),
        (lambda letter: ["--settle", "nothing"], "There is no such dead letter", 1),
    ],
)
def test_the_command_line_lists_shows_replays_and_settles(
    arguments: Callable[[str], list[str]], says: str, status: int
) -> None:
    dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="500"))
    (letter,) = kept()
    done = asked(*arguments(letter.id))
    assert says in done.stdout + done.stderr
    assert done.returncode == status


def test_the_list_has_the_open_ones_alone_and_says_how_many_it_leaves_out() -> None:
    for number in "123":
        dead_letters.record(FOREIGN.with_attributes(id=number, subject=f"article-{number}"))
    rows.change(table, table.c.event_id == "1", state="healed")
    asked("--settle", next(letter.id for letter in kept() if letter.attributes["id"] == "2"))
    *listed, hidden = asked().stdout.splitlines()
    assert (["article-3" in line for line in listed], hidden) == (
        [True],
        "2 that have healed or were settled are not listed.",
    )


def test_the_list_says_why_a_letter_was_not_replayed_and_lets_nothing_steer_the_terminal(sink: Sink) -> None:
    dead_letters.record(FOREIGN.with_attributes(subject="\x9b31mred", knativeerrordest="\u202eliw"))
    sink.status = 413
    replay()
    said = asked().stdout
    assert "replays: 1, com.example.thing.v1 \ufffd31mred" in said
    assert "[not replayed: the sink answers 413]" in said
    assert not {"\x9b", "\u202e"} & set(said)


def test_what_another_system_writes_neither_steers_the_terminal_of_who_reads_the_log_nor_fills_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dead_letters.record(FOREIGN.with_attributes(subject="\x9b31m" + "x" * 5000, type="\u202eepyt" + "y" * 5000))
    (line,) = caplog.messages
    assert not {"\x9b", "\u202e"} & set(line)
    assert "31mxxx" in line
    assert len(line) < 1000


def test_whoever_asks_for_a_letter_that_was_cut_is_told_that_it_cannot_be_replayed() -> None:
    dead_letters.record(Envelope(FOREIGN.attributes, b"x" * letters.MAX_BYTES))
    assert "1 cannot be replayed" in asked(kept()[0].id).stdout


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql+pymysql://anna:hunter2@127.0.0.1:9/x", "does not answer"),
        ("postgresql://anna:hunter2@h/x", "DATABASE_URL"),
    ],
)
def test_whoever_asks_for_letters_of_a_database_that_is_away_or_none_is_told_so_in_a_line(
    url: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("DATABASE_URL", url)
        answer = asked()
    assert (answer.returncode, answer.stdout) == (1, "")
    assert len(answer.stderr.splitlines()) == 1
    assert word in answer.stderr
    assert "hunter2" not in answer.stderr


def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What `make replay` runs."""
    command = [sys.executable, "-m", "functions.sweep.replay", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, encoding="utf-8")


def sent_upload(*, created: float = 0, tries: int = 1, sent: bool = True) -> tuple[str, Envelope]:
    """A queued job, and its event as it travelled."""
    job = rows.job("receiving")
    event_id = transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    values: dict[str, Any] = {"sent_at": rows.ago(created), "attempts": tries} if sent else {}
    rows.change(messages, messages.c.event_id == event_id, created_at=rows.ago(created), **values)
    with database.reading() as connection:
        row = connection.execute(messages.select().where(messages.c.event_id == event_id)).one()
    return job, outbox._envelope(row)


def kept() -> list[Any]:
    """All dead letters, whole, oldest first."""
    with database.reading() as connection:
        return list(connection.execute(table.select().order_by(table.c.recorded_at)).all())


def replay() -> None:
    replays.want_replay(table.c.id.is_not(None))
    main.tick()


@pytest.mark.parametrize("code", ["-1", "404", "429", "502", "503", "504"])
def test_an_outage_of_a_store_or_a_function_fails_no_job(code: str, sink: Sink) -> None:
    job, event = sent_upload(created=60, tries=11)
    dead_letters.record(event.with_attributes(knativeerrorcode=code))
    assert rows.read(job).state == "queued"
    assert rows.unsettled(job) == ["dev.audiolift.video.uploaded.v1"]


def test_an_event_of_another_system_that_met_an_outage_is_replayed_by_itself_ten_times_and_then_waits(
    sink: Sink,
) -> None:
    for _ in range(12):
        dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="503"))
        main.tick()
    assert arrived(sink) == [(FOREIGN.id, FOREIGN.data)] * 10
    assert kept()[0].state == "recorded"


def test_a_letter_that_comes_again_before_its_replay_is_replayed_all_the_same(sink: Sink) -> None:
    dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="500"))
    assert replays.want_replay(table.c.state == "recorded") == 1
    dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="500"))
    main.tick()
    assert arrived(sink) == [(FOREIGN.id, FOREIGN.data)]


def test_a_replay_that_the_sink_does_not_take_waits_for_the_next_tick(sink: Sink) -> None:
    dead_letters.record(FOREIGN.with_attributes(knativeerrorcode="503"))
    sink.status = 503
    main.tick()
    assert kept()[0].state == "wanted"
    sink.status = 202
    main.tick()
    assert arrived(sink) == [(FOREIGN.id, FOREIGN.data)]


def test_a_letter_larger_than_what_is_kept_is_cut_and_says_so_and_is_not_replayed(sink: Sink) -> None:
    large = Envelope(FOREIGN.attributes, b"x" * letters.MAX_BYTES)
    dead_letters.record(large.with_attributes(knativeerrorcode="503"))
    (letter,) = kept()
    assert "too large" in letter.reason
    assert replays.want_replay(table.c.id == letter.id) == 0
    main.tick()
    assert sink.received == []


def arrived(sink: Sink) -> list[tuple[str, bytes]]:
    """What identifies the events that the sink took."""
    return [(event.id, event.data) for event in sink.received]
