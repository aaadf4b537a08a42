"""Traces and refusals of events; what dead letters are about, and when they healed.

All columns are nullable: the release before this one goes on writing to the same tables during a rollout.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("traceparent", sa.String(length=55), nullable=True))
        batch_op.add_column(sa.Column("tracestate", sa.String(length=512), nullable=True))
        batch_op.add_column(sa.Column("tried_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("refusal", sa.String(length=500), nullable=True))

    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("headers", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("event_id", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("source", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("type", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("job_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("note", sa.String(length=500), nullable=True))
        batch_op.add_column(sa.Column("tried_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("healed_at", Instant(), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        for name in ("healed_at", "tried_at", "note", "job_id", "type", "source", "event_id", "headers"):
            batch_op.drop_column(name)

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        for name in ("refusal", "tried_at", "tracestate", "traceparent"):
            batch_op.drop_column(name)
