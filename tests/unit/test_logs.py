"""functions/shared/logs.py: what a line of the log has, and what it must not have."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time

import pytest

from functions.shared import api_keys, logs, trace
from functions.shared.trace import Trace

TRACE = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
JOB = "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmVk"


def line(message: str, *args: object, kind: str = "json", error: bool = False) -> str:
    """What a function called x writes."""
    about = sys.exc_info() if error else None
    return logs.formatter(kind, "x").format(logging.LogRecord("a.b", logging.ERROR, "f", 1, message, args, about))


def test_a_line_is_one_object_with_the_ids_of_what_it_is_about() -> None:
    with trace.following(TRACE), logs.about(request_id="r-1", job_id=JOB), logs.about(event_id="e-1"):
        said = line("went\nwrong: %s", 7)
    assert "\n" not in said
    found = json.loads(said)
    assert found.pop("time").endswith("+00:00")
    assert found == {
        **{"level": "ERROR", "service": "x", "logger": "a.b", "message": "went\nwrong: 7"},
        **{"request_id": "r-1", "job_id": JOB, "event_id": "e-1"},
        **{"trace_id": TRACE.trace_id, "span_id": TRACE.span_id},
    }


def test_ids_are_those_of_their_block_and_their_thread() -> None:
    seen: list[dict[str, str]] = []
    with logs.about(job_id=JOB):
        with logs.about(job_id="f" * 32):
            seen.append(dict(logs.ids()))
        other = threading.Thread(target=lambda: seen.append(dict(logs.ids())))
        other.start()
        other.join()
        seen.append(dict(logs.ids()))
    assert seen == [{"job_id": "f" * 32}, {}, {"job_id": JOB}]
    assert logs.ids() == {}


@pytest.mark.parametrize("subject", ["", "diary of anna.mp4", "diary.mp4", JOB.upper(), JOB + "\n"])
def test_what_is_no_id_of_a_job_is_left_out(subject: str) -> None:
    with logs.about(job_id=subject):
        assert logs.ids() == {}


@pytest.mark.parametrize("kind", ["json", "text"])
@pytest.mark.parametrize(
    ("private", "left"),
    [
        ("anna.b+c@example.com", "…@…"),
        ("<anna@example.com>", "<…@…>"),
        ("mysql+pymysql://root:hunter2@db.example.com/x", "mysql+pymysql://root:…@…/x"),
        (f"Bearer {TOKEN}", "Bearer (token)"),
        pytest.param(api_keys.make(), "(key)", id="key"),
    ],
)
def test_addresses_passwords_tokens_and_keys_are_taken_out(kind: str, private: str, left: str) -> None:
    try:
        raise ValueError(private)
    except ValueError:
        said = line("it is %s", private, kind=kind, error=True)
    assert f"it is {left}" in said
    assert said.count(private) == 0
    assert said.count(left) >= 2


@pytest.mark.parametrize("piece", ["a", "-eyJ", "eyJ.", "al_", ".@", "@a"])
def test_a_line_that_was_made_to_take_long_does_not(piece: str) -> None:
    began = time.process_time()
    line(piece * (200_000 // len(piece)))
    assert time.process_time() - began < 5


def test_plain_text_is_as_it_was() -> None:
    assert line("%d jobs", 3, kind="text") == "ERROR 3 jobs"
