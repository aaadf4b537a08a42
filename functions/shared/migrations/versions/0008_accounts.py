"""Accounts: tokens that are sent by mail, attempts that are counted, sessions that are listed, accounts being deleted.

The release before this one writes rows without any of the new columns: its accounts are not being deleted, and its
sessions are listed without times.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0008"
down_revision = "0007"

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Apply."""
    op.add_column("users", sa.Column("deleted_at", Instant()))
    op.create_index("ix_users_deleted_at", "users", ["deleted_at"])
    for column in (
        sa.Column("issued_at", Instant()),
        sa.Column("signed_in_at", Instant()),
        sa.Column("user_agent", sa.String(200)),
    ):
        op.add_column("refresh_tokens", column)
    _create_mailed_tokens()
    _create_attempts()


def downgrade() -> None:
    """Take back; what was sent by mail is good for nothing any more, and attempts are forgotten."""
    op.drop_table("attempts")
    op.drop_table("mailed_tokens")
    with op.batch_alter_table("refresh_tokens") as batch_op:
        for name in ("user_agent", "signed_in_at", "issued_at"):
            batch_op.drop_column(name)
    op.drop_index("ix_users_deleted_at", "users")
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_column("deleted_at")


def _create_mailed_tokens() -> None:
    op.create_table(
        "mailed_tokens",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("user_id", sa.String(64)),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_mailed_tokens"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_mailed_tokens_user_id", ondelete="CASCADE"),
        **_OPTIONS,
    )
    op.create_index("ix_mailed_tokens_email", "mailed_tokens", ["email"])
    op.create_index("ix_mailed_tokens_user_id", "mailed_tokens", ["user_id"])


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("free_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_attempts"),
        **_OPTIONS,
    )
    op.create_index("ix_attempts_last_at", "attempts", ["last_at"])
