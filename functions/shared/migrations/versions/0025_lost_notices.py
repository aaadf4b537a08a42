"""Keeps the sweep of before revision 0023 from the ledger's rows of mails about accounts, for the time of a rollout.

That sweep takes them for rows about jobs that are gone, and deletes them once an hour: the chore `strays`. It is put
off by a day, by which the last one is gone. The sweep of from now on does the same by a chore of another name.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant, now

revision = "0025"
down_revision = "0023"
_CHORES = sa.table("chores", sa.column("name", sa.String), sa.column("begun_at", Instant))
_PUT_OFF = timedelta(days=1)


def upgrade() -> None:
    """Apply."""
    op.execute(_CHORES.delete().where(_CHORES.c.name == "strays"))
    op.execute(_CHORES.insert().values(name="strays", begun_at=now() + _PUT_OFF))


def downgrade() -> None:
    """Take back: the chore is due."""
    op.execute(_CHORES.delete().where(_CHORES.c.name.in_(("strays", "lost-notices"))))
