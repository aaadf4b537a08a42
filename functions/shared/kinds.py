"""What people are told of that is no event of a job: what it is called in preferences, and in the ledger of notices."""

from __future__ import annotations

__all__ = [
    "ADDRESS_CHANGED",
    "CONFIRM",
    "CONFIRM_ADDRESS",
    "DELETED",
    "KEY_MADE",
    "KNOWN",
    "OF_ACCOUNTS",
    "PASSWORD_CHANGED",
    "RESET",
    "SIGNED_IN",
    "WEBHOOK_TESTED",
]

# Mails about accounts.
CONFIRM, CONFIRM_ADDRESS, KNOWN = "account.confirm", "account.confirm-address", "account.known"
RESET, PASSWORD_CHANGED = "account.reset", "account.password-changed"
ADDRESS_CHANGED, DELETED = "account.address-changed", "account.deleted"
# Those that an account's owner may choose not to get.
SIGNED_IN, KEY_MADE = "account.signed-in", "account.key-made"
OF_ACCOUNTS = frozenset(
    {CONFIRM, CONFIRM_ADDRESS, KNOWN, RESET, PASSWORD_CHANGED, ADDRESS_CHANGED, DELETED, SIGNED_IN, KEY_MADE}
)
# The type of the event that is posted to a webhook to try it. It is in no catalogue: no function takes it.
WEBHOOK_TESTED = "dev.audiolift.webhook.tested.v1"
