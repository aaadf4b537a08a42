"""Tells owners."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(
        __name__,
        "account_news",
        "account_texts",
        "by_apprise",
        "deliveries",
        "fanout",
        "ledger",
        "news",
        "phones",
        "posting",
        "preferences",
        "signing",
        "telling",
        "texts",
        "webhooks",
    )
