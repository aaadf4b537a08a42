"""Fetches that are resumed and put off, batches, and videos known by their content.

The columns are nullable: the release before this one goes on writing to jobs and outbox.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("video_sha256", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("fetched", sa.JSON(none_as_null=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_jobs_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index("ix_jobs_content", ["user_id", "video_sha256"], unique=False)
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("not_before", Instant(), nullable=True))
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_batches_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("user_id", "idempotency_key", name=op.f("uq_batches_user_id")),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_batches_created_at"), "batches", ["created_at"], unique=False)


def downgrade() -> None:
    """Take back: what was put off is sent at once, and fetches begin anew."""
    op.drop_table("batches")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_column("not_before")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_jobs_content")
        batch_op.drop_index(batch_op.f("ix_jobs_batch_id"))
        for name in ("fetched", "video_sha256", "batch_id"):
            batch_op.drop_column(name)
