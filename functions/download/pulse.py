"""Waits until there may be something new in job_events, at the cost of a statement a second; for one thread.

SQLite tells by `PRAGMA data_version`, at no query, that somebody has committed something. Of MySQL and MariaDB only a
query tells: so one of them waits inside the server, in the procedure `await_job_events` (revision 0025), which looks
for itself and comes back with the first row. Each of its looks has a snapshot of its own, and locks nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import sqlalchemy as sa

from functions.shared import database

__all__ = ["LOOK_SECONDS", "WAIT_SECONDS", "Pulse"]

log = logging.getLogger(__name__)

PROCEDURE = "await_job_events"
# Between two looks, by us or by the procedure, which has its own number; and how long one call waits.
LOOK_SECONDS, WAIT_SECONDS = 0.03, 1.0
LOOKS = round(WAIT_SECONDS / LOOK_SECONDS)
# Between two questions where the procedure cannot be called.
POLL_SECONDS = 0.05
# The procedure is not there (a dump without routines, a downgrade), or may not be called (without EXECUTE).
_NO_PROCEDURE = {1305, 1370}


class Pulse:
    """Every method raises Unavailable, and works again when it is called again."""

    def __init__(self) -> None:
        in_file = database.engine().url.get_backend_name() == "sqlite"
        # Of its own, and kept: a connection only knows of what others commit (https://sqlite.org/pragma.html#pragma_data_version).
        self._file = database.engine().raw_connection() if in_file else None
        self._version: int | None = None
        # It is needed all the time.
        self._held: sa.Connection | None = None
        self._can_call = True

    def wait(self, newest: int, missing: Sequence[int]) -> bool:
        """Wait for rows after the id `newest`, or with one of the `missing` ids, for WAIT_SECONDS at most.

        Returns: whether there may be some; that there are none up to now, otherwise.
        """
        if self._file is not None:
            return self._wait_for_commit(self._file)
        return self._call(newest, missing) if self._can_call else self._poll()

    def close(self) -> None:
        """Nobody waits any more."""
        if self._file is not None:
            self._file.close()
        if self._held is not None:
            self._held.close()
        self._file = self._held = None

    def _wait_for_commit(self, file: sa.PoolProxiedConnection) -> bool:
        for _ in range(LOOKS):
            if self._has_changed(file):
                return True
            time.sleep(LOOK_SECONDS)
        return self._has_changed(file)

    def _has_changed(self, file: sa.PoolProxiedConnection) -> bool:
        with database.answering(), closing(file.cursor()) as cursor:
            before = self._version
            cursor.execute("PRAGMA data_version")
            (self._version,) = cursor.fetchone() or (None,)
        return before != self._version

    def _call(self, newest: int, missing: Sequence[int]) -> bool:
        asked = (newest, ",".join(map(str, missing)), LOOKS)
        try:
            with self._connection() as connection:
                result = connection.exec_driver_sql(f"CALL {PROCEDURE}(%s, %s, %s)", asked)
                # It gives a row if there is something, and nothing otherwise.
                return bool(result.returns_rows and result.fetchall())
        except database.DatabaseUnavailable as error:
            if database.code_of(error) not in _NO_PROCEDURE:
                raise
        log.warning("the procedure %s cannot be called: streams ask the database 20 times a second", PROCEDURE)
        self._can_call = False
        return True

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        held = self._held = self._held or database.held()
        try:
            with database.answering():
                yield held
        except database.DatabaseUnavailable:
            # Another one then: whether this one is good is not known.
            self._held = None
            held.invalidate()
            held.close()
            raise

    def _poll(self) -> bool:
        time.sleep(POLL_SECONDS)
        return True
