"""What people are told of that is no event of a job: what it is called in preferences, and in the ledger of notices."""

from __future__ import annotations

from functions.shared import database, tables

__all__ = ["KEY_MADE", "SIGNED_IN", "WEBHOOK_TESTED", "is_mailed"]

# Mails about the account that its owner may choose not to get.
SIGNED_IN, KEY_MADE = "account.signed-in", "account.key-made"
# The type of the event that is posted to a webhook to try it. It is in no catalogue: no function takes it.
WEBHOOK_TESTED = "dev.audiolift.webhook.tested.v1"


def is_mailed(user_id: str, kind: str) -> bool:
    """Whether somebody gets mails about SIGNED_IN or KEY_MADE: unless they have said that they do not want them."""
    preferences = tables.notice_preferences
    with database.reading() as connection:
        row = connection.execute(preferences.select().where(preferences.c.user_id == user_id)).one_or_none()
    return row is None or kind not in row.unwanted
