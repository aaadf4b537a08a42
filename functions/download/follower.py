"""The one task of a process that follows the jobs, for all streams and all requests that wait for a change.

Each subscribes to a job, or to all jobs of a user; one query finds what is new for all of them (news.py), and it is
handed on in memory. None of them holds a connection or a thread.

**How soon, and at what cost.** The question waits until there is something new, for a second at most (pulse.py): so a
change comes within 100 ms, after any quiet, and a thousand streams to which nothing happens cost the database one
statement a second, all together.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar
from weakref import WeakKeyDictionary

import msgspec

from functions.download import figures, history
from functions.download.history import Change
from functions.download.news import News
from functions.download.subscription import Subscription
from functions.shared import draining
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.tables import api_keys, jobs

__all__ = ["Follower", "following", "the_follower"]

log = logging.getLogger(__name__)
Made = TypeVar("Made")

# Between two questions, so that what comes close together is read together.
GAP_SECONDS = 0.03
# How often it is seen whether the jobs, and the keys of who follows them, still are there, and where in the queue those
# are that wait.
LOOK_SECONDS = 15.0
# After a failure.
AWAY_SECONDS = 1.0


def the_follower() -> Follower:
    """That of the event loop that runs."""
    loop = asyncio.get_running_loop()
    if loop not in _followers:
        _followers[loop] = Follower()
    return _followers[loop]


@asynccontextmanager
async def following(subscription: Subscription) -> AsyncIterator[None]:
    """Have the subscription hear of every change from now on. Raises: Unavailable."""
    follower = the_follower()
    await follower.add(subscription)
    try:
        yield
    finally:
        follower.remove(subscription)


class Follower:
    """Of one event loop. Its task runs while somebody is subscribed."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._task: asyncio.Task[None] | None = None
        self._news: News | None = None
        self._starting = asyncio.Lock()
        # Of its own: it waits for no handler, and no handler for a question that waits.
        self._thread = ThreadPoolExecutor(1, "follower")
        self._last_look = 0.0
        # Of job_events: the last row that was handed on, and up to where none is still to come.
        self.newest = self.settled = 0

    async def add(self, subscription: Subscription) -> None:
        """Begin to hand on to it. Raises: Unavailable."""
        async with self._starting:
            if self._news is None:
                self._news = await self._apart(News)
                self._note_how_far(self._news)
        self._subscriptions.setdefault(subscription.key, set()).add(subscription)
        if self._task is None:
            self._last_look = time.monotonic()
            self._task = asyncio.create_task(self._run())

    def remove(self, subscription: Subscription) -> None:
        """Nobody listens there any more."""
        listeners = self._subscriptions.get(subscription.key, set())
        listeners.discard(subscription)
        if not listeners:
            self._subscriptions.pop(subscription.key, None)

    async def _run(self) -> None:
        try:
            while self._subscriptions:
                if draining.begun():
                    self._end()
                await asyncio.sleep(await self._turn())
        finally:
            # What comes now is read by whoever subscribes next: nothing is asked meanwhile.
            news, self._news, self._task = self._news, None, None
            if news:
                news.end()
                self._thread.submit(news.close)

    async def _turn(self) -> float:
        """Hand on what is new. Returns: after how many seconds to do so again."""
        try:
            assert self._news
            self._hand_on(await self._apart(self._news.read, self._subscriptions))
            self._note_how_far(self._news)
            if time.monotonic() - self._last_look > LOOK_SECONDS:
                self._last_look = time.monotonic()
                await self._look(self._news)
            return GAP_SECONDS
        except Unavailable as error:
            log.warning("jobs cannot be followed now; it is tried again: %s", error)
        except Exception:
            log.exception("jobs cannot be followed now; it is tried again")
        return AWAY_SECONDS

    def _note_how_far(self, news: News) -> None:
        self.newest, self.settled = news.newest, news.settled

    def _hand_on(self, changes: list[Change]) -> None:
        for change in changes:
            for key in (change.job_id, change.user_id):
                for subscription in self._subscriptions.get(key, ()):
                    subscription.offer(change)

    async def _look(self, news: News) -> None:
        """What job_events does not tell: keys that were revoked, jobs that are gone, and places in the queue."""
        await self._end_of_revoked(news)
        if owners := {each.user_id for each in self._all() if not each.job_id}:
            self._hand_on_gone(await self._apart(news.deleted, owners))
        shown = {change.job_id: change for each in self._all() for change in each.unfinished}
        named = {each.job_id: each.user_id for each in self._all() if each.job_id}
        watched = {**{change.job_id: change.user_id for change in shown.values()}, **named}
        if watched:
            existing = await self._apart(news.existing, jobs, watched)
            self._hand_on_gone({job: user for job, user in watched.items() if job not in existing})
        waiting = [each for each in shown.values() if each.view and each.view.state == State.QUEUED]
        if waiting:
            self._hand_on_places(waiting, await self._apart(figures.places, [each.job_id for each in waiting]))

    async def _end_of_revoked(self, news: News) -> None:
        with_key = {each: each.key_id for each in self._all() if each.key_id}
        existing = await self._apart(news.existing, api_keys, set(with_key.values())) if with_key else set()
        for subscription, key_id in with_key.items():
            if key_id not in existing:
                subscription.end()

    def _hand_on_gone(self, gone: dict[str, str]) -> None:
        for job_id, user_id in gone.items():
            for key in (job_id, user_id):
                for each in self._subscriptions.get(key, ()):
                    each.offer(history.gone(job_id, user_id))

    def _hand_on_places(self, waiting: list[Change], places: Mapping[str, int]) -> None:
        for change in waiting:
            place = places.get(change.job_id)
            if change.view and place != change.view.queue_position:
                moved = replace(change, view=msgspec.structs.replace(change.view, queue_position=place))
                for key in (change.job_id, change.user_id):
                    for each in self._subscriptions.get(key, ()):
                        each.offer_place(moved)

    def _all(self) -> list[Subscription]:
        return [each for listeners in self._subscriptions.values() for each in listeners]

    def _end(self) -> None:
        """The process is to end: so does everything that waits."""
        for each in self._all():
            each.end()

    async def _apart(self, function: Callable[..., Made], *arguments: object) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


_followers: WeakKeyDictionary[asyncio.AbstractEventLoop, Follower] = WeakKeyDictionary()
