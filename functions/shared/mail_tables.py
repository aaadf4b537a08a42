"""The tables of mails about accounts: what is to be mailed, and the tokens that their links have."""

from __future__ import annotations

import sqlalchemy as sa

from functions.shared.table_types import ID as _ID
from functions.shared.table_types import Instant
from functions.shared.table_types import table as _table

__all__ = ["account_mails", "mailed_tokens"]

# One that is sent, or over, is deleted: nobody's address, or whereabouts, are kept for longer.
account_mails = _table(
    "account_mails",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("email", sa.String(254), nullable=False),
    # Whose notices it is among; null for an address that is no account's, or not yet, or no longer.
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    # Null: what the user has chosen.
    sa.Column("language", sa.String(8)),
    sa.Column("said", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

mailed_tokens = _table(
    "mailed_tokens",
    sa.Column("digest", _ID, primary_key=True),
    sa.Column("purpose", sa.String(16), nullable=False),
    sa.Column("email", sa.String(254), nullable=False, index=True),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("password_hash", sa.String(255)),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    # The mail that it goes out with. Null in what a release before revision 0023 wrote.
    sa.Column("mail_id", _ID, index=True),
)
