"""When a batch was over, and when its owner was told of all of it.

The columns are nullable: the release before this one goes on writing to batches.
Of the batches that there are, owners are told job by job.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("told_at", Instant(), nullable=True))
    op.create_index(op.f("ix_batches_told_at"), "batches", ["told_at"])
    batches = sa.table("batches", sa.column("created_at"), sa.column("ended_at"), sa.column("told_at"))
    op.execute(batches.update().values(ended_at=batches.c.created_at, told_at=batches.c.created_at))


def downgrade() -> None:
    """Take back: of batches that are not over, nobody is told by mail."""
    op.drop_index(op.f("ix_batches_told_at"), "batches")
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_column("told_at")
        batch_op.drop_column("ended_at")
