"""What one stream, or one request that waits, has still to hear of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from functions.download.history import Change

__all__ = ["MAX_WAITING", "Subscription"]

# So many changes are kept for a client that does not take them. It is let go then, and comes back for what it missed.
MAX_WAITING = 1000
# Of so many unfinished jobs of a user it is told where they are in the queue, and that they are gone.
MAX_UNFINISHED = 200


class Subscription:
    """To one job of a user, or to all of them (`job_id` None), with an API key or without. Belongs to the event loop.

    What happens is held back until `begin`: first comes what is read of the time before (`catch_up`).
    """

    def __init__(self, user_id: str, job_id: str | None = None, key_id: str | None = None) -> None:
        self.user_id, self.job_id, self.key_id = user_id, job_id, key_id
        self.has_ended = False
        self._held: list[Change] | None = []
        self._waiting: list[Change] = []
        self._told: dict[str, int] = {}
        self._unfinished: dict[str, Change] = {}
        self._news = asyncio.Event()

    @property
    def key(self) -> str:
        """What it is to: ids of jobs and of users are never the same."""
        return self.job_id or self.user_id

    @property
    def unfinished(self) -> Iterable[Change]:
        """The jobs that it was told of last and that are not over, as it knows them."""
        return self._unfinished.values()

    def know(self, change: Change) -> None:
        """A job as its client has it: it is waited for, and not told again."""
        self._note(change)

    def catch_up(self, changes: Iterable[Change]) -> None:
        """What has happened before, oldest first."""
        for change in changes:
            self._take(change)

    def begin(self) -> None:
        """All that was before has been said."""
        held, self._held = self._held, None
        self.catch_up(held or ())

    def offer(self, change: Change) -> None:
        """Something happened."""
        if self._held is None:
            return self._take(change)
        self._held.append(change)
        return self._bound(self._held)

    def offer_place(self, change: Change) -> None:
        """A job that waits has another place in the queue than the client knows; nothing else has changed."""
        known = self._unfinished.get(change.job_id)
        if known is not None and known.id == change.id and not self._waiting:
            self._note(change)
            self._put(change)

    def end(self) -> None:
        """There will be nothing more."""
        self.has_ended = True
        self._news.set()

    async def taken(self, seconds: float) -> list[Change]:
        """What has happened since, by ids; waits for it so long at most. Empty when there was nothing."""
        if not self._waiting and not self.has_ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._news.wait()
        self._news.clear()
        taken, self._waiting = self._waiting, []
        return sorted(taken, key=lambda change: change.id)

    def _take(self, change: Change) -> None:
        # A job's changes have growing ids: what has no higher one is known.
        told = self._told.get(change.job_id, -1)
        if change.view is None:
            change = replace(change, id=max(told, 0))
        elif change.id <= told:
            return
        self._told[change.job_id] = change.id
        self._note(change)
        before = next((each for each in reversed(self._waiting) if each.job_id == change.job_id), None)
        if before and before.view and change.view and before.view.state == change.view.state:
            # One within the same state takes its place.
            self._waiting.remove(before)
        self._put(change)

    def _note(self, change: Change) -> None:
        if change.is_over:
            self._unfinished.pop(change.job_id, None)
        elif change.job_id in self._unfinished or len(self._unfinished) < MAX_UNFINISHED:
            self._unfinished[change.job_id] = change

    def _put(self, change: Change) -> None:
        self._waiting.append(change)
        self._news.set()
        self._bound(self._waiting)

    def _bound(self, changes: list[Change]) -> None:
        if len(changes) > MAX_WAITING:
            self.end()
