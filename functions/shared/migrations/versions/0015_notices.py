"""Notices: when each endpoint is due, each attempt, preferences, webhooks.

All columns are nullable and nothing refers to the tables: the release before this one goes on writing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0015"
down_revision = "0014"
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ROWS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.add_column(sa.Column("delivery_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("created_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("due_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("tries", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("unclear", sa.Integer(), nullable=True))
        batch_op.create_index(op.f("ix_notifications_delivery_id"), ["delivery_id"], unique=False)
        batch_op.create_index(op.f("ix_notifications_due_at"), ["due_at"], unique=False)
        batch_op.create_index("ix_notifications_log", ["endpoint", "created_at"], unique=False)
    _attempts()
    _preferences()
    _webhooks()


def downgrade() -> None:
    """Take back."""
    op.drop_table("webhooks")
    op.drop_table("notice_preferences")
    op.drop_table("notice_attempts")
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.drop_index("ix_notifications_log")
        batch_op.drop_index(op.f("ix_notifications_due_at"))
        batch_op.drop_index(op.f("ix_notifications_delivery_id"))
        for name in ("unclear", "tries", "due_at", "created_at", "delivery_id"):
            batch_op.drop_column(name)


def _attempts() -> None:
    op.create_table(
        "notice_attempts",
        sa.Column("id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notice_attempts_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_attempts")),
        sqlite_autoincrement=True,
        **_ROWS,
    )
    for column in ("delivery_id", "user_id", "at"):
        op.create_index(op.f(f"ix_notice_attempts_{column}"), "notice_attempts", [column])


def _preferences() -> None:
    op.create_table(
        "notice_preferences",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("unwanted", sa.JSON(), nullable=False),
        sa.Column("services", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notice_preferences_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_notice_preferences")),
        **_ROWS,
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(length=128), nullable=False),
        sa.Column("former_secret", sa.String(length=128), nullable=True),
        sa.Column("former_until", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.Column("disabled_reason", sa.String(length=500), nullable=True),
        sa.Column("giving_up_until", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_webhooks_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        **_ROWS,
    )
    op.create_index(op.f("ix_webhooks_user_id"), "webhooks", ["user_id"])
