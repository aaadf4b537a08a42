"""What at least two functions need."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(
        __name__,
        "attempts",
        "audit",
        "cursors",
        "database",
        "keyring",
        "mail",
        "outbox",
        "owners",
        "roles",
        "suspension",
        "tables",
        "tokens",
        "unwanted",
        "wording",
    )
