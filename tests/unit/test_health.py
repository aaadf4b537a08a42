"""functions/shared/health.py: one check for all who probe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from functions.shared import health
from functions.shared.health import Health
from functions.shared.problems import Unavailable
from tests.patience import PATIENCE

MANY = 50


class Store:
    """What is checked: counts the checks; each lasts until `answers` is set, and says what `problem` is."""

    def __init__(self) -> None:
        self.checks, self.at_once, self.most = 0, 0, 0
        self.answers, self.problem = threading.Event(), ""
        self._lock = threading.Lock()

    def check(self) -> None:
        with self._lock:
            self.checks += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.answers.wait(PATIENCE)
        with self._lock:
            self.at_once -= 1
        if self.problem:
            raise Unavailable(self.problem)


@pytest.fixture
def store() -> Iterator[Store]:
    """One that answers at the latest when the test is over."""
    made = Store()
    yield made
    made.answers.set()


def verdicts(asked: Health) -> list[str]:
    """What many hear that ask at the same time."""

    async def ask() -> list[BaseException | None]:
        return await asyncio.gather(*(asked.ready() for _ in range(MANY)), return_exceptions=True)

    return [str(found) if found else "ready" for found in asyncio.run(ask())]


def test_many_who_ask_share_one_check(store: Store) -> None:
    threading.Timer(0.1, store.answers.set).start()
    assert verdicts(Health(store.check)) == ["ready"] * MANY
    assert store.checks == 1


def test_a_store_that_hangs_costs_one_thread_and_everybody_hears_of_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.1)
    asked = Health(store.check)
    for _ in range(3):
        assert set(verdicts(asked)) == {"a store has not answered yet"}
    assert (store.checks, store.most) == (1, 1)
    assert [each.name for each in threading.enumerate()].count("readiness") == 1


def test_a_bad_result_is_shared_too(store: Store) -> None:
    store.answers.set()
    store.problem = "the database does not answer"
    assert verdicts(Health(store.check)) == [store.problem] * MANY
    assert store.checks == 1


def test_a_result_is_forgotten_after_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.answers.set()
    asked = Health(store.check)
    asyncio.run(asked.ready())
    store.problem = "gone"
    asyncio.run(asked.ready())
    monkeypatch.setattr(health, "FRESH_SECONDS", 0)
    with pytest.raises(Unavailable, match="gone"):
        asyncio.run(asked.ready())
    store.problem = ""
    asyncio.run(asked.ready())
    assert store.checks == 3


def test_a_probe_that_gives_up_does_not_end_the_check_for_others(store: Store) -> None:
    asked = Health(store.check)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asked.ready(), 0.05)
        store.answers.set()
        await asked.ready()

    asyncio.run(give_up())
    assert store.checks == 1


def test_a_check_that_is_itself_broken_makes_the_function_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ValueError("of no use to a caller")

    with pytest.raises(Unavailable, match="the check itself failed"):
        asyncio.run(Health(broken).ready())
    assert "of no use to a caller" in caplog.text


def test_who_has_nothing_to_check_is_ready_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> None:
        pytest.fail("a thread was started")

    monkeypatch.setattr(threading, "Thread", none)
    asyncio.run(Health().ready())
