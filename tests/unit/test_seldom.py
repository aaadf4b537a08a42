"""functions/shared/seldom.py: how many lines a flood leaves in the log."""

from __future__ import annotations

import logging
import time

import pytest

from functions.shared.seldom import MAX_LINES, PERIOD_SECONDS, Seldom

log = logging.getLogger("seldom")


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is let through; the clock stands still."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    seldom, lines = Seldom(), []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Kept()
    handler.addFilter(seldom)
    monkeypatch.setattr(log, "handlers", [handler])
    return lines


def flood(count: int) -> None:
    for number in range(count):
        log.warning("refused %d", number)


def test_a_flood_of_one_line_is_cut_and_another_line_is_not(written: list[str]) -> None:
    flood(10 * MAX_LINES)
    log.warning("another")
    assert written == [*(f"refused {number}" for number in range(MAX_LINES)), "another"]


def test_the_next_period_says_how_many_were_left_out(written: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    flood(MAX_LINES + 7)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + PERIOD_SECONDS)
    flood(1)
    assert written[MAX_LINES:] == ["refused 0 (and 7 more like it before)"]
    flood(1)
    assert written[-1] == "refused 0"
