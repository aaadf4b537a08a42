"""Server-sent events: jobs as they change (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.download import history
from functions.download.follower import the_follower
from functions.download.history import Change
from functions.download.subscription import Subscription
from functions.shared.jobs.states import ENDED
from functions.shared.problems import Problem
from functions.shared.scopes import Caller
from functions.shared.threads import in_thread

__all__ = ["Stream", "follow_all", "follow_one"]

PING_SECONDS = 15.0
# Below the Service's timeoutSeconds: a stream ends in order, and its client comes back with Last-Event-ID. Not all of
# them in the same moment.
STREAM_SECONDS = (480.0, 570.0)
RETRY = "retry: 1000\n\n"


async def follow_one(caller: Caller, job_id: str, last_event_id: str) -> Stream:
    """A stream of one job, until it is over. Raises: Problem (404), Unavailable."""
    return await _OfJob(caller, job_id, last_event_id).begun()


async def follow_all(caller: Caller, last_event_id: str) -> Stream:
    """A stream of all jobs of the caller. Raises: Unavailable."""
    return await _OfUser(caller, None, last_event_id).begun()


class Stream(Response):
    """Events `job`, whose data is the job's JSON, and `gone`. While it waits it holds no thread and no connection."""

    media_type = "text/event-stream"

    def __init__(self, caller: Caller, job_id: str | None, last_event_id: str) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        left = caller.until - time.time() if caller.until else STREAM_SECONDS[1]
        self._ends = time.monotonic() + min(random.uniform(*STREAM_SECONDS), left)
        self._subscription = Subscription(caller.user_id, job_id, caller.key_id)
        self._after = _number(last_event_id)
        self._follower = the_follower()
        # Nothing comes any more.
        self._is_over = False

    async def begun(self) -> Stream:
        """Itself, listening."""
        await self._follower.add(self._subscription)
        try:
            await self._prepare()
        except BaseException:
            self._follower.remove(self._subscription)
            raise
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI side of it."""
        listening = asyncio.create_task(self._end_with_client(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                async with aclosing(self.texts()) as texts:
                    async for text in texts:
                        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            listening.cancel()
            self._follower.remove(self._subscription)

    async def texts(self) -> AsyncGenerator[str, None]:
        """What is sent, piece by piece."""
        yield RETRY
        async for text in self._before():
            yield text
        self._subscription.begin()
        while (left := self._ends - time.monotonic()) > 0:
            changes = await self._subscription.taken(0 if self._is_over else min(PING_SECONDS, left))
            for text in self._events(changes):
                yield text
            if self._subscription.has_ended or self._is_over:
                return
            if not changes:
                yield self._ping()

    async def _prepare(self) -> None:
        """What has to be known before the status is sent."""

    async def _before(self) -> AsyncGenerator[str, None]:
        """What was before, if it takes many steps."""
        return
        yield

    def _events(self, changes: Iterable[Change]) -> Iterator[str]:
        for change in changes:
            self._note(change)
            name = "job" if change.view else "gone"
            yield f"{self._id_after(change)}event: {name}\ndata: {change.data}\n\n"

    def _note(self, change: Change) -> None:
        """It is about to be sent."""

    def _id_after(self, change: Change) -> str:
        """The line by which a client that has seen the change says so when it comes back."""
        return f"id: {change.id}\n" if change.id and change.view else ""

    def _ping(self) -> str:
        return ": still here\n\n"

    async def _end_with_client(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.end()


class _OfJob(Stream):
    async def _prepare(self) -> None:
        job_id = str(self._subscription.job_id)
        row = (await in_thread(history.newest_rows, [job_id])).get(job_id)
        if row is None or row.user_id != self._subscription.user_id:
            raise Problem("not-found", "You have no such job.")
        self._subscription.catch_up(await in_thread(history.of_job, row, self._after))
        self._is_over = row.state in ENDED

    def _note(self, change: Change) -> None:
        self._is_over = change.is_over


class _OfUser(Stream):
    async def _before(self) -> AsyncGenerator[str, None]:
        if self._after is None or self._after > self._follower.newest:
            # From here on nothing is missed.
            self._after = None
            yield self._ping()
            self._subscription.catch_up(await in_thread(history.live_of, self._subscription.user_id))
        while self._after is not None:
            found, self._after = await in_thread(history.of_user, self._subscription.user_id, self._after)
            self._subscription.catch_up(found)
            for text in self._events(await self._subscription.taken(0)):
                yield text

    # All rows up to this one have been sent, or were there before.
    _known = 0

    def _id_after(self, change: Change) -> str:
        # A row of another job with a lower id may still come.
        self._known = max(self._known, min(change.id, self._follower.settled))
        return f"id: {self._known}\n"

    def _ping(self) -> str:
        # An id without data moves the place to come back to, and is no event.
        self._known = max(self._known, self._follower.settled)
        return f"id: {self._known}\n: still here\n\n"


def _number(last_event_id: str) -> int | None:
    good = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19
    return int(last_event_id) if good else None
