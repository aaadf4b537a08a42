"""The durable queues: what was put is there, when it is due, until it is acknowledged."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from events.wire import Envelope
from knative.local.queues import QueuedEvent, Queues

Result = TypeVar("Result")
EVENT = Envelope({"id": "1", "source": "/x", "type": "t", "specversion": "1.0"}, b"\x00data")


def using(path: Path, work: Callable[[Queues], Awaitable[Result]]) -> Result:
    """What `work` gives, with the queues of that file open."""

    async def scenario() -> Result:
        async with Queues(path) as queues:
            return await work(queues)

    return asyncio.run(scenario())


async def due(queues: Queues, trigger: str = "a") -> QueuedEvent:
    """The message that is due; there must be one."""
    message, _ = await queues.next(trigger, set())
    assert message is not None
    return message


def test_an_event_waits_in_the_queue_of_each_trigger_also_after_a_restart(tmp_path: Path) -> None:
    using(tmp_path / "q", lambda queues: queues.put(["a", "b"], EVENT))
    for trigger in ("a", "b"):
        message = using(tmp_path / "q", lambda queues, trigger=trigger: due(queues, trigger))  # type: ignore[misc]
        assert (message.envelope, message.attempts, message.dead) == (EVENT, 0, False)


def test_what_is_acknowledged_is_gone(tmp_path: Path) -> None:
    async def work(queues: Queues) -> object:
        await queues.put(["a"], EVENT)
        await queues.acknowledge(await due(queues))
        return await queues.next("a", set())

    assert using(tmp_path / "q", work) == (None, None)


def test_a_wait_survives_a_restart(tmp_path: Path) -> None:
    async def postpone(queues: Queues) -> None:
        await queues.put(["a"], EVENT)
        await queues.postpone(await due(queues), 1000)

    before = time.time()
    using(tmp_path / "q", postpone)
    message, due_at = using(tmp_path / "q", lambda queues: queues.next("a", set()))
    assert message is None
    assert due_at is not None
    assert due_at >= before + 1000


def test_a_clock_that_is_set_holds_nothing_up_and_brings_nothing_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(queues: Queues) -> None:
        await queues.put(["a", "b"], EVENT)
        await queues.postpone(await due(queues, "b"), 1000)
        for ahead in (-3600, 3600):
            monkeypatch.setattr(time, "time", lambda ahead=ahead: before + ahead)
            assert await due(queues, "a")
            assert (await queues.next("b", set()))[0] is None

    before = time.time()
    using(tmp_path / "q", work)


def test_attempts_are_counted_and_begin_anew_for_a_dead_letter(tmp_path: Path) -> None:
    async def work(queues: Queues) -> list[tuple[int, bool]]:
        await queues.put(["a"], EVENT)
        await queues.postpone(await due(queues), 0)
        failed = await due(queues)
        await queues.bury(failed, EVENT.with_attributes(knativeerrorcode="500"))
        dead = await due(queues)
        assert dead.envelope.attributes["knativeerrorcode"] == "500"
        return [(each.attempts, each.dead) for each in (failed, dead)]

    assert using(tmp_path / "q", work) == [(1, False), (0, True)]


def test_what_is_being_delivered_is_passed_over(tmp_path: Path) -> None:
    async def work(queues: Queues) -> bool:
        await queues.put(["a"], EVENT)
        await queues.put(["a"], EVENT)
        first = await due(queues)
        second, _ = await queues.next("a", {first.id})
        assert second is not None
        third, _ = await queues.next("a", {first.id, second.id})
        return first.id != second.id and third is None

    assert using(tmp_path / "q", work)


def test_a_full_disk_keeps_all_or_nothing(tmp_path: Path) -> None:
    async def work(queues: Queues) -> object:
        # As a disk with two megabytes left.
        await queues._run(lambda: queues._connection.execute("PRAGMA max_page_count = 500"))
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await queues.put(["a", "b"], Envelope(EVENT.attributes, bytes(1_500_000)))
        return await queues.next("a", set())

    assert using(tmp_path / "q", work) == (None, None)
