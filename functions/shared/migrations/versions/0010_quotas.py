"""Quotas and turns of accounts: what an operator allows one, what it has used, and what an upload reserves.

The column is nullable and nothing refers to the tables: the release before this one goes on writing to jobs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Apply."""
    _of_users(
        "quotas",
        sa.Column("jobs", sa.BigInteger(), nullable=True),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.Column("minutes_a_day", sa.BigInteger(), nullable=True),
    )
    _of_users(
        "converted",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        key=("user_id", "day"),
    )
    _of_users("turns", sa.Column("level", sa.Double(), nullable=False))
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reserved_bytes", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_jobs_turns", ["state", "user_id", "created_at", "attempts"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_jobs_turns")
        batch_op.drop_column("reserved_bytes")
    for name in ("turns", "converted", "quotas"):
        op.drop_table(name)


def _of_users(name: str, *columns: sa.Column[object], key: tuple[str, ...] = ("user_id",)) -> None:
    op.create_table(
        name,
        sa.Column("user_id", sa.String(length=64), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{name}_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
