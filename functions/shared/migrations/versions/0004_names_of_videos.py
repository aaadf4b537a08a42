"""The name of a job's video, which has a fencing token; and what the release before this one still needs.

The column is nullable: the release before this one goes on writing to the same table during a rollout.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("video", sa.String(length=128), nullable=True))

    rollouts = op.create_table(
        "rollouts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rollouts")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    # Where there are no jobs, nothing of the release before runs.
    if op.get_bind().execute(sa.text("SELECT 1 FROM jobs LIMIT 1")).first():
        since = datetime.now(UTC)
        op.bulk_insert(rollouts, [{"name": name, "since": since} for name in ("old-convert", "old-sweep")])


def downgrade() -> None:
    """Take back."""
    op.drop_table("rollouts")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("video")
