"""Notices on submission and near expiry, by SMS to a verified number, and of sign-ins from unknown places.

The columns are nullable: the release before this one goes on writing to notice_preferences and jobs. The jobs that
there are count as downloaded: nobody knows of which of them a reminder would be news.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0018"
down_revision = "0017"

_TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("notice_preferences", schema=None) as batch_op:
        batch_op.add_column(sa.Column("wanted", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("sms", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("downloaded_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("reminder", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("reminded_at", Instant(), nullable=True))
    op.create_index(op.f("ix_jobs_reminder"), "jobs", ["reminder"])
    jobs = sa.table("jobs", sa.column("state"), sa.column("updated_at"), sa.column("downloaded_at"))
    op.execute(jobs.update().where(jobs.c.state == "done").values(downloaded_at=jobs.c.updated_at))
    _create_tables()


def _create_tables() -> None:
    op.create_table(
        "phones",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("verified_at", Instant(), nullable=True),
        sa.Column("code_digest", sa.String(length=64), nullable=True),
        sa.Column("code_expires_at", Instant(), nullable=True),
        sa.Column("guesses", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_phones_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_phones")),
        **_TABLE,
    )
    op.create_index(op.f("ix_phones_code_expires_at"), "phones", ["code_expires_at"])
    op.create_table(
        "known_sign_ins",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_sign_ins_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "digest", name=op.f("pk_known_sign_ins")),
        **_TABLE,
    )
    op.create_index(op.f("ix_known_sign_ins_seen_at"), "known_sign_ins", ["seen_at"])


def downgrade() -> None:
    """Take back: numbers are forgotten, and nobody is reminded."""
    op.drop_table("known_sign_ins")
    op.drop_table("phones")
    op.drop_index(op.f("ix_jobs_reminder"), "jobs")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        for name in ("reminded_at", "reminder", "downloaded_at"):
            batch_op.drop_column(name)
    with op.batch_alter_table("notice_preferences", schema=None) as batch_op:
        batch_op.drop_column("sms")
        batch_op.drop_column("wanted")
