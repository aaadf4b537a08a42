"""Which rows of job_events have been seen, and which may still come.

A row gets its id when it is written, and is seen when its transaction commits: a higher id can be there before a lower
one. So ids that are missing below the newest are asked for again, until none of their transactions can still be under
way. Within one job there is nothing to wait for: who changes a job holds its row's lock from before the id is given out
until the commit, so that a job's ids come in order.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["GIVEN_UP_SECONDS", "MAX_MISSING", "Horizon"]

# A transaction cannot go on for longer: it would wait for an answer beyond database.ANSWER_SECONDS.
GIVEN_UP_SECONDS = 60.0
# So many missing ids are asked for at a time, the newest ones. Servers in a group leave out ids for one another.
MAX_MISSING = 500


class Horizon:
    """The ids seen so far. `moment` is a monotonic time, in seconds."""

    def __init__(self, seen: Iterable[int], moment: float) -> None:
        ids = sorted(seen)
        self.newest = ids[-1] if ids else 0
        self._missing: dict[int, float] = {}
        if ids:
            self._miss(ids[0], set(ids), moment)

    @property
    def missing(self) -> list[int]:
        """The ids that may still come, though higher ones have, the lowest first."""
        return sorted(self._missing)

    @property
    def settled(self) -> int:
        """Nothing new comes up to this id."""
        return min(self._missing, default=self.newest + 1) - 1

    def saw(self, seen: Iterable[int], moment: float) -> None:
        """Take what was found when everything after `newest`, and all that is `missing`, was asked for."""
        ids = set(seen)
        for late in ids & self._missing.keys():
            del self._missing[late]
        before, self.newest = self.newest, max(ids | {self.newest})
        self._miss(before + 1, ids, moment)
        for lost in [each for each, since in self._missing.items() if moment - since > GIVEN_UP_SECONDS]:
            del self._missing[lost]

    def _miss(self, first: int, ids: set[int], moment: float) -> None:
        for absent in range(max(first, self.newest - MAX_MISSING), self.newest):
            if absent not in ids:
                self._missing[absent] = moment
        while len(self._missing) > MAX_MISSING:
            del self._missing[next(iter(self._missing))]
