"""Mails about accounts: what is to be mailed, its event in the outbox, and its rows in the ledger of notices.

The new columns are nullable, and some that every row had filled may be empty: the release before this one goes on
writing to outbox, mailed_tokens, notifications and notice_attempts, and sends its mails about accounts itself.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from functions.shared.tables import Instant

revision = "0023"
down_revision = "0022"
_ID = sa.String(length=64)
_TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
# What may be empty from now on; and how SQLite, which makes a table anew for that, has it made.
_FREED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("outbox", "job_id", {}),
    ("notifications", "user_id", {}),
    ("notice_attempts", "user_id", {"sqlite_autoincrement": True}),
)


def upgrade() -> None:
    """Apply."""
    _create_table()
    for table, column, options in _FREED:
        with op.batch_alter_table(table, schema=None, table_kwargs=options) as batch_op:
            batch_op.alter_column(column, existing_type=_ID, nullable=True)
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mail_id", _ID, nullable=True))
        batch_op.create_foreign_key(op.f("fk_outbox_mail_id"), "account_mails", ["mail_id"], ["id"], ondelete="CASCADE")
    op.create_index(op.f("ix_outbox_mail_id"), "outbox", ["mail_id"])
    with op.batch_alter_table("mailed_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mail_id", _ID, nullable=True))
    op.create_index(op.f("ix_mailed_tokens_mail_id"), "mailed_tokens", ["mail_id"])


def _create_table() -> None:
    op.create_table(
        "account_mails",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("user_id", _ID, nullable=True),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_account_mails_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_mails")),
        **_TABLE,
    )
    for column in ("user_id", "expires_at"):
        op.create_index(op.f(f"ix_account_mails_{column}"), "account_mails", [column])


def downgrade() -> None:
    """Take back: mails about accounts that wait are lost, and so is what the ledger has of those to strangers."""
    op.drop_index(op.f("ix_mailed_tokens_mail_id"), "mailed_tokens")
    with op.batch_alter_table("mailed_tokens", schema=None) as batch_op:
        batch_op.drop_column("mail_id")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_outbox_mail_id"), type_="foreignkey")
        batch_op.drop_index(op.f("ix_outbox_mail_id"))
        batch_op.drop_column("mail_id")
    for table, column, options in _FREED:
        rows = sa.table(table, sa.column(column))
        op.execute(rows.delete().where(rows.c[column].is_(None)))
        with op.batch_alter_table(table, schema=None, table_kwargs=options) as batch_op:
            batch_op.alter_column(column, existing_type=_ID, nullable=False)
    op.drop_table("account_mails")
