"""Tells owners."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(
        __name__,
        "deliveries",
        "fanout",
        "ledger",
        "news",
        "posting",
        "preferences",
        "signing",
        "telling",
        "texts",
        "webhooks",
    )
