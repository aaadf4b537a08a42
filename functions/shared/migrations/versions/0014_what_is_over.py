"""What is over: blobs that are to be deleted, when rare chores were last done, videos that are kept,
accounts that are suspended, and indexes.

The columns are nullable and nothing refers to the tables: the release before this one goes on writing to jobs
and users.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0014"
down_revision = "0013"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What is deleted by age is found by it.
_INDEXES = (
    ("mailed_tokens", "expires_at"),
    ("refresh_tokens", "expires_at"),
    ("converted", "day"),
    ("turns", "level"),
    ("dead_letters", "recorded_at"),
    ("dead_letters", "healed_at"),
)


def upgrade() -> None:
    """Apply."""
    _create(
        "unwanted_blobs",
        sa.Column("id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        key="id",
    )
    op.create_index(op.f("ix_unwanted_blobs_job_id"), "unwanted_blobs", ["job_id"])
    _create(
        "chores",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        key="name",
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kept_video_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("audio_type", sa.String(length=32), nullable=True))
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("suspended_at", Instant(), nullable=True))
    for table, column in _INDEXES:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """Take back. Videos that were kept are then files of no job, which sweep deletes."""
    for table, column in _INDEXES:
        op.drop_index(op.f(f"ix_{table}_{column}"), table)
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("suspended_at")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("audio_type")
        batch_op.drop_column("kept_video_bytes")
    op.drop_table("chores")
    op.drop_table("unwanted_blobs")


def _create(name: str, *columns: sa.Column[object], key: str) -> None:
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{name}")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
