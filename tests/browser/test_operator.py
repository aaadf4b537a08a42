"""What operators see and do on the page, and that nobody else does."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from tests.browser.screen import SLOW_MS, card, choose, not_a_video, sign_in, sign_out, sign_up, workspace
from tests.patience import PATIENCE
from tests.system import ROOT, Audiolift

OpenPage = Callable[..., Page]


def dead_letter(audiolift: Audiolift, source: str) -> str:
    """Records one about nothing that there is. Returns: its id."""
    ident = uuid.uuid4().hex
    event = {"specversion": "1.0", "id": ident, "source": source, "type": "com.example.thing.v1"}
    row = (ident, json.dumps(event), b'{"hello":"<b>you</b>"}', "the sink answered 500", "2026-11-26 00:00:00.000000")
    columns = "id, attributes, data, reason, recorded_at, state, replays, event_id, source, type"
    with closing(sqlite3.connect(audiolift.data / "audiolift.db", timeout=PATIENCE)) as database, database:
        values = (*row, "recorded", 0, ident, source, event["type"])
        database.execute(f"INSERT INTO dead_letters ({columns}) VALUES ({', '.join('?' * 10)})", values)
    return ident


def refused_event(audiolift: Audiolift) -> tuple[str, str]:
    """An event about the newest job that the sink has refused for good. Returns: the ids of event and job."""
    ident, at = uuid.uuid4().hex, str(datetime.now(UTC).replace(tzinfo=None))
    with closing(sqlite3.connect(audiolift.data / "audiolift.db", timeout=PATIENCE)) as database, database:
        (job,) = database.execute("SELECT id FROM jobs ORDER BY created_at DESC LIMIT 1").fetchone()
        columns = "event_id, job_id, type, data, created_at, attempts, refusal, set_aside_at"
        values = (ident, job, "com.example.thing.v9", '{"hello": "<i>there</i>"}', at, 2, "no such type", at)
        database.execute(f"INSERT INTO outbox ({columns}) VALUES ({', '.join('?' * 8)})", values)
    return ident, job


def operator(page: Page, audiolift: Audiolift) -> str:
    """Signs somebody in who operates. Returns: their address."""
    email = sign_up(page)
    expect(page.get_by_role("link", name="Operation")).to_have_count(0)
    environment = {"DATABASE_URL": f"sqlite:///{audiolift.data}/audiolift.db"}
    command = [sys.executable, "-m", "functions.login.operators", "--grant", email]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    sign_out(page)
    sign_in(page, email)
    expect(workspace(page)).to_be_visible(timeout=SLOW_MS)
    return email


def test_an_operator_sees_what_went_wrong_looks_into_it_and_has_it_replayed(
    open_page: OpenPage, audiolift: Audiolift
) -> None:
    page, source = open_page(), f"/cms/{uuid.uuid4().hex}"
    letter, other = dead_letter(audiolift, source), dead_letter(audiolift, source)
    email = operator(page, audiolift)
    choose(page, not_a_video("notes.mp4"))
    expect(card(page, "notes.mp4")).to_contain_text("Failed", timeout=SLOW_MS)

    page.get_by_role("navigation").get_by_role("link", name="Operation").click()
    expect(page.get_by_role("heading", name="Operation", level=1)).to_be_focused(timeout=SLOW_MS)
    counts = page.get_by_role("table", name="All conversions")
    expect(counts).to_contain_text("Failed: The file is not a video or audio file", timeout=SLOW_MS)
    expect(page.get_by_role("figure").filter(has_text="Failed in 48 hours")).to_be_visible()

    functions = page.get_by_role("table", name="Functions and instances")
    expect(functions.get_by_role("rowgroup").filter(has_text="sweep")).to_contain_text("Ready", timeout=SLOW_MS)
    expect(page.get_by_role("figure").filter(has_text=re.compile("^gateway: [1-9]"))).to_be_visible()

    event, job = refused_event(audiolift)
    page.reload()
    page.get_by_role("table").get_by_role("button", name=f"Course {job}").click(timeout=SLOW_MS)
    course = page.get_by_role("list", name=f"{job} · Failed · The file is not a video or audio file")
    expect(course.get_by_role("listitem").first).to_contain_text("Receiving", timeout=SLOW_MS)
    expect(course).to_contain_text("dev.audiolift.conversion.failed.v1")
    refused = page.get_by_role("list", name="Refused events").get_by_role("listitem")
    refused = refused.filter(has=page.get_by_role("button", name=f"Send again {event}"))
    refused.get_by_text("What was in it").click()
    expect(refused.locator("pre")).to_contain_text('"hello": "<i>there</i>"')
    refused.get_by_role("button", name=f"Send again {event}").click()
    expect(page.get_by_text("Sent again within a minute: 1.").first).to_be_visible(timeout=SLOW_MS)
    expect(refused).to_have_count(0)

    page.get_by_label("Source").fill(source)
    page.get_by_role("form", name="Which dead letters").get_by_role("button", name="Show").click()
    letters = page.get_by_role("list", name="Dead letters").locator("> li")
    expect(letters).to_have_count(2, timeout=SLOW_MS)
    first = letters.filter(has=page.get_by_role("button", name=f"Replay {letter}"))
    first.get_by_text("What was in it").click()
    expect(first.locator("pre")).to_contain_text('"hello": "<b>you</b>"', timeout=SLOW_MS)
    first.get_by_role("button", name=f"Replay {letter}").click()
    expect(page.get_by_text("To be replayed: 1.").first).to_be_visible(timeout=SLOW_MS)

    page.get_by_role("button", name="Settle these").click()
    page.get_by_role("dialog").get_by_role("button", name="Settle").click()
    expect(page.get_by_text("Settled: ").first).to_be_visible(timeout=SLOW_MS)
    expect(letters.filter(has=page.get_by_role("button", name=f"Settle {other}"))).to_have_count(0)

    page.get_by_label("Address begins with").fill(email)
    page.get_by_role("form", name="Search for users").get_by_role("button", name="Show").click()
    row = page.get_by_role("row").filter(has_text=email)
    expect(row).to_contain_text("Operator", timeout=SLOW_MS)
    expect(row).to_contain_text("0 of 10,000")
    expect(row.get_by_role("button")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_operator_suspends_somebody_and_lets_them_in_again(open_page: OpenPage, audiolift: Audiolift) -> None:
    them, page = sign_up(open_page()), open_page()
    operator(page, audiolift)
    page.goto("/operator")
    page.get_by_label("Address begins with").fill(them, timeout=SLOW_MS)
    page.get_by_role("form", name="Search for users").get_by_role("button", name="Show").click()
    page.get_by_role("button", name=f"Suspend {them}").click(timeout=SLOW_MS)
    page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
    page.get_by_role("button", name=f"Let in again {them}").click(timeout=SLOW_MS)
    expect(page.get_by_role("button", name=f"Suspend {them}")).to_be_visible(timeout=SLOW_MS)


def test_nobody_else_gets_to_see_any_of_it(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)
    page.goto("/operator")
    expect(page.get_by_role("heading", name="Operation", level=1)).to_be_hidden()
    expect(page.get_by_role("heading", name="There is nothing here.")).to_be_visible(timeout=SLOW_MS)
