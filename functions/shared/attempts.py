"""How often something may be tried: some times at once, then after waits that double.

It is counted before it is tried, in a row that all pods share: who tries a hundred at once gets no more than who tries
one after the other. Keys are digests, and counted whether or not there is such an account: a refusal tells nothing of
that. While one waits, nothing is counted, so that nobody can make the wait of somebody else longer than `longest`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

import sqlalchemy as sa

from functions.shared import database
from functions.shared.problems import Problem
from functions.shared.tables import attempts, now

__all__ = ["MAILS", "PASSWORDS", "RESETS", "Pace", "check", "forget", "seconds_left"]

# What has not been tried for so long is forgotten; longer than any wait.
FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True)
class Pace:
    """`free` tries at once; then a wait of `first` seconds, which doubles with every try, up to `longest`."""

    name: str
    free: int
    first: int
    longest: int

    def wait(self, tries: int) -> int:
        """Seconds after that many tries."""
        return 0 if tries < self.free else min(self.first * 2 ** min(tries - self.free, 32), self.longest)


# Enough for whoever mistypes, and for programs that sign in at the same time. Whoever guesses gets 1,450 in a day.
PASSWORDS = Pace("password", free=10, first=1, longest=60)
# Nobody's mailbox is flooded by somebody who types in its address. Resets count by themselves: with other mails,
# strangers could use up what an owner needs to get in again; with resets they would only send the owner the link.
MAILS = Pace("mail", free=3, first=60, longest=900)
RESETS = Pace("reset", free=3, first=60, longest=900)


def check(pace: Pace, whose: str) -> None:
    """Count a try. Raises: Problem (429) when it has to wait."""
    if seconds := seconds_left(pace, whose):
        said = f"There were too many wrong passwords. Try again in {seconds} s, or have your password reset by mail."
        raise Problem("too-many-attempts", said, {"Retry-After": str(seconds)}, error="slow_down")


@database.transactional
def seconds_left(connection: sa.Connection, pace: Pace, whose: str) -> int:
    """Count a try. Returns: 0, or the seconds that it has to wait; then it was not counted."""
    this, moment = attempts.c.key == _key(pace, whose), now()
    connection.execute(attempts.delete().where(this, attempts.c.last_at < moment - FORGOTTEN))
    counted = attempts.update().where(this, attempts.c.free_at <= moment)
    # From here on the row is this transaction's: who comes at the same time waits for it, and counts on.
    free = connection.execute(counted.values(tries=attempts.c.tries + 1, last_at=moment)).rowcount == 1
    row = connection.execute(attempts.select().where(this)).one_or_none()
    if row is None:
        _insert(connection, pace, whose)
        return 0
    if not free:
        seconds: float = (row.free_at - moment).total_seconds()
        return max(1, ceil(seconds))
    wait = timedelta(seconds=pace.wait(row.tries))
    connection.execute(attempts.update().where(this).values(free_at=moment + wait))
    return 0


def forget(connection: sa.Connection, pace: Pace, whose: str) -> None:
    """Begin anew, in the caller's transaction: who tried has proven to be in the right."""
    connection.execute(attempts.delete().where(attempts.c.key == _key(pace, whose)))


def _insert(connection: sa.Connection, pace: Pace, whose: str) -> None:
    moment = now()
    first = {"key": _key(pace, whose), "tries": 1, "last_at": moment, "free_at": moment}
    database.insert_missing(connection, attempts, **first)


def _key(pace: Pace, whose: str) -> str:
    return hashlib.sha256(f"{pace.name}/{whose}".encode(errors="surrogatepass")).hexdigest()
