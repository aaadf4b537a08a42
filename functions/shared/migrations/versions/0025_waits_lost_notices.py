"""A procedure by which a statement of MySQL waits for rows of job_events; and a rollout that keeps rows of the ledger.

Those of mails about accounts are kept from the sweep of before revision 0023. That sweep takes them for rows about jobs
that are gone, and deletes them once an hour: the chore `strays`. It is put off by a day, by which the last one is gone.
The sweep of from now on does the same by a chore of another name.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant, now

revision = "0025"
down_revision = "0023"
_CHORES = sa.table("chores", sa.column("name", sa.String), sa.column("begun_at", Instant))
_USERS = sa.table("users", sa.column("id", sa.String))
_PUT_OFF = timedelta(days=1)
# `missing` are ids below `newest` that are waited for, too: the lowest first, comma between. It gives a row if there is
# something, and none after so many looks. A cursor, for InnoDB takes what it reads in a SET or a WHILE under lock.
_PROCEDURE = """
CREATE PROCEDURE await_job_events(IN newest BIGINT, IN missing TEXT CHARACTER SET ascii, IN looks INT)
READS SQL DATA
SQL SECURITY INVOKER
BEGIN
  DECLARE lowest BIGINT DEFAULT IF(missing = '', newest + 1, SUBSTRING_INDEX(missing, ',', 1));
  DECLARE found, slept INT DEFAULT 0;
  DECLARE news CURSOR FOR
    SELECT EXISTS (SELECT 1 FROM job_events WHERE id >= lowest AND (id > newest OR FIND_IN_SET(id, missing)));
  looking: LOOP
    OPEN news;
    FETCH news INTO found;
    CLOSE news;
    IF found THEN
      SELECT found;
      LEAVE looking;
    END IF;
    IF looks <= 0 THEN
      LEAVE looking;
    END IF;
    SET looks = looks - 1, slept = SLEEP(0.03);
  END LOOP;
END
"""


def upgrade() -> None:
    """Apply."""
    if _is_mysql():
        op.execute("DROP PROCEDURE IF EXISTS await_job_events")
        op.execute(_PROCEDURE)
    op.execute(_CHORES.delete().where(_CHORES.c.name == "strays"))
    # Nobody is told of anything before the first release.
    if op.get_bind().execute(sa.select(_USERS.c.id).limit(1)).first():
        op.execute(_CHORES.insert().values(name="strays", begun_at=now() + _PUT_OFF))


def downgrade() -> None:
    """Take back: the chore is due, and a download of from now on asks many times a second."""
    op.execute(_CHORES.delete().where(_CHORES.c.name.in_(("strays", "lost-notices"))))
    if _is_mysql():
        op.execute("DROP PROCEDURE IF EXISTS await_job_events")


def _is_mysql() -> bool:
    return op.get_bind().dialect.name == "mysql"
