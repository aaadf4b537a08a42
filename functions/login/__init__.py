"""Accounts and tokens."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(
        __name__,
        "accounts",
        "api_keys",
        "changes",
        "grants",
        "mails",
        "oidc",
        "oidc_device",
        "oidc_identities",
        "sessions",
        "sign_ins",
    )
