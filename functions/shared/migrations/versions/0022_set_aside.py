"""When an event was set aside, which the sink refuses for good.

The column is nullable: the release before this one goes on writing to outbox, and to try such events now and then.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0022"
down_revision = "0020"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("set_aside_at", Instant(), nullable=True))
    op.create_index(op.f("ix_outbox_set_aside_at"), "outbox", ["set_aside_at"])


def downgrade() -> None:
    """Take back: what was set aside is tried again, now and then."""
    op.drop_index(op.f("ix_outbox_set_aside_at"), "outbox")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_column("set_aside_at")
