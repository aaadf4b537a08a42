"""Resumable uploads and what has arrived of them; and what the release before must be gone for.

Its convert cannot read a video that is joined of pieces, and its sweep takes pieces for files of no job.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0012"
down_revision = "0011"

WAITED_FOR = ("convert-before-0012", "sweep-before-0012")


def upgrade() -> None:
    """Apply."""
    _of_jobs(
        "uploads",
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("concat", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    _of_jobs(
        "upload_pieces",
        sa.Column("start_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        key=("job_id", "start_bytes"),
    )
    op.create_index("ix_upload_pieces_name", "upload_pieces", ["name"])
    # Where there are no jobs, nothing of the release before runs.
    if op.get_bind().execute(sa.text("SELECT 1 FROM jobs LIMIT 1")).first():
        since = datetime.now(UTC)
        rollouts = sa.table("rollouts", sa.column("name", sa.String()), sa.column("since", Instant()))
        op.bulk_insert(rollouts, [{"name": name, "since": since} for name in WAITED_FOR])


def downgrade() -> None:
    """Take back."""
    rollouts = sa.table("rollouts", sa.column("name", sa.String()))
    op.execute(rollouts.delete().where(rollouts.c.name.in_(WAITED_FOR)))
    for name in ("upload_pieces", "uploads"):
        op.drop_table(name)


def _of_jobs(name: str, *columns: sa.Column[object], key: tuple[str, ...] = ("job_id",)) -> None:
    op.create_table(
        name,
        sa.Column("job_id", sa.String(length=64), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f(f"fk_{name}_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
