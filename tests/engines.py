"""The connections of the tests' own process to the database."""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from functions.shared import database, draining
from tests.patience import eventually

__all__ = ["leave"]


def leave() -> None:
    """Close them, once every thread is done and has given its own back.

    One that comes back to an engine that is closed stays open until it is collected as garbage, and fails the test that
    runs by then.
    """
    eventually(lambda: not draining._held, "what goes on behind the answers is finished")
    for engine in {database.engine(), database._checker(database.engine())}:
        eventually(partial(_are_back, engine), "every connection is given back")
        engine.dispose()
    database._checker.cache_clear()
    database.engine.cache_clear()


def _are_back(engine: sa.Engine) -> bool:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedout() == 0
