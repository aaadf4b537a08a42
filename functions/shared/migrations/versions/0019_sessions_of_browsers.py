"""Refresh tokens that browsers keep as a cookie: which of its session's each one is, counted from 0.

The column is nullable, and null for tokens of programs: the release before this one goes on writing those.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("refresh_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("generation", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Take back: the sessions of browsers end, for a token of theirs would be taken for one of a program's."""
    tokens = sa.table("refresh_tokens", sa.column("generation"))
    op.execute(tokens.delete().where(tokens.c.generation.is_not(None)))
    with op.batch_alter_table("refresh_tokens", schema=None) as batch_op:
        batch_op.drop_column("generation")
