"""What need not be done with every tick, whatever the ticks' schedule: a row for each says when it was last begun.

The row is claimed by a conditional UPDATE, so that two sweeps do not do the same at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from functions.shared import database
from functions.shared.problems import Unavailable
from functions.shared.tables import chores, now

__all__ = ["run"]


def run(name: str, seconds: int, chore: Callable[[], None]) -> None:
    """Do `chore`, unless it was begun less than so many seconds ago.

    Whose process dies in the middle has it done again after that time; with a store away, the next tick tries again.
    Raises: what `chore` raises.
    """
    if not _is_due(name, seconds) or not _begin(name, seconds):
        return
    try:
        chore()
    except Unavailable:
        _give_back(name, seconds)
        raise


def _is_due(name: str, seconds: int) -> bool:
    """Without writing: most ticks come too early."""
    with database.reading() as connection:
        begun_at = connection.execute(sa.select(chores.c.begun_at).where(chores.c.name == name)).scalar()
    return begun_at is None or begun_at < now() - timedelta(seconds=seconds)


@database.transactional
def _begin(connection: sa.Connection, name: str, seconds: int) -> bool:
    mine = chores.c.name == name
    over = chores.c.begun_at < now() - timedelta(seconds=seconds)
    if connection.execute(chores.update().where(mine, over).values(begun_at=now())).rowcount == 1:
        return True
    if connection.execute(sa.select(chores.c.name).where(mine)).one_or_none():
        return False
    database.insert_missing(connection, chores, name=name, begun_at=now())
    return True


@database.transactional
def _give_back(connection: sa.Connection, name: str, seconds: int) -> None:
    due = now() - timedelta(seconds=seconds + 1)
    connection.execute(chores.update().where(chores.c.name == name).values(begun_at=due))
