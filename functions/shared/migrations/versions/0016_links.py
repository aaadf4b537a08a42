"""Signed links that can be revoked: those that owners make, one by one; all others of a job by its generation.

The column is nullable: the release before this one goes on writing to jobs, and takes the links of either release.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "links",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_links_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_links_job_id"), "links", ["job_id"])
    op.create_index(op.f("ix_links_expires_at"), "links", ["expires_at"])
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("links_generation", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Take back: what was revoked opens files again, until the files expire."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("links_generation")
    op.drop_table("links")
