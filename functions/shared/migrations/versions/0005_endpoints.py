"""An endpoint in the key of the ledger: a channel may have several.

The release before this one names none, and so writes "", which is mail's.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = ("job_id", "kind", "channel", "generation")
_NAME = "pk_notifications"


def upgrade() -> None:
    """Apply."""
    if op.get_context().dialect.name == "mysql":
        # One statement: the table is never without its key, and a kill leaves it as it was or as it will be.
        _on_mysql("ADD COLUMN endpoint VARCHAR(64) NOT NULL DEFAULT '' AFTER generation", (*_KEY, "endpoint"))
        return
    with op.batch_alter_table("notifications", recreate="always") as batch_op:
        batch_op.add_column(
            sa.Column("endpoint", sa.String(length=64), server_default="", nullable=False),
            insert_after="generation",
        )
        batch_op.drop_constraint(_NAME, type_="primary")
        batch_op.create_primary_key(_NAME, [*_KEY, "endpoint"])


def downgrade() -> None:
    """Take back; what was said to other endpoints is forgotten, as the key before cannot tell it apart."""
    op.execute("DELETE FROM notifications WHERE endpoint <> ''")
    if op.get_context().dialect.name == "mysql":
        _on_mysql("DROP COLUMN endpoint", _KEY)
        return
    with op.batch_alter_table("notifications", recreate="always") as batch_op:
        batch_op.drop_constraint(_NAME, type_="primary")
        batch_op.create_primary_key(_NAME, list(_KEY))
        batch_op.drop_column("endpoint")


def _on_mysql(change: str, key: tuple[str, ...]) -> None:
    op.execute(f"ALTER TABLE notifications {change}, DROP PRIMARY KEY, ADD PRIMARY KEY ({', '.join(key)})")
