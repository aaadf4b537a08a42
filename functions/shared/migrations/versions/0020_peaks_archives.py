"""Waveforms of MP3s, and zips of many of them.

The column is nullable: the release before this one goes on writing to jobs. An MP3 that it makes has another name than
the one that the peaks are of, so that nobody takes them for its own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0020"
down_revision = "0019"

MYSQL: Any = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "peaks",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("heights", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_peaks_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_peaks")),
        **MYSQL,
    )
    op.create_table(
        "archives",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("job_ids", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_archives_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archives")),
        **MYSQL,
    )
    op.create_index(op.f("ix_archives_user_id"), "archives", ["user_id"])
    op.create_index(op.f("ix_archives_expires_at"), "archives", ["expires_at"])
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("peaks_of", sa.String(length=128), nullable=True))


def downgrade() -> None:
    """Take back: there are no waveforms, and links to zips lead nowhere."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("peaks_of")
    op.drop_table("archives")
    op.drop_table("peaks")
