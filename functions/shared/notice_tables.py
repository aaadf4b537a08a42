"""The tables of notices: who is told what, by which channel, and how each attempt went; and webhooks."""

from __future__ import annotations

import sqlalchemy as sa

from functions.shared.table_types import ID as _ID
from functions.shared.table_types import SERIAL as _SERIAL
from functions.shared.table_types import Instant
from functions.shared.table_types import table as _table

__all__ = ["known_sign_ins", "notice_attempts", "notice_preferences", "notifications", "phones", "webhooks"]

notifications = _table(
    "notifications",
    sa.Column("job_id", _ID, primary_key=True),
    sa.Column("kind", sa.String(128), primary_key=True),
    sa.Column("channel", sa.String(16), primary_key=True),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("endpoint", _ID, primary_key=True, server_default=""),
    # Null for a mail to an address that is no account's.
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    # Held, or not to be tried again, until then; what a release before revision 0015 goes by.
    sa.Column("claimed_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("refusal", sa.String(500)),
    # Null in what a release before revision 0015 wrote.
    sa.Column("delivery_id", _ID, index=True),
    sa.Column("created_at", Instant),
    sa.Column("due_at", Instant, index=True),
    sa.Column("tries", sa.Integer),
    sa.Column("unclear", sa.Integer),
    sa.Index("ix_notifications_log", "endpoint", "created_at"),
)

notice_attempts = _table(
    "notice_attempts",
    sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("delivery_id", _ID, nullable=False, index=True),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("detail", sa.String(500)),
    sa.Column("status", sa.Integer),
    sa.Column("ended_at", Instant),
    sqlite_autoincrement=True,
)

# Who has none is told of all that is on unless said, in English.
notice_preferences = _table(
    "notice_preferences",
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    # Types of events that no mail is wanted about.
    sa.Column("unwanted", sa.JSON, nullable=False),
    # Types of events → names of services that tell of them.
    sa.Column("services", sa.JSON, nullable=False),
    sa.Column("language", sa.String(8), nullable=False),
    # What is off unless said, and wanted by mail; and what SMS are wanted about. Null in what a release before revision
    # 0018 wrote.
    sa.Column("wanted", sa.JSON(none_as_null=True)),
    sa.Column("sms", sa.JSON(none_as_null=True)),
)

# Where an account has SMS sent: one number, which is used once a code that was sent there has come back.
phones = _table(
    "phones",
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    # Another one for another number: what stands for it in the ledger.
    sa.Column("id", _ID, nullable=False),
    sa.Column("number", sa.String(16), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("verified_at", Instant),
    sa.Column("code_digest", _ID),
    sa.Column("code_expires_at", Instant, index=True),
    sa.Column("guesses", sa.Integer, nullable=False),
)

# From where, and by what, somebody has signed in before: digests alone, by a key that is not in the database.
known_sign_ins = _table(
    "known_sign_ins",
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("digest", _ID, primary_key=True),
    # Which key that was.
    sa.Column("key_id", _ID, nullable=False),
    sa.Column("seen_at", Instant, nullable=False, index=True),
)

webhooks = _table(
    "webhooks",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("url", sa.String(2048), nullable=False),
    sa.Column("events", sa.JSON, nullable=False),
    sa.Column("secret", sa.String(128), nullable=False),
    # The one before, which signs too for a while.
    sa.Column("former_secret", sa.String(128)),
    sa.Column("former_until", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant),
    sa.Column("disabled_reason", sa.String(500)),
    # Somebody tells its owner, until then, that it is about to be disabled.
    sa.Column("giving_up_until", Instant),
)
