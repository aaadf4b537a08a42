"""An engine that crashes: what the job becomes, what the log keeps of it, and what the owner is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.types import ASGIApp

from functions.convert.sandbox import nursery
from functions.shared.blobs import Blobs
from functions.shared.job_warnings import WARNINGS
from functions.shared.jobs import claims, transitions
from functions.shared.settings import number
from functions.shared.views import job_view
from tests import asgi, media
from tests.chaos.dying import event
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables")
SECRET = "Anna's holiday"


@pytest.fixture(autouse=True)
def crashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine crashes over every video."""
    nursery.close()
    monkeypatch.setattr("functions.convert.sandbox.nursery._nursery._entry", "tests.unit.engine_entries:crash")
    yield
    nursery.close()


@pytest.fixture
def function() -> ASGIApp:
    """The function, as the dispatcher calls it."""
    return asgi.app_of("convert")


@pytest.fixture
def job(store: Blobs, tmp_path: Path) -> str:
    """A job with a video that a person named, and options with a text of theirs."""
    video = media.make(tmp_path / "mp4-aac.mp4")
    options = {"title": SECRET, "quality": 4}
    job_id = rows.job("receiving", filename=f"{SECRET}.mp4", options=options)
    with store.writing(claims.claim_upload(job_id).video) as writer:
        writer.write(video.read_bytes())
    return job_id


def test_where_the_engine_crashes_twice_ffmpeg_makes_the_mp3_and_that_is_a_warning(
    store: Blobs, sink: Sink, function: ASGIApp, job: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert delivered(function, job) == [500, 500, 204]
    row = rows.read(job)
    assert (row.state, row.error_code) == ("done", None)
    assert media.tone(b"".join(store.read(row.audio, 0, row.audio_bytes))) == pytest.approx(440, abs=2)
    assert msgspec.to_builtins(job_view(row).warnings) == [
        {"code": "by-ffmpeg", "text": WARNINGS["by-ffmpeg"], "values": {}}
    ]
    assert f"job {job} is done with a warning: by-ffmpeg" in [record.getMessage() for record in caplog.records]


def test_a_crash_is_logged_with_all_that_reproduces_it_and_nothing_of_the_owner(
    sink: Sink, function: ASGIApp, job: str, caplog: pytest.LogCaptureFixture
) -> None:
    delivered(function, job)
    first, second = crashes(caplog)
    assert first | {"attempt": 2, "cpu_seconds": 0, "peak_bytes": 0} == second | {"cpu_seconds": 0, "peak_bytes": 0}
    assert (first["job"], first["video"], first["attempt"]) == (job, f"video/{job}.0", 1)
    assert first["video_bytes"] > 1000
    assert first["options"] == {"title": f"{len(SECRET)} characters", "quality": 4}
    assert (first["converter"], first["status"], first["signal"]) == ("engine", -11, "SIGSEGV")
    assert first["versions"].keys() == {"python", "av", "kernel"}
    assert SECRET not in caplog.text


def test_without_a_way_out_the_job_gives_up_after_its_attempts(
    sink: Sink, function: ASGIApp, job: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel without Landlock."""
    monkeypatch.setattr("functions.convert.sandbox.landlock.is_supported", lambda: False)
    attempts = number("MAX_ATTEMPTS")
    assert delivered(function, job) == [*([500] * attempts), 204]
    assert [crash["attempt"] for crash in crashes(caplog)] == list(range(1, attempts + 1))
    row = rows.read(job)
    assert (row.state, row.error_code, row.attempts) == ("failed", "gave-up", attempts)
    assert sink.types() == ["conversion.failed"]


def delivered(function: ASGIApp, job: str) -> list[int]:
    """Deliver the event until it is taken. Returns: the statuses."""
    headers, body = event(transitions.queue(claims.claim_upload(job), "video.mp4", rows.read(job).options, 1))
    statuses: list[int] = []
    while not statuses or statuses[-1] == 500:
        statuses.append(asgi.call(function, "POST", "/", headers, body).status)
    return statuses


def crashes(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the log has of them."""
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    start = "conversion crashed: "
    return [json.loads(line.removeprefix(start)) for line in lines if line.startswith(start)]
